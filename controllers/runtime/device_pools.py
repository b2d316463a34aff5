"""Devices as ResourceSlices publish them: which pools there are, and which of their devices a node has (structured/pools.go).

Slices of an older generation than the newest of their pool are not there any more. A pool is incomplete while slices of its newest
generation are missing, and invalid where two of its devices have one name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from controllers.runtime.node_affinity import selector_matches
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class DeviceId(NamedTuple):
    driver: str
    pool: str
    device: str

    @classmethod
    def of_result(cls, result: Object) -> DeviceId:
        return cls(str(result["driver"]), str(result["pool"]), str(result["device"]))


@dataclass(slots=True, eq=False)
class Pool:
    driver: str
    name: str
    slices: list[Object] = field(default_factory=list)
    is_incomplete: bool = False
    is_invalid: bool = False
    devices: dict[str, Device] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.driver}/{self.name}"

    def counters(self) -> Iterator[tuple[str, str, str]]:
        """(set, counter, quantity) of all that its devices share."""
        for each in self.slices:
            for shared in objects.spec(each).get("sharedCounters") or ():
                for name, counter in (shared.get("counters") or {}).items():
                    yield str(shared["name"]), name, str(counter["value"])


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """`body` is the slice's entry, with the taints of DeviceTaintRules."""

    id: DeviceId
    body: Object
    place: Object
    """Where it can be used: nodeName, nodeSelector or allNodes of its slice, or its own."""
    pool: Pool

    @property
    def is_shared(self) -> bool:
        return bool(self.body.get("allowMultipleAllocations"))

    def is_on(self, node: str, node_labels: Mapping[str, str]) -> bool:
        if self.place.get("nodeName"):
            return bool(self.place["nodeName"] == node)
        if self.place.get("allNodes"):
            return True
        selector = self.place.get("nodeSelector")
        return selector is not None and selector_matches(selector, node_labels, node)


class Inventory:
    """All devices of the cluster at one time."""

    def __init__(self, slices: Iterable[Object], taint_rules: Iterable[Object] = ()) -> None:
        self.pools: dict[tuple[str, str], Pool] = {}
        self._local: dict[str, list[Device]] = {}
        self._elsewhere: list[Device] = []
        rules = [objects.spec(rule) for rule in sorted(taint_rules, key=objects.name)]
        for each in sorted(slices, key=objects.name):
            self._add(each)
        for key in sorted(self.pools):
            self._fill(self.pools[key], rules)

    def _add(self, resource_slice: Object) -> None:
        spec = objects.spec(resource_slice)
        key = str(spec["driver"]), str(spec["pool"]["name"])
        pool = self.pools.setdefault(key, Pool(*key))
        newest = int(objects.spec(pool.slices[0])["pool"].get("generation") or 0) if pool.slices else -1
        generation = int(spec["pool"].get("generation") or 0)
        if generation > newest:
            pool.slices = []
        if generation >= newest:
            pool.slices.append(resource_slice)

    def _fill(self, pool: Pool, rules: Sequence[Object]) -> None:
        pool.is_incomplete = len(pool.slices) != int(objects.spec(pool.slices[0])["pool"]["resourceSliceCount"])
        for each in pool.slices:
            spec = objects.spec(each)
            for body in spec.get("devices") or ():
                name = str(body["name"])
                pool.is_invalid |= name in pool.devices
                place = body if spec.get("perDeviceNodeSelection") else spec
                made = Device(DeviceId(pool.driver, pool.name, name), _tainted(pool, body, rules), place, pool)
                pool.devices[name] = made
                (self._local.setdefault(str(place["nodeName"]), []) if place.get("nodeName") else self._elsewhere).append(made)

    def device(self, wanted: DeviceId) -> Device | None:
        pool = self.pools.get((wanted.driver, wanted.pool))
        return pool.devices.get(wanted.device) if pool is not None else None

    def of_node(self, node: str, node_labels: Mapping[str, str]) -> list[Device]:
        return [*self._local.get(node, ()), *(device for device in self._elsewhere if device.is_on(node, node_labels))]


def _tainted(pool: Pool, body: Object, rules: Sequence[Object]) -> Object:
    added = [rule["taint"] for rule in rules if _is_meant(rule.get("deviceSelector"), pool, str(body["name"]))]
    return {**body, "taints": [*(body.get("taints") or ()), *added]} if added else body


def _is_meant(selector: Object | None, pool: Pool, device: str) -> bool:
    """By a rule; one without a selector means no device."""
    if selector is None:
        return False
    present = {"driver": pool.driver, "pool": pool.name, "device": device}
    return all(selector[name] == value for name, value in present.items() if selector.get(name) is not None)
