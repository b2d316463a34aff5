"""PATCH: JSON patch, merge patch, strategic merge patch, and server-side apply (applying.py).

The patch is applied to the present object in the request's version, the result decoded like any other body, and stored as an update;
when somebody else wrote in between, it is applied again to what they wrote.
"""

from __future__ import annotations

from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.field_ownership.managed_fields import FIELD
from kctl.apimachinery.objects import Object
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
    caller.sent_much = caller.sent_much or (patcher.may_grow and not request.in_process)
    subresource = request.subresource
    if patcher.is_apply:
        from kctl.kube_apiserver.handlers.applying import Applying  # what most servers' lives never need

        applying = Applying(request, patcher)
        caller.applies = True
        stored, created = await endpoint.update(
            request.namespace,
            request.name,
            lambda old: parts.take(subresource, applying.apply(old), old),
            caller,
            subresource=subresource,
            patch=True,
            create=applying.create,
        )
        return ObjectAnswer(stored, 201 if created else 200, endpoint)

    def make(old: Object) -> Object:
        if request.is_canonical:
            return parts.take(subresource, patcher.apply(old), old)
        owners = old["metadata"].get(FIELD)
        shown = managed_fields.plain(old) if patcher.names_owners else managed_fields.without(old)
        patched = patcher.apply(shown)
        decoded = body.decode_patched(request, endpoint, patched, patcher)
        if patcher.names_owners:
            body.keep_reset(patched, decoded)
        elif owners is not None:
            decoded["metadata"][FIELD] = owners
        body.check_name(request, decoded)
        return parts.take_owned(endpoint, caller, subresource, decoded, old)

    stored, _ = await endpoint.update(request.namespace, request.name, make, caller, subresource=subresource, patch=True)
    return ObjectAnswer(stored, endpoint=endpoint)
