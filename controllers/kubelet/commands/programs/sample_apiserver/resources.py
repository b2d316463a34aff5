"""wardle.example.com/v1alpha1: what its resources are, which fields their objects have, and how discovery tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import field_errors, names, status
from kctl.apimachinery.objects import Object

GROUP, VERSION = "wardle.example.com", "v1alpha1"
GROUP_VERSION = f"{GROUP}/{VERSION}"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_METADATA = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
_MAPS = ("labels", "annotations")
_LISTS = ("ownerReferences", "finalizers", "managedFields")


@dataclass(frozen=True, slots=True)
class Resource:
    plural: str
    kind: str
    namespaced: bool

    @property
    def singular(self) -> str:
        return self.kind.lower()


FISCHERS = Resource("fischers", "Fischer", False)
FLUNDERS = Resource("flunders", "Flunder", True)
ALL = (FISCHERS, FLUNDERS)


def find(plural: str) -> Resource | None:
    return next((each for each in ALL if each.plural == plural), None)


def decoded(resource: Resource, body: Any) -> Object:
    """With the fields that the kind has, as its type would hold them. Raises BadRequest."""
    if not isinstance(body, dict):
        raise status.bad_request(f"couldn't get version/kind; json parse error: json: cannot unmarshal into {resource.kind}")
    kind, version = body.get("kind", resource.kind), body.get("apiVersion", GROUP_VERSION)
    if (kind, version) != (resource.kind, GROUP_VERSION):
        said = f"{version}, Kind={kind}"
        message = f'{resource.kind} in version "{VERSION}" cannot be handled as a {resource.kind}: the object is of {said}'
        raise status.bad_request(message)
    meta = _part(resource, body, "metadata")
    for name in (*_MAPS, *_LISTS):
        if meta.get(name) is not None and not isinstance(meta[name], dict if name in _MAPS else list):
            raise _not_decoded(resource, f"metadata.{name}")
    kept = {name: meta[name] for name in _METADATA if meta.get(name) not in (None, "", {}, [])}
    made: Object = {"kind": resource.kind, "apiVersion": GROUP_VERSION, "metadata": kept}
    if resource is FISCHERS:
        banned = body.get("disallowedFlunders")
        if banned is not None and not (isinstance(banned, list) and all(isinstance(each, str) for each in banned)):
            raise _not_decoded(resource, "disallowedFlunders")
        return {**made, **({"disallowedFlunders": banned} if banned else {})}
    spec = _part(resource, body, "spec")
    fields = {name: spec[name] for name in ("flunderReference", "fischerReference", "referenceType") if spec.get(name)}
    wrong = next((name for name, value in fields.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise _not_decoded(resource, f"spec.{wrong}")
    return {**made, "spec": fields, "status": {}}


def _part(resource: Resource, body: Object, name: str) -> Object:
    found = body.get(name) or {}
    if not isinstance(found, dict):
        raise _not_decoded(resource, name)
    return found


def _not_decoded(resource: Resource, where: str) -> status.BadRequest:
    why = f"json: cannot unmarshal the value of {where}"
    return status.bad_request(f'{resource.kind} in version "{VERSION}" cannot be handled as a {resource.kind}: {why}')


def validate(resource: Resource, obj: Object) -> None:
    """Raises Invalid."""
    name = str(obj["metadata"].get("name") or "")
    found = [field_errors.invalid("metadata.name", name, why) for why in names.path_segment_name(name)]
    if not name:
        found.append(field_errors.required("metadata.name", "name or generateName is required"))
    if resource is FLUNDERS:
        spec = obj["spec"]
        kind = spec.get("referenceType", "")
        if kind not in ("", "Flunder", "Fischer"):
            found.append(field_errors.unsupported("spec.referenceType", kind, ["Flunder", "Fischer"]))
        elif kind and not spec.get(f"{kind.lower()}Reference"):
            found.append(field_errors.required(f"spec.{kind.lower()}Reference", ""))
    if found:
        raise status.invalid(GROUP, resource.kind, name, found)


def group_document() -> Object:
    version = {"groupVersion": GROUP_VERSION, "version": VERSION}
    return {"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version}


def group_list() -> Object:
    group = {name: value for name, value in group_document().items() if name not in ("kind", "apiVersion")}
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]}


def resource_list() -> Object:
    rows = [
        {"name": each.plural, "singularName": each.singular, "namespaced": each.namespaced, "kind": each.kind, "verbs": _VERBS}
        for each in ALL
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": rows}
