"""The seam for a resource that is served in several versions but stored in one.

Most versions of a resource have the same schema and differ only in apiVersion; nothing is listed here for them. A resource whose
versions differ has a module, which is imported when something is first converted, with

    def to_storage(obj: Object, api_version: str) -> Object   from the version a client sent
    def from_storage(obj: Object, api_version: str) -> Object for the version a client asked for

and may have FIELD_LABELS, names of selectable fields in other versions: {"events.k8s.io/v1": {"regarding.kind":
"involvedObject.kind"}}. Both get and return values (new dicts, shared parts allowed) and set apiVersion. A resource may
also be stored with another group's (`STORED_AS`): events.k8s.io events are core events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType

_PACKAGE = "kctl.kube_apiserver.registry"
_MODULES: dict[tuple[str, str], tuple[str, str]] = {
    ("autoscaling", "horizontalpodautoscalers"): ("autoscaling.conversion", "autoscaling/v2"),
    ("", "events"): ("events.conversion", "v1"),
    ("events.k8s.io", "events"): ("events.conversion", "v1"),
}
"""The module, and the version that is stored."""
STORED_AS: dict[tuple[str, str], tuple[str, str]] = {("events.k8s.io", "events"): ("", "events")}


@dataclass(frozen=True, slots=True)
class Conversion:
    """Between `storage_api_version` and every served version. `load` imports what the others need."""

    _name: str
    storage_api_version: str

    def load(self) -> None:
        _module(self._name)

    def to_storage(self, obj: Object, api_version: str) -> Object:
        return _module(self._name).to_storage(obj, api_version)  # type: ignore[no-any-return]

    def from_storage(self, obj: Object, api_version: str) -> Object:
        return _module(self._name).from_storage(obj, api_version)  # type: ignore[no-any-return]

    @property
    def field_labels(self) -> Mapping[str, Mapping[str, str]]:
        return getattr(_module(self._name), "FIELD_LABELS", {})


@cache
def _module(name: str) -> Any:
    return import_module(f"{_PACKAGE}.{name}")


def conversion_for(resource: ResourceType) -> Conversion | None:
    """None where every version has the same schema."""
    modules = _MODULES.get((resource.group, resource.plural))
    return Conversion(*modules) if modules else None


def storage_group(resource: ResourceType) -> tuple[str, str]:
    """(group, plural) under which a resource is stored."""
    return STORED_AS.get((resource.group, resource.plural), (resource.group, resource.plural))
