"""Which devices meet a claim: the allocator alone, without a cluster."""

from __future__ import annotations

import random
from typing import Any

import pytest

from controllers.kube_scheduler.devices.allocator import Allocator, Taken
from controllers.kube_scheduler.devices.requests import Unallocatable
from controllers.runtime.device_pools import Device, DeviceId, Inventory
from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object

NOTHING = Taken({}, {})
CLASSES: dict[str, Object] = {"any": {"metadata": {"name": "any"}, "spec": {}}}
Got = list[list[str]] | None


def slices(*devices: Object, name: str = "s", pool: str = "p", generation: int = 1, count: int = 1, **spec: Any) -> Object:
    place = {} if {"allNodes", "nodeSelector", "perDeviceNodeSelection"} & spec.keys() else {"nodeName": "n"}
    head = {"driver": "d", "pool": {"name": pool, "generation": generation, "resourceSliceCount": count}}
    return {"metadata": {"name": name}, "spec": {**head, **place, "devices": list(devices), **spec}}


def devices(*names: str, **more: Any) -> list[Object]:
    return [{"name": name, **more} for name in names]


def wants(name: str = "r", **detail: Any) -> Object:
    return {"name": name, "exactly": {"deviceClassName": "any", "allocationMode": "ExactCount", **detail}}


def claim(*requests: Object, name: str = "c", **more: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": {"devices": {"requests": list(requests), **more}}}


def by_name(expression: str, device: Device) -> bool:
    return device.id.device in expression.split()


def found(inventory: list[Object], *claims: Object, taken: Taken = NOTHING, rules: list[Object] | None = None) -> list[Object] | None:
    allocator = Allocator(claims, Inventory(inventory, rules or ()), taken, CLASSES.get, by_name, random.Random(1))
    return allocator.allocate("n", {"zone": "a"})


def names(results: list[Object] | None) -> Got:
    return results if results is None else [[each["device"] for each in result["devices"]["results"]] for result in results]


def only(*names: str) -> list[Object]:
    return [{"cel": {"expression": " ".join(names)}}]


def test_going_back_finds_what_the_first_choice_would_have_prevented() -> None:
    inventory = [slices(*devices("a", "b"))]
    assert names(found(inventory, claim(wants("x"), wants("y", selectors=only("a"))))) == [["b", "a"]]
    assert names(found(inventory, claim(wants(selectors=only("a"))), claim(wants(selectors=only("a"))))) is None
    assert names(found(inventory, claim(wants(count=3)))) is None
    taken = Taken({DeviceId("d", "p", "a"): 1}, {})
    assert names(found(inventory, claim(wants()), taken=taken)) == [["b"]]
    assert names(found(inventory, claim(wants(selectors=only("a"), adminAccess=True)), taken=taken)) == [["a"]]


def test_pools() -> None:
    old, new = slices(*devices("a"), name="1"), slices(*devices("b"), name="2", generation=2)
    assert names(found([old, new], claim(wants(selectors=only("a"))))) is None
    assert names(found([old, new], claim(wants()))) == [["b"]]
    whole = {"allocationMode": "All"}
    assert names(found([slices(*devices("a", "b"))], claim(wants(**whole)))) == [["a", "b"]]
    assert names(found([], claim(wants(**whole)))) is None
    with pytest.raises(
        Unallocatable, match="claim ns/c, request r: asks for all devices, but resource pool d/p is currently being updated"
    ):
        found([slices(*devices("a"), count=2)], claim(wants(**whole)))
    with pytest.raises(Unallocatable, match="invalid resource pools were encountered"):
        found([slices(*devices("a", "a"))], claim(wants()))
    with pytest.raises(Unallocatable, match="request r: device class other does not exist"):
        found([], claim(wants(deviceClassName="other")))


def test_where_devices_are() -> None:
    zone = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}
    (result,) = found([slices(*devices("a"), nodeSelector=zone)], claim(wants())) or [{}]
    assert result["nodeSelector"] == zone
    (result,) = found([slices(*devices("a"), allNodes=True)], claim(wants())) or [{}]
    assert "nodeSelector" not in result
    elsewhere = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]}
    each: list[Object] = [{"name": "a", "nodeSelector": elsewhere}, {"name": "b", "nodeName": "n"}, {"name": "c", "nodeName": "m"}]
    assert names(found([slices(*each, perDeviceNodeSelection=True)], claim(wants()))) == [["b"]]


