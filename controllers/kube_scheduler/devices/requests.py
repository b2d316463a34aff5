"""What a claim asks for: its requests with their alternatives, and the constraints on what is chosen together. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controllers.runtime import resource_claims
from controllers.runtime.device_pools import Device
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_KINDS = ("string", "int", "bool", "version", "strings", "ints", "bools", "versions")
Classes = Callable[[str], Object | None]


class Unallocatable(Exception):
    """Something is wrong with a claim or a class, or cannot be decided now: no node is better than another."""


@dataclass(frozen=True, slots=True, eq=False)
class Alternative:
    """One way to meet a request. `name` is the request's, with the subrequest's behind a slash where it is one of several."""

    name: str
    detail: Object
    device_class: Object

    @property
    def wants_all(self) -> bool:
        return bool(self.detail.get("allocationMode") == "All")

    @property
    def count(self) -> int:
        return int(self.detail.get("count") or 1)

    @property
    def admin_access(self) -> bool:
        return bool(self.detail.get("adminAccess"))

    @property
    def capacity(self) -> Mapping[str, str]:
        return (self.detail.get("capacity") or {}).get("requests") or {}

    def tolerates(self, device: Device) -> bool:
        """Every taint that keeps pods away."""
        taints = [taint for taint in device.body.get("taints") or () if taint.get("effect") in ("NoSchedule", "NoExecute")]
        return all(any(resource_claims.tolerates(each, taint) for each in self.detail.get("tolerations") or ()) for taint in taints)


def alternatives(claim: Object, request: Object, classes: Classes) -> list[Alternative]:
    """In the order of preference. Raises Unallocatable where a class is not there."""
    name, found = str(request["name"]), []
    details = [(name, request["exactly"])] if request.get("exactly") is not None else []
    details += [(f"{name}/{each['name']}", each) for each in request.get("firstAvailable") or ()]
    for full_name, detail in details:
        class_name = str(detail["deviceClassName"])
        device_class = classes(class_name)
        if device_class is None:
            raise Unallocatable(f"request {full_name}: device class {class_name} does not exist")
        found.append(Alternative(full_name, detail, device_class))
    if not found:
        raise Unallocatable(f"claim {objects.key(claim)}, request {name}: unsupported request type")
    return found


class Constraint:
    """All devices of some requests have one value of an attribute (matchAttribute), or each another (distinctAttribute)."""

    def __init__(self, body: Object) -> None:
        self._requests = frozenset(body.get("requests") or ())
        self._is_distinct = body.get("distinctAttribute") is not None
        self._attribute = str(body.get("distinctAttribute") or body.get("matchAttribute"))
        self._values: list[Any] = []

    def _concerns(self, request: str) -> bool:
        return not self._requests or request in self._requests or request.partition("/")[0] in self._requests

    def add(self, request: str, device: Device) -> bool:
        """Whether it may come to those that are chosen; then it is one of them, until `remove`."""
        if not self._concerns(request):
            return True
        value = _value(device, self._attribute)
        if value is None or (self._values and (value in self._values) == self._is_distinct):
            return False
        self._values.append(value)
        return True

    def remove(self, request: str) -> None:
        if self._concerns(request):
            self._values.pop()


def _value(device: Device, name: str) -> tuple[str, Any] | None:
    attributes = device.body.get("attributes") or {}
    domain, _, identifier = name.partition("/")
    entry = attributes.get(name) or (attributes.get(identifier) if domain == device.id.driver else None)
    if entry is None:
        return None
    return next(((kind, entry[kind]) for kind in _KINDS if entry.get(kind) is not None), None)


def constraints(claim: Object) -> Sequence[Constraint]:
    return [Constraint(each) for each in (objects.spec(claim).get("devices") or {}).get("constraints") or ()]
