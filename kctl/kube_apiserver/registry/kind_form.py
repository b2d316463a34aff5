"""How server-side apply sees each built-in kind, in each version and for each of its (sub)resources, and what it remembers of changes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from kctl.apimachinery.field_ownership.field_schema import FieldType
from kctl.apimachinery.field_ownership.tracker import Tracker
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.registry.conversion import conversion_for


class KindForm:
    """A kind in one version, for one of its (sub)resources (managers.Form)."""

    def __init__(self, resource: ResourceType, subresource: str, field_type: FieldType, zero: Object, has_status: bool) -> None:
        from kctl.kube_apiserver.registry.reset_fields import filter_for

        self._resource = resource
        self._subresource = subresource
        self._has_status = has_status
        self.api_version = resource.api_version
        self.field_type = field_type
        self.zero = zero
        self.filter = filter_for(resource.group, resource.plural, subresource, has_status)

    def other(self, api_version: str) -> KindForm | None:
        from kctl.apimachinery.field_ownership import builtin_fields
        from kctl.apimachinery.schema import schemas

        group, _, _ = api_version.rpartition("/")
        if group != self._resource.group or not schemas.load().type_name(api_version, self._resource.kind):
            return None
        found = builtin_fields.field_type(api_version, self._resource.kind)
        made = KindForm(self._resource, self._subresource, found, self.zero, self._has_status)
        made.api_version = api_version
        return made

    def convert(self, obj: Object, api_version: str) -> Object:
        present = obj.get("apiVersion") or self.api_version
        conversion = conversion_for(self._resource)
        if conversion is None or present == api_version:
            return {**obj, "apiVersion": api_version}
        stored = conversion.to_storage({**obj, "apiVersion": present}, present)
        return conversion.from_storage(stored, api_version)


_trackers: dict[tuple[str, str, str], Tracker] = {}
"""Of the built-in kinds, for all servers of this process: what they remember depends on nothing else."""


def tracker(resource: ResourceType, subresource: str, has_status: bool, zero: Callable[[], Object]) -> Tracker:
    """`zero` makes the kind's empty object, in the resource's version."""
    key = resource.api_version, resource.plural, subresource
    known = _trackers.get(key)
    if known is None:
        from kctl.apimachinery.field_ownership import builtin_fields

        found = builtin_fields.field_type(resource.api_version, resource.kind)
        known = _trackers[key] = Tracker(KindForm(resource, subresource, found, zero(), has_status), subresource)
    return known


def preload() -> None:
    """Import what the first change of a shape needs; for a thread."""
    for name in ("managers", "builtin_fields"):
        import_module(f"kctl.apimachinery.field_ownership.{name}")
    import_module("kctl.kube_apiserver.registry.reset_fields")
