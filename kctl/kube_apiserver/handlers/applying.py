"""Server-side apply on an endpoint: the object an applied configuration makes of the present one, who owns what of it, and the object it
makes where there is none."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.field_ownership import managed_fields, server_side_apply
from kctl.apimachinery.field_ownership.managed_fields import FIELD
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.handlers import body
from kctl.kube_apiserver.handlers.patching import Patcher
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.request import ResourceRequest


class Applying:
    """One request. Both methods raise what server_side_apply raises, and BadRequest for a name that is not the URL's."""

    def __init__(self, request: ResourceRequest, patcher: Patcher) -> None:
        self._request = request
        self._patcher = patcher
        self._tracker = request.endpoint.tracker(request.subresource)
        self._force = "force" in request.query and parse_bool(request.query["force"])

    def apply(self, old: Object) -> Object:
        """`old`, in the endpoint's version, with the configuration merged in."""
        present = old["metadata"].get(FIELD)
        live = managed_fields.without(old)
        made, owners = self._merge(live, present.managed() if present is not None else {})
        return self._owned(old if made is live else made, made is live, owners)

    def create(self) -> Object:
        made, owners = self._merge(self._tracker.form.zero, {})
        obj = self._owned(made, False, owners)
        body.check_namespace(self._request, obj)
        return obj

    def _merge(self, live: Object, managed: Any) -> tuple[Object, Any]:
        request, form = self._request, self._tracker.form
        manager = request.query.get("fieldManager", "")
        document, kind, now = self._patcher.document, request.endpoint.resource.kind, request.endpoint.stamp()
        return server_side_apply.apply(live, document, managed, manager, request.subresource, now, form, kind, force=self._force)

    def _owned(self, obj: Object, decoded: bool, owners: Any) -> Object:
        if not decoded:
            endpoint = self._request.endpoint
            obj = body.decode_patched(self._request, endpoint, obj, self._patcher)
        else:
            self._patcher.strict_problems(self._request, obj.get("kind", ""), obj.get("apiVersion", ""), self._patcher.problems)
        body.check_name(self._request, obj)
        meta = {name: value for name, value in obj["metadata"].items() if name != FIELD}
        if (kept := managed_fields.of(owners)) is not None:
            meta[FIELD] = kept
        return {**obj, "metadata": meta}
