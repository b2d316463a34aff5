"""GET of one object (also of its status and the like, which are the same object)."""

from __future__ import annotations

from kctl.apimachinery import go_numbers
from kctl.apimachinery.status import BadRequest
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    wanted = request.query.get("resourceVersion")
    entry = endpoint.get(request.namespace, request.name, _revision(wanted) if wanted else 0)
    return ObjectAnswer(endpoint.from_storage(entry.object), endpoint=endpoint, entry=entry)


def _revision(wanted: str) -> int:
    try:
        return go_numbers.parse_uint(wanted)
    except go_numbers.GoNumberError as error:
        raise BadRequest(f'invalid resource version: resourceVersion: Invalid value: "{wanted}": {error}') from None
