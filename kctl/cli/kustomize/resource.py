"""One object on its way through a kustomization: the object itself, what it was called before, and who refers to it.

kustomize tells objects apart by group, version, kind, namespace and name, and finds one by any of the names it has had: a patch in an
overlay names the object as its base does. So every change of a name or namespace is noted here first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object, deep_copy
from kctl.cli.errors import CommandError

_NO_NAMESPACE = "_non_namespaceable_"
_DEFAULT = "default"

_CLUSTER_SCOPED = frozenset(
    f"{group}/{kind}"
    for group, kinds in {
        "": "ComponentStatus Namespace Node PersistentVolume",
        "admissionregistration.k8s.io": "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        "apiextensions.k8s.io": "CustomResourceDefinition",
        "apiregistration.k8s.io": "APIService",
        "authentication.k8s.io": "TokenReview",
        "authorization.k8s.io": "SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview",
        "certificates.k8s.io": "CertificateSigningRequest",
        "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
        "internal.apiserver.k8s.io": "StorageVersion",
        "networking.k8s.io": "IngressClass",
        "node.k8s.io": "RuntimeClass",
        "policy": "PodSecurityPolicy",
        "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
        "scheduling.k8s.io": "PriorityClass",
        "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment",
    }.items()
    for kind in kinds.split()
)
"""The kinds that kustomize knows to have no namespace: those of the API (1.21) whose description it carries. It takes every other
kind, a newer built-in one too, for namespaced."""

_NOT_YET = frozenset(
    {("flowcontrol.apiserver.k8s.io", "v1"), ("flowcontrol.apiserver.k8s.io", "v1beta2"), ("flowcontrol.apiserver.k8s.io", "v1beta3")}
)
"""Versions of those groups that are younger."""


class Gvk(NamedTuple):
    group: str = ""
    version: str = ""
    kind: str = ""

    @classmethod
    def of(cls, obj: Object) -> Gvk:
        return cls(*split_api_version(str(obj.get("apiVersion") or "")), str(obj.get("kind") or ""))

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_cluster_scoped(self) -> bool:
        return f"{self.group}/{self.kind}" in _CLUSTER_SCOPED and (self.group, self.version) not in _NOT_YET and bool(self.version)

    def is_selected(self, selector: Gvk) -> bool:
        """Empty parts of the selector match anything."""
        return all(not wanted or own == wanted for own, wanted in zip(self, selector, strict=True))

    def __str__(self) -> str:
        return f"{self.kind or '[noKind]'}.{self.version or '[noVer]'}.{self.group or '[noGrp]'}"


def split_api_version(text: str) -> tuple[str, str]:
    """apps/v1 -> (apps, v1)"""
    group, slash, version = text.partition("/")
    if slash:
        return group, version
    return ("builtin", "") if text == "builtin" else ("", text)


class ResourceId(NamedTuple):
    gvk: Gvk
    name: str
    namespace: str

    @property
    def effective_namespace(self) -> str:
        if self.gvk.is_cluster_scoped:
            return _NO_NAMESPACE
        return self.namespace or _DEFAULT

    def equals(self, other: ResourceId) -> bool:
        return (self.name, self.gvk, self.effective_namespace) == (other.name, other.gvk, other.effective_namespace)

    def is_selected_by(self, gvk: Gvk, name: str, namespace: str) -> bool:
        """Empty parts match anything."""
        if name and name != self.name:
            return False
        return (not namespace or ResourceId(gvk, name, namespace).effective_namespace == self.effective_namespace) and self.gvk.is_selected(
            gvk
        )

    def __str__(self) -> str:
        return f"{self.gvk}/{self.name or '[noName]'}.{self.namespace or '[noNs]'}"


class Resource:
    """`object` belongs to it alone and is changed in place. `behavior` ('create', 'merge', 'replace') and `needs_hash` are a
    generator's; `origin` and `transformations` are kept for buildMetadata only."""

    def __init__(self, obj: Object) -> None:
        self.object = obj
        self.previous: list[tuple[str, str, str]] = []
        """(namespace, name, kind), the oldest first."""
        self.prefixes: list[str] = []
        self.suffixes: list[str] = []
        self.behavior = ""
        self.needs_hash = False
        self.name_change_allowed = False
        self.kind_change_allowed = False
        self.variable_names: list[str] = []
        self.origin: dict[str, Any] | None = None
        self.transformations: list[dict[str, Any]] = []

    def copy(self) -> Resource:
        copied = Resource(deep_copy(self.object))
        for name, value in vars(self).items():
            if name != "object":
                setattr(copied, name, list(value) if isinstance(value, list) else value)
        return copied

    @property
    def metadata(self) -> dict[str, Any]:
        found = self.object.get("metadata")
        return found if isinstance(found, dict) else {}

    @property
    def name(self) -> str:
        return str(self.metadata.get("name") or "")

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace") or "")

    @property
    def kind(self) -> str:
        return str(self.object.get("kind") or "")

    @property
    def gvk(self) -> Gvk:
        return Gvk.of(self.object)

    @property
    def id(self) -> ResourceId:
        """As it is called now; one of a kind in a ResourceMap."""
        return ResourceId(self.gvk, self.name, self.namespace)

    @property
    def previous_ids(self) -> list[ResourceId]:
        group, version, _ = self.gvk
        return [ResourceId(Gvk(group, version, kind), name, namespace) for namespace, name, kind in self.previous]

    @property
    def original_id(self) -> ResourceId:
        return self.previous_ids[0] if self.previous else self.id

    def remember_id(self) -> None:
        """Before a change of name, namespace or kind."""
        now = self.id
        self.previous.append((now.effective_namespace, now.name, now.gvk.kind))

    def strings(self, field: str) -> dict[str, str]:
        """metadata.labels or metadata.annotations."""
        found = self.metadata.get(field)
        return {key: "" if value is None else str(value) for key, value in found.items()} if isinstance(found, dict) else {}

    def set_strings(self, field: str, values: dict[str, str]) -> None:
        """An empty map goes."""
        self.set_metadata(field, values or None)

    def set_metadata(self, field: str, value: Any) -> None:
        """None or '' removes the field."""
        if not isinstance(self.object.get("metadata"), dict):
            self.object["metadata"] = {}
        if value is None or value == "":
            self.object["metadata"].pop(field, None)
        else:
            self.object["metadata"][field] = value


