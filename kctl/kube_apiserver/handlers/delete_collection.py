"""DELETE of a collection: each selected object as DELETE would; the answer lists them as they were."""

from __future__ import annotations

from kctl.kube_apiserver.handlers import off_loop, options
from kctl.kube_apiserver.registry import list_options
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    given, dry_run = await off_loop.run(request, options.delete_options, request)
    caller = request.caller()
    caller.dry_run = caller.dry_run or dry_run
    listing = await list_options.parse_beside(registry.clock, request.query, watch=False)
    deleted = await endpoint.delete_collection(request.namespace, listing, given, caller)
    return ListAnswer(endpoint, deleted.entries, registry.storage.revision, deleted.continue_token, deleted.remaining)
