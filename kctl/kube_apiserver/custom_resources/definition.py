"""A CustomResourceDefinition as the server acts on it: which resource types it makes, and what each version says of itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, Subresource
from kctl.kube_apiserver.registry.apiextensions.custom_resource_definition import CLEANUP_FINALIZER as CLEANUP_FINALIZER

VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""In the order in which discovery lists them."""
_TERMINATING_VERBS = ("delete", "deletecollection", "get", "list", "watch")
_CHANGING = ("get", "patch", "update")
_KUBE_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STABILITY = {"": 2, "beta": 1, "alpha": 0}


def version_priority(name: str) -> tuple[Any, ...]:
    """A sort key: v2, v1, v2beta1, v1beta1, v1alpha1, then all others by name (apimachinery's CompareKubeAwareVersionStrings)."""
    found = _KUBE_VERSION.fullmatch(name)
    if found is None:
        return (1, name)
    return (0, -_STABILITY[found[2] or ""], -int(found[1]), -int(found[3] or 0))


class Definition:
    """One definition at one revision. Never changed."""

    def __init__(self, obj: Object) -> None:
        self.object = obj
        spec, status = objects.spec(obj), objects.status(obj)
        self.name = objects.name(obj)
        self.group: str = spec["group"]
        self.namespaced = spec.get("scope") == "Namespaced"
        self.names: dict[str, Any] = status.get("acceptedNames") or {}
        self.plural: str = self.names.get("plural") or ""
        self.kind: str = self.names.get("kind") or ""
        self.versions: list[dict[str, Any]] = spec.get("versions") or []
        self.conversion: dict[str, Any] = spec.get("conversion") or {}
        self.terminating = objects.is_condition_true(obj, "Terminating")
        self.storage_version = next((str(version["name"]) for version in self.versions if version.get("storage")), "")

    @property
    def served(self) -> bool:
        """Whether its API exists: its names are its own, and complete."""
        return objects.is_condition_true(self.object, "Established") and bool(self.plural and self.kind)

    @property
    def list_kind(self) -> str:
        return self.names.get("listKind") or f"{self.kind}List"

    def served_versions(self) -> list[dict[str, Any]]:
        return [version for version in self.versions if version.get("served")]

    def resource(self, version: dict[str, Any]) -> ResourceType:
        """What discovery shows of one version."""
        names = self.names
        return ResourceType(
            self.group,
            version["name"],
            self.kind,
            self.plural,
            self.namespaced,
            names.get("singular") or "",
            _TERMINATING_VERBS if self.terminating else VERBS,
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
            tuple(_subresources(version, self.kind)),
            self.storage_version,
        )

    def warnings(self, version: dict[str, Any]) -> Sequence[str]:
        """What every request on a deprecated version is told."""
        if not version.get("deprecated"):
            return ()
        given = version.get("deprecationWarning")
        if given is not None:
            return (str(given),)
        own, kind = version["name"], self.kind
        text = f"{self.group}/{own} {kind} is deprecated"
        newer = [
            other["name"]
            for other in self.served_versions()
            if not other.get("deprecated") and version_priority(other["name"]) < version_priority(own)
        ]
        if newer:
            text += f"; use {self.group}/{min(newer, key=version_priority)} {kind}"
        return (text,)

    def stores_as(self, other: Definition) -> bool:
        """Whether objects are read and written in the same way: the versions, their schemas and their conversion are the same."""
        mine, others = objects.spec(self.object), objects.spec(other.object)
        return (mine is others or mine == others) and objects.uid(self.object) == objects.uid(other.object)

    def serves_as(self, other: Definition) -> bool:
        """Whether what is served stays as it is: nothing but conditions and metadata has changed."""
        return self.stores_as(other) and self.names == other.names and self.terminating == other.terminating and self.served == other.served


def _subresources(version: dict[str, Any], kind: str) -> list[Subresource]:
    given = version.get("subresources") or {}
    found = []
    if given.get("status") is not None:
        found.append(Subresource("status", kind, "", "", _CHANGING))
    if given.get("scale") is not None:
        found.append(Subresource("scale", "Scale", "autoscaling", "v1", _CHANGING))
    return found
