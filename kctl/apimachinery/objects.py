"""Reading Kubernetes objects, which are plain dicts and are values.

Nobody mutates an object that came from the API, a cache or a watch; a change makes a new dict that shares what did
not change (`with_metadata`, `with_status`, `replace`). So every part of the daemon can hold the same copy.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]
Condition = dict[str, Any]
_SCALARS = frozenset((str, int, bool, float, type(None)))

_EMPTY: Mapping[str, Any] = {}


def metadata(obj: Object) -> dict[str, Any]:
    """The metadata, {} where there is none. Not to be written to."""
    return obj.get("metadata") or {}


def name(obj: Object) -> str:
    return str((obj.get("metadata") or _EMPTY).get("name") or "")  # these are asked for several times a change: no call for metadata()


def namespace(obj: Object) -> str:
    """'' for cluster-scoped objects."""
    return str((obj.get("metadata") or _EMPTY).get("namespace") or "")


def uid(obj: Object) -> str:
    return str((obj.get("metadata") or _EMPTY).get("uid") or "")


def key(obj: Object) -> str:
    """'namespace/name', or 'name' for cluster-scoped objects, as client-go's MetaNamespaceKeyFunc."""
    meta = obj["metadata"]
    space = meta.get("namespace")
    return f"{space}/{meta['name']}" if space else str(meta["name"])


def split_key(value: str) -> tuple[str, str]:
    """The inverse of `key`: (namespace, name)."""
    space, _, rest = value.rpartition("/")
    return space, rest


def labels(obj: Object) -> Mapping[str, str]:
    return (obj.get("metadata") or _EMPTY).get("labels") or _EMPTY


def annotations(obj: Object) -> Mapping[str, str]:
    return (obj.get("metadata") or _EMPTY).get("annotations") or _EMPTY


def resource_version(obj: Object) -> str:
    return str((obj.get("metadata") or _EMPTY).get("resourceVersion") or "")


def generation(obj: Object) -> int:
    return int(metadata(obj).get("generation") or 0)


def deletion_timestamp(obj: Object) -> str:
    """RFC 3339, '' while the object is not being deleted."""
    return str((obj.get("metadata") or _EMPTY).get("deletionTimestamp") or "")


def finalizers(obj: Object) -> list[str]:
    return list(metadata(obj).get("finalizers") or ())


def owner_references(obj: Object) -> list[dict[str, Any]]:
    return metadata(obj).get("ownerReferences") or []


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference with controller: true, as metav1.GetControllerOf."""
    for reference in owner_references(obj):
        if reference.get("controller"):
            return reference
    return None


def spec(obj: Object) -> dict[str, Any]:
    return obj.get("spec") or {}


def status(obj: Object) -> dict[str, Any]:
    return obj.get("status") or {}


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """The entry of status.conditions whose type is `kind`."""
    for candidate in status(obj).get("conditions") or ():
        if candidate.get("type") == kind:
            return dict(candidate)
    return None


def is_condition_true(obj: Object, kind: str) -> bool:
    present = condition(obj, kind)
    return present is not None and present.get("status") == "True"


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((candidate for candidate in conditions if candidate["type"] == kind), None)


def with_condition(conditions: Iterable[Condition], condition: Condition) -> list[Condition]:
    """`condition` in the place of the one of its type, else at the end. Its lastTransitionTime is kept where the status is the same."""
    replaced, placed = [], False
    for present in conditions:
        if present["type"] != condition["type"]:
            replaced.append(present)
        elif not placed:
            same = present.get("status") == condition["status"] and present.get("lastTransitionTime")
            replaced.append({**condition, "lastTransitionTime": present["lastTransitionTime"]} if same else condition)
            placed = True
    return replaced if placed else [*replaced, condition]


def without_condition(conditions: Iterable[Condition], kind: str) -> list[Condition]:
    return [kept for kept in conditions if kept["type"] != kind]


def replace(obj: Object, **top_level: Any) -> Object:
    """A new object with these top-level fields replaced; everything else is shared."""
    return {**obj, **top_level}


def with_metadata(obj: Object, **changes: Any) -> Object:
    """A new object with metadata fields changed; a value of None removes the field."""
    meta = {**metadata(obj), **changes}
    for field, value in changes.items():
        if value is None:
            del meta[field]
    return {**obj, "metadata": meta}


def with_status(obj: Object, **changes: Any) -> Object:
    """A new object with status fields changed; a value of None removes the field."""
    new = {**status(obj), **changes}
    for field, value in changes.items():
        if value is None:
            del new[field]
    return {**obj, "status": new}


def deep_copy(value: Any) -> Any:
    """A private copy of JSON data, several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {k: v if v.__class__ in _SCALARS else deep_copy(v) for k, v in value.items()}
    if isinstance(value, list):
        return [v if v.__class__ in _SCALARS else deep_copy(v) for v in value]
    return value
