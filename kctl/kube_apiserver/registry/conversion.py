"""The seam for a resource that is served in several versions but stored in one.

Most versions of a resource have the same schema and differ only in apiVersion; nothing is listed here for them. A resource whose
versions differ has a module with

    STORAGE_API_VERSION: str                                  what is stored, e.g. "autoscaling/v2"
    def to_storage(obj: Object, api_version: str) -> Object   from the version a client sent
    def from_storage(obj: Object, api_version: str) -> Object for the version a client asked for

and may have FIELD_LABELS, names of selectable fields in other versions: {"events.k8s.io/v1": {"regarding.kind":
"involvedObject.kind"}}. Both get and return values (new dicts, shared parts allowed) and set apiVersion. A resource may
also be stored with another group's (`STORED_AS`): events.k8s.io events are core events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType

_PACKAGE = "kctl.kube_apiserver.registry"
_MODULES: dict[tuple[str, str], str] = {
    ("autoscaling", "horizontalpodautoscalers"): "autoscaling.conversion",
    ("", "events"): "events.conversion",
    ("events.k8s.io", "events"): "events.conversion",
}
STORED_AS: dict[tuple[str, str], tuple[str, str]] = {("events.k8s.io", "events"): ("", "events")}


@dataclass(frozen=True, slots=True)
class Conversion:
    """`storage_api_version` and the functions between it and every served version."""

    storage_api_version: str
    to_storage: Callable[[Object, str], Object]
    from_storage: Callable[[Object, str], Object]
    field_labels: Mapping[str, Mapping[str, str]]


@cache
def _module(name: str) -> Conversion | None:
    if find_spec(f"{_PACKAGE}.{name}") is None:
        return None
    module = import_module(f"{_PACKAGE}.{name}")
    return Conversion(module.STORAGE_API_VERSION, module.to_storage, module.from_storage, getattr(module, "FIELD_LABELS", {}))


def conversion_for(resource: ResourceType) -> Conversion | None:
    """None where every version has the same schema."""
    name = _MODULES.get((resource.group, resource.plural))
    return _module(name) if name else None


def storage_group(resource: ResourceType) -> tuple[str, str]:
    """(group, plural) under which a resource is stored."""
    return STORED_AS.get((resource.group, resource.plural), (resource.group, resource.plural))
