"""Checks shared by the validation of many kinds: enumerations, ranges, immutable fields, names of references.

Each returns a list of findings, empty when all is well. Paths and wording are upstream's.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors, labels, names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.patch_meta import identity

IMMUTABLE = "field is immutable"
NOT_NEGATIVE = "must be greater than or equal to 0"


def enum(path: str, value: Any, supported: Sequence[str]) -> list[FieldError]:
    """The value is one of `supported` (printed in that order)."""
    return [] if value in supported else [field_errors.unsupported(path, value, supported)]


def required_enum(path: str, value: Any, supported: Sequence[str], detail: str = "") -> list[FieldError]:
    """As `enum`, but a missing value is `Required value`."""
    return enum(path, value, supported) if value else [field_errors.required(path, detail)]


def required(path: str, value: Any, detail: str = "") -> list[FieldError]:
    return [] if value else [field_errors.required(path, detail)]


def non_negative(path: str, value: int | None) -> list[FieldError]:
    return [field_errors.invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def immutable(path: str, new: Any, old: Any) -> list[FieldError]:
    """Absent, null and empty count as equal, as they do in Go."""
    return [] if same(new, old) else [field_errors.invalid(path, new, IMMUTABLE)]


def same(new: Any, old: Any) -> bool:
    return bool(new == old or (not new and not old and not isinstance(new, bool) and not isinstance(old, bool)))


def required_name(path: str, value: str | None, rule: Callable[[str], list[str]], detail: str = "") -> list[FieldError]:
    """A reference's name: required, then valid by `rule`."""
    if not value:
        return [field_errors.required(path, detail)]
    return names.errors(path, value, rule)


def unique(path: str, values: Iterable[Any]) -> list[FieldError]:
    """`Duplicate value` for each repetition, at its index."""
    listed = list(values)
    again = enumerate(repeated(listed))
    return [field_errors.duplicate(f"{path}[{index}]", listed[index]) for index, is_again in again if is_again]


def resource_name(path: str, name: str) -> list[FieldError]:
    """A compute resource's name: qualified; without a domain only the standard ones."""
    errors = names.errors(path, name, labels.validate_key)
    if not errors and "/" not in name and name not in STANDARD_RESOURCES and not is_huge_page(name):
        errors.append(field_errors.invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def is_huge_page(name: str) -> bool:
    return name.startswith(("hugepages-", "requests.hugepages-"))


def is_counted(name: str) -> bool:
    """Measured in whole numbers: objects, and extended resources (those of somebody's domain)."""
    extended = "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")
    return name in INTEGER_RESOURCES or (extended and not labels.validate_key(f"requests.{name}"))


STANDARD_RESOURCES = frozenset(
    {
        "cpu",
        "memory",
        "ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "storage",
        "requests.storage",
        "services.nodeports",
        "services.loadbalancers",
    }
)
INTEGER_RESOURCES = frozenset(
    {
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
        "services.nodeports",
        "services.loadbalancers",
    }
)


def non_negative_quantity(path: str, value: Any) -> list[FieldError]:
    if quantity.parse(value) >= 0:
        return []
    return [field_errors.invalid(path, quantity.canonical(value), NOT_NEGATIVE)]


def positive_quantity(path: str, value: Any) -> list[FieldError]:
    if quantity.parse(value) > 0:
        return []
    return [field_errors.invalid(path, quantity.canonical(value), "must be greater than zero")]


def basic_quantity(path: str, value: Any) -> list[FieldError]:
    """Not negative, in the words and with the rounded number that capacities of volumes are refused with."""
    parsed = quantity.parse(value)
    if parsed >= 0:
        return []
    return [field_errors.invalid(path, -math.ceil(-parsed), "must be a valid resource quantity")]


def resource_value(path: str, name: str, value: Any) -> list[FieldError]:
    """A quantity of a named resource: not negative, whole where the resource is counted."""
    errors = non_negative_quantity(path, value)
    if is_counted(name) and quantity.milli(value) % 1000 != 0:
        errors.append(field_errors.invalid(path, quantity.canonical(value), "must be an integer"))
    return errors


def keep_metadata(obj: dict[str, Any], old: dict[str, Any]) -> None:
    """For kinds whose /status leaves labels, annotations, finalizers and owners as they were (ResetObjectMetaForStatus)."""
    for name in ("labels", "annotations", "finalizers", "ownerReferences", "deletionTimestamp", "generation"):
        if name in old["metadata"]:
            obj["metadata"][name] = old["metadata"][name]
        else:
            obj["metadata"].pop(name, None)


def annotations_size(annotations: Mapping[str, str] | None) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in (annotations or {}).items())


def base64_size(value: str) -> int:
    """Bytes of a []byte field as JSON carries it."""
    return len(value) * 3 // 4 - value.count("=")


def base64_text(value: str | None) -> str:
    try:
        return base64.b64decode(value or "").decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""


def repeated(values: Sequence[Any]) -> Iterator[bool]:
    """For each value whether an equal one (as JSON) stands before it; in one pass, however many there are."""
    seen: set[Any] = set()
    for value in values:
        key = identity(value)
        yield key in seen
        seen.add(key)