def test_constraints() -> None:
    numa: list[Object] = [{"name": name, "attributes": {"numa": {"int": number}}} for name, number in (("a", 0), ("b", 1), ("c", 1))]
    inventory = [slices(*numa)]
    same, other = [{"matchAttribute": "d/numa"}], [{"distinctAttribute": "d/numa"}]
    assert names(found(inventory, claim(wants(count=2), constraints=same))) == [["b", "c"]]
    assert names(found(inventory, claim(wants(count=2), constraints=other))) == [["a", "b"]]
    assert names(found(inventory, claim(wants(count=3), constraints=other))) is None


def test_taints_of_devices_and_of_rules() -> None:
    taint = {"key": "broken", "value": "yes", "effect": "NoSchedule"}
    inventory = [slices(*devices("a", taints=[taint]), *devices("b"))]
    rule = {
        "metadata": {"name": "rule"},
        "spec": {"deviceSelector": {"driver": "d", "device": "b"}, "taint": {**taint, "effect": "NoExecute"}},
    }
    assert names(found(inventory, claim(wants()))) == [["b"]]
    assert names(found(inventory, claim(wants()), rules=[rule])) is None
    (result,) = found(inventory, claim(wants(tolerations=[{"key": "broken", "operator": "Exists"}])), rules=[rule]) or [{}]
    assert result["devices"]["results"][0]["tolerations"] == [{"key": "broken", "operator": "Exists"}]


def test_partitions_of_one_device_draw_on_its_counters() -> None:
    shared = slices(name="counters", count=2, sharedCounters=[{"name": "gpu", "counters": {"memory": {"value": "40Gi"}}}])
    sizes = (("whole", "40Gi"), ("half-0", "20Gi"), ("half-1", "20Gi"))
    parts = [{"name": name, "consumesCounters": [{"counterSet": "gpu", "counters": {"memory": {"value": size}}}]} for name, size in sizes]
    inventory = [shared, slices(*parts, name="parts", count=2)]
    assert names(found(inventory, claim(wants(count=2)))) == [["half-0", "half-1"]]
    taken = Taken({DeviceId("d", "p", "half-1"): 1}, {})
    assert names(found(inventory, claim(wants()), taken=taken)) == [["half-0"]]


def test_capacity_of_a_device_is_shared_as_its_policy_says() -> None:
    policy = {"default": "1Gi", "validRange": {"min": "1Gi", "step": "2Gi"}}
    card = {"name": "nic", "allowMultipleAllocations": True, "capacity": {"bandwidth": {"value": "10Gi", "requestPolicy": policy}}}
    results = found([slices(card)], claim(wants("x", capacity={"requests": {"bandwidth": "4Gi"}}), wants("y"))) or [{}]
    first, second = results[0]["devices"]["results"]
    assert (first["consumedCapacity"], second["consumedCapacity"]) == ({"bandwidth": "5Gi"}, {"bandwidth": "1Gi"})
    assert first["shareID"] != second["shareID"]
    taken = Taken({DeviceId("d", "p", "nic"): 1}, {DeviceId("d", "p", "nic"): [{"bandwidth": quantity.parse("8Gi")}]})
    assert names(found([slices(card)], claim(wants()), taken=taken)) == [["nic"]]
    assert names(found([slices(card)], claim(wants(capacity={"requests": {"bandwidth": "3Gi"}})), taken=taken)) is None
    alone = {"name": "nic", "capacity": {"bandwidth": {"value": "10Gi"}}}
    assert names(found([slices(alone)], claim(wants(capacity={"requests": {"bandwidth": "11Gi"}})))) is None


def test_a_search_that_leads_nowhere_ends() -> None:
    inventory = [slices(*devices(*(f"d{number}" for number in range(40))))]
    distinct = [{"matchAttribute": "d/absent"}]
    assert names(found(inventory, claim(wants(count=20), constraints=distinct))) is None
    impossible = claim(*(wants(f"r{number}") for number in range(20)), wants("last", selectors=only("nobody")))
    with pytest.raises(Unallocatable, match="timed out trying to allocate devices"):
        found(inventory, impossible)
