"""DELETE of a collection: each selected object as DELETE would; the answer lists them as they were."""

from __future__ import annotations

import asyncio

from kctl.apimachinery.status import NotFound
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.handlers import off_loop, options
from kctl.kube_apiserver.registry import list_options
from kctl.kube_apiserver.registry.deletion import delete
from kctl.kube_apiserver.registry.generic import Registry
from kctl.kube_apiserver.registry.listing import list_objects
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ListAnswer, Response
from kctl.kube_apiserver.watch_cache import Entry


async def handle(registry: Registry, request: Request) -> Response:
    assert request.resource is not None
    endpoint = registry.endpoint(request.resource)
    given, dry_run = await off_loop.run(request, options.delete_options, request)
    caller = request.caller()
    caller.dry_run = caller.dry_run or dry_run
    listing = list_options.parse(request.query, watch=False)
    found = await list_objects(registry, endpoint, request.namespace, request.query, listing)

    async def remove(entry: Entry, caller: Caller) -> None:
        meta = entry.object["metadata"]
        try:
            await delete(registry, endpoint, meta.get("namespace", ""), meta["name"], given, caller)
        except NotFound:
            return

    await asyncio.gather(*(remove(entry, caller) for entry in found.entries))
    answer = ListAnswer(endpoint, found.entries, registry.storage.revision, found.continue_token, found.remaining)
    return answer
