"""What devices share: the counters that partitions of one device draw on, and the capacity of devices that may be allocated more than once
(structured/consumable_capacity.go). Amounts are exact. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from controllers.runtime.device_pools import Device, Pool
from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object

Counters = dict[tuple[str, str], Fraction]
"""(set, counter) to what is left."""


def available(pool: Pool, used: Iterable[Device]) -> Counters:
    left: Counters = {}
    for group, name, value in pool.counters():
        left[group, name] = left.get((group, name), Fraction(0)) + quantity.parse(value)
    for device in used:
        for key, amount in consumed(device).items():
            left[key] = left.get(key, Fraction(0)) - amount
    return left


def consumed(device: Device) -> Counters:
    found: Counters = {}
    for group in device.body.get("consumesCounters") or ():
        for name, counter in (group.get("counters") or {}).items():
            key = str(group["counterSet"]), name
            found[key] = found.get(key, Fraction(0)) + quantity.parse(str(counter["value"]))
    return found


def share_of(device: Device, requests: Mapping[str, str]) -> dict[str, Fraction] | None:
    """What one allocation takes of each capacity of a device; None where the device cannot give what is requested. Of a device that is
    allocated once it is all or nothing, and nothing is taken down."""
    capacity = device.body.get("capacity") or {}
    if any(name not in capacity for name in requests):
        return None
    taken: dict[str, Fraction] = {}
    for name, entry in capacity.items():
        total = quantity.parse(str(entry["value"]))
        amount = _amount(entry.get("requestPolicy") or {}, requests.get(name), total)
        if amount is None or amount > total:
            return None
        taken[name] = amount
    return taken if device.is_shared else {}


def _amount(policy: Object, requested: str | None, total: Fraction) -> Fraction | None:
    """As the policy has it: the default where nothing is requested, the next valid amount where something is."""
    if requested is None:
        default = policy.get("default")
        return total if default is None else quantity.parse(str(default))
    wanted = quantity.parse(str(requested))
    if policy.get("validValues"):
        return min((value for each in policy["validValues"] if (value := quantity.parse(str(each))) >= wanted), default=None)
    bounds = policy.get("validRange")
    if not bounds:
        return wanted
    least = quantity.parse(str(bounds.get("min") or "0"))
    wanted = max(wanted, least)
    if bounds.get("step") is not None:
        step = quantity.parse(str(bounds["step"]))
        wanted = least + step * -((least - wanted) // step) if step > 0 else wanted
    return None if bounds.get("max") is not None and wanted > quantity.parse(str(bounds["max"])) else wanted


def fits(device: Device, share: Mapping[str, Fraction], others: Iterable[Mapping[str, Fraction]]) -> bool:
    """Beside what others have of it."""
    capacity = device.body.get("capacity") or {}
    left = {name: quantity.parse(str(entry["value"])) for name, entry in capacity.items()}
    for taken in (*others, share):
        for name, amount in taken.items():
            if name in left:
                left[name] -= amount
    return all(amount >= 0 for amount in left.values())
