"""GET of one object (also of its status and the like, which are the same object)."""

from __future__ import annotations

from kctl.apimachinery import go_numbers
from kctl.apimachinery.status import BadRequest
from kctl.kube_apiserver.registry.generic import Registry
from kctl.kube_apiserver.registry.listing import too_large
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: Request) -> Response:
    assert request.resource is not None
    endpoint = registry.endpoint(request.resource)
    wanted = request.query.get("resourceVersion")
    if wanted and wanted != "0":
        _check_revision(wanted, registry.storage.revision)
    entry = registry.entry(endpoint, request.namespace, request.name)
    return ObjectAnswer(endpoint.from_storage(entry.object), endpoint=endpoint, entry=entry)


def _check_revision(wanted: str, present: int) -> None:
    try:
        revision = go_numbers.parse_uint(wanted)
    except go_numbers.GoNumberError as error:
        raise BadRequest(f'invalid resource version: resourceVersion: Invalid value: "{wanted}": {error}') from None
    if revision > present:
        raise too_large(revision, present)
