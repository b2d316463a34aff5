"""DELETE of one object."""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.caller import CANONICAL
from kctl.kube_apiserver.handlers import off_loop, options
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    if request.form is CANONICAL:
        given, dry_run = options.delete_options(request)
    else:
        given, dry_run = await off_loop.run(request, options.delete_options, request)
    caller = request.caller()
    caller.dry_run = caller.dry_run or dry_run
    deleted = await endpoint.delete(request.namespace, request.name, given, caller)
    if deleted.gone and not endpoint.strategy.returns_deleted_object:
        return ObjectAnswer(success(endpoint, request.name, deleted.object["metadata"].get("uid", "")))
    return ObjectAnswer(deleted.object, endpoint=endpoint)


def success(endpoint: Endpoint, name: str, uid: str) -> Object:
    details = {"name": name, "kind": endpoint.resource.plural}
    if endpoint.resource.group:
        details = {"name": name, "group": endpoint.resource.group, "kind": endpoint.resource.plural}
    details["uid"] = uid
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
