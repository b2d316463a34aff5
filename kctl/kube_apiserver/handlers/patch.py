"""PATCH: JSON patch, merge patch, strategic merge patch, and the merging half of server-side apply.

The patch is applied to the present object in the request's version, the result decoded like any other body, and stored as an update;
when somebody else wrote in between, it is applied again to what they wrote.
"""

from __future__ import annotations

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import invalid
from kctl.kube_apiserver.handlers import body, off_loop, options, patching
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import ObjectAnswer, Response
from kctl.kube_apiserver.subresources import parts


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    patcher = await off_loop.run(request, patching.patcher, request, endpoint)
    options.check_write(request, "PatchOptions", apply=patcher.is_apply)
    caller = request.caller()

    def make(old: Object) -> Object:
        patched = patcher.apply(old)
        if request.is_canonical:
            return parts.take(request.subresource, patched, old)
        decoded = body.decode_patched(request, endpoint, patched, patcher)
        body.check_name(request, decoded)
        errors = endpoint.strategy.validate_patch(decoded)
        if errors:
            raise invalid(endpoint.resource.group, endpoint.resource.kind, request.name, errors)
        return parts.take(request.subresource, decoded, old)

    def new() -> Object:
        obj = body.decode_patched(request, endpoint, patcher.create(), patcher)
        body.check_name(request, obj)
        body.check_namespace(request, obj)
        return obj

    create = new if patcher.is_apply else None
    subresource = request.subresource
    stored, created = await endpoint.update(
        request.namespace, request.name, make, caller, subresource=subresource, patch=True, create=create
    )
    return ObjectAnswer(stored, 201 if created else 200, endpoint)