def same_ending(left: list[str], right: list[str]) -> bool:
    """Whether the shorter is how the longer ends."""
    shorter = min(len(left), len(right))
    return (shorter == 0 and len(left) == len(right)) or (shorter > 0 and left[-shorter:] == right[-shorter:])


class ResourceMap:
    """The objects of a kustomization in order; no two with the same present id."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self.resources: list[Resource] = []
        for resource in resources:
            self.append(resource)

    def append(self, resource: Resource) -> None:
        """Raises CommandError where there is one of that id."""
        if any(resource.id.equals(other.id) for other in self.resources):
            raise CommandError(f"may not add resource with an already registered id: {resource.id}")
        self.resources.append(resource)

    def append_all(self, other: ResourceMap) -> None:
        for resource in other.resources:
            self.append(resource)

    def by_any_id(self, wanted: ResourceId) -> list[Resource]:
        """Those that are called that or ever were."""
        return [one for one in self.resources if one.object and any(wanted.equals(known) for known in (*one.previous_ids, one.id))]

    def one_by_any_id(self, wanted: ResourceId) -> Resource:
        found = self.by_any_id(wanted)
        if len(found) == 1:
            return found[0]
        problem = "multiple matches" if found else "no matches"
        raise CommandError(f"{problem} for Id {wanted}; failed to find unique target for patch {wanted}")

    def drop_empty(self) -> None:
        """What a patch deleted."""
        self.resources = [resource for resource in self.resources if resource.object]
