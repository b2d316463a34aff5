"""metadata.managedFields as it is on the wire, to and from sets of fields by manager (apimachinery's DecodeManagedFields)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kctl.apimachinery.field_ownership import paths
from kctl.apimachinery.field_ownership.sets import LEAF, SELF, FieldSet

APPLY, UPDATE = "Apply", "Update"


class Manager(NamedTuple):
    """Who an entry belongs to. One that applies is the same in every version ('')."""

    name: str
    operation: str
    api_version: str
    subresource: str

    def text(self) -> str:
        """As messages name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


class Owned(NamedTuple):
    """What a manager owns. `time` is RFC 3339, '' where there is none."""

    fields: FieldSet
    api_version: str
    time: str


Managed = Mapping[Manager, Owned]
"""Every manager of one object. A value: who changes something makes a new one."""


def manager(name: str, operation: str, api_version: str, subresource: str) -> Manager:
    return Manager(name or "unknown", operation, "" if operation == APPLY else api_version, subresource)


def decode(entries: Sequence[Mapping[str, Any]]) -> dict[Manager, Owned]:
    """Raises ValueError for entries that are none."""
    found: dict[Manager, Owned] = {}
    for entry in entries:
        operation, api_version = entry.get("operation") or "", entry.get("apiVersion") or ""
        if operation not in (APPLY, UPDATE):
            raise ValueError("operation must be `Apply` or `Update`")
        if not api_version:
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise ValueError("the fieldsType must be FieldsV1")
        who = Manager(entry.get("manager") or "", operation, "" if operation == APPLY else api_version, entry.get("subresource") or "")
        found[who] = Owned(read_fields(entry.get("fieldsV1") or {}), api_version, entry.get("time") or "")
    return found


def read_fields(given: Mapping[str, Any], *, root: bool = True) -> FieldSet:
    """FieldsV1 as a client wrote it. Raises ValueError."""
    out: FieldSet = {}
    for element, below in given.items():
        if element == SELF:
            if not root:
                out[SELF] = LEAF
            continue
        if not isinstance(below, dict):
            raise ValueError("FieldsV1 is made of maps")
        out[paths.normalized(element)] = read_fields(below, root=False) if below else LEAF
    if len(out) == 1 and SELF in out:
        return LEAF
    return out


def encode(managed: Managed) -> list[dict[str, Any]]:
    """In upstream's order: appliers first, the oldest first, then by name."""
    return [entry(who, owned) for who, owned in ordered(managed)]


def ordered(managed: Managed) -> list[tuple[Manager, Owned]]:
    return sorted(managed.items(), key=_order)


def _order(pair: tuple[Manager, Owned]) -> tuple[str, ...]:
    who, owned = pair
    return who.operation, owned.time, who.name, owned.api_version, who.subresource


def entry(who: Manager, owned: Owned) -> dict[str, Any]:
    """Fields in the order of Go's struct."""
    shown: dict[str, Any] = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    if owned.time:
        shown["time"] = owned.time
    shown |= {"fieldsType": "FieldsV1", "fieldsV1": owned.fields}
    if who.subresource:
        shown["subresource"] = who.subresource
    return shown
