"""Which devices of a node meet the claims of a pod: the first solution in the order of claims, requests, preferences and devices, found by
trying one device after the other and going back where that leads nowhere (structured/allocator).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from controllers.kube_scheduler.devices import capacity
from controllers.kube_scheduler.devices.capacity import Counters
from controllers.kube_scheduler.devices.requests import Alternative, Classes, Constraint, Unallocatable, alternatives, constraints
from controllers.kube_scheduler.devices.results import Chosen, allocation
from controllers.runtime.device_pools import Device, DeviceId, Inventory, Pool
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

MOST_RESULTS = 32
MOST_STEPS = 5_000
"""Devices that are tried for one pod on one node: beyond, the search is given up, as upstream's is after ten seconds."""
Matches = Callable[[str, Device], bool]
"""(CEL expression, device). Raises ValueError."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is allocated in the cluster: devices, and the shares of those that have several users."""

    devices: frozenset[DeviceId] | Mapping[DeviceId, object]
    shares: Mapping[DeviceId, Sequence[Mapping[str, Fraction]]]


class Allocator:
    """For the claims of one pod, on one node after the other. Raises Unallocatable."""

    def __init__(
        self,
        claims: Sequence[Object],
        inventory: Inventory,
        taken: Taken,
        classes: Classes,
        matches: Matches,
        randomness: random.Random,
    ) -> None:
        self.claims = claims
        self._inventory = inventory
        self._taken = taken
        self._matches = matches
        self._randomness = randomness
        self._requests = [
            [alternatives(claim, request, classes) for request in (objects.spec(claim).get("devices") or {}).get("requests") or ()]
            for claim in claims
        ]
        self._selected: dict[tuple[int, DeviceId], bool] = {}
        self._free_counters: dict[Pool, Counters] = {}

    def allocate(self, node: str, node_labels: Mapping[str, str]) -> list[Object] | None:
        """An AllocationResult for each claim; None where the node has not what they want."""
        search = _Search(self, self._inventory.of_node(node, node_labels))
        if not search.run():
            if any(device.pool.is_invalid for device in search.devices):
                raise Unallocatable("invalid resource pools were encountered")
            return None
        found = zip(self.claims, self._requests, search.chosen, strict=True)
        return [allocation(claim, requests, chosen, self._share_id) for claim, requests, chosen in found]

    def _share_id(self) -> str:
        return str(uuid.UUID(int=self._randomness.getrandbits(128), version=4))

    # ---- what one search asks

    def requests_of(self, claim: int) -> list[list[Alternative]]:
        return self._requests[claim]

    def is_selected(self, claim: int, alternative: Alternative, device: Device) -> bool:
        """By the selectors of class and request; the same whatever else is chosen."""
        key = id(alternative), device.id
        known = self._selected.get(key)
        if known is None:
            known = self._selected[key] = self._selects(claim, alternative, device)
        return known

    def _selects(self, claim: int, alternative: Alternative, device: Device) -> bool:
        by_class = f"class {objects.name(alternative.device_class)}", objects.spec(alternative.device_class)
        for owner, body in (by_class, (f"claim {objects.key(self.claims[claim])}", alternative.detail)):
            for number, selector in enumerate(body.get("selectors") or ()):
                try:
                    if not self._matches(str(selector["cel"]["expression"]), device):
                        return False
                except ValueError as error:
                    raise Unallocatable(f"{owner}: selector #{number}: {error}") from None
        return True

    def is_taken(self, device: Device) -> bool:
        return device.id in self._taken.devices

    def shares_of(self, device: Device) -> Sequence[Mapping[str, Fraction]]:
        return self._taken.shares.get(device.id, ())

    def free_counters(self, pool: Pool) -> Counters:
        found = self._free_counters.get(pool)
        if found is None:
            used = [device for device in pool.devices.values() if device.id in self._taken.devices]
            found = self._free_counters[pool] = capacity.available(pool, used)
        return found


class _Search:
    """On one node."""

    def __init__(self, allocator: Allocator, devices: Sequence[Device]) -> None:
        self._allocator = allocator
        self.devices = devices
        self.chosen: list[list[Chosen]] = [[] for _ in allocator.claims]
        self._constraints = [constraints(claim) for claim in allocator.claims]
        self._users: dict[DeviceId, list[Chosen]] = {}
        self._drawn: dict[Pool, Counters] = {}
        self._steps = 0

    def run(self) -> bool:
        return self._claim(0)

    def _claim(self, claim: int) -> bool:
        return claim >= len(self.chosen) or self._request(claim, 0)

    def _request(self, claim: int, number: int) -> bool:
        requests = self._allocator.requests_of(claim)
        if number >= len(requests):
            return self._claim(claim + 1)
        return any(self._alternative(claim, number, each) for each in requests[number])

    def _alternative(self, claim: int, number: int, alternative: Alternative) -> bool:
        if not alternative.wants_all:
            return self._pick(claim, number, alternative, alternative.count, 0)
        for device in self.devices:
            if device.pool.is_incomplete or device.pool.is_invalid:
                state = "currently being updated" if device.pool.is_incomplete else "currently invalid"
                whose = f"claim {objects.key(self._allocator.claims[claim])}, request {alternative.name.rpartition('/')[2]}"
                raise Unallocatable(f"{whose}: asks for all devices, but resource pool {device.pool} is {state}")
        wanted = [device for device in self.devices if self._allocator.is_selected(claim, alternative, device)]
        done: list[Chosen] = []
        for device in wanted:
            taken = self._take(claim, alternative, device)
            if taken is None:
                break
            done.append(taken)
        if wanted and len(done) == len(wanted) and self._request(claim, number + 1):
            return True
        for taken in reversed(done):
            self._give_back(claim, taken)
        return False

    def _pick(self, claim: int, number: int, alternative: Alternative, left: int, first: int) -> bool:
        """`left` more devices of those from `first` on: which of a request's devices comes first makes no difference."""
        if not left:
            return self._request(claim, number + 1)
        if len(self.chosen[claim]) + left > MOST_RESULTS:
            return False
        for position in range(first, len(self.devices)):
            device = self.devices[position]
            if device.pool.is_invalid or not self._allocator.is_selected(claim, alternative, device):
                continue
            taken = self._take(claim, alternative, device)
            if taken is None:
                continue
            if self._pick(claim, number, alternative, left - 1, position if device.is_shared else position + 1):
                return True
            self._give_back(claim, taken)
        return False

    # ---- one device

    def _take(self, claim: int, alternative: Alternative, device: Device) -> Chosen | None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise Unallocatable("timed out trying to allocate devices")
        if len(self.chosen[claim]) >= MOST_RESULTS or not alternative.tolerates(device) or device.body.get("bindingConditions"):
            return None
        share = capacity.share_of(device, alternative.capacity)
        if share is None or not self._is_free(claim, alternative, device, share):
            return None
        met: list[Constraint] = []
        for constraint in self._constraints[claim]:
            if not constraint.add(alternative.name, device):
                for each in met:
                    each.remove(alternative.name)
                return None
            met.append(constraint)
        taken = Chosen(alternative, device, share)
        self.chosen[claim].append(taken)
        self._users.setdefault(device.id, []).append(taken)
        if not alternative.admin_access:
            self._draw(device, 1)
        return taken

    def _is_free(self, claim: int, alternative: Alternative, device: Device, share: Mapping[str, Fraction]) -> bool:
        users = self._users.get(device.id) or []
        if alternative.admin_access:  # beside whoever has it, but not twice for one claim
            return not any(each.device is device for each in self.chosen[claim])
        others = [each for each in users if not each.alternative.admin_access]
        if device.is_shared:
            return capacity.fits(device, share, [*self._allocator.shares_of(device), *(each.share for each in others)])
        return not others and not self._allocator.is_taken(device) and self._has_counters(device)

    def _has_counters(self, device: Device) -> bool:
        wanted = capacity.consumed(device)
        if not wanted:
            return True
        free, drawn = self._allocator.free_counters(device.pool), self._drawn.get(device.pool, {})
        return all(free.get(key, Fraction(0)) - drawn.get(key, Fraction(0)) >= amount for key, amount in wanted.items())

    def _draw(self, device: Device, sign: int) -> None:
        for key, amount in capacity.consumed(device).items():
            drawn = self._drawn.setdefault(device.pool, {})
            drawn[key] = drawn.get(key, Fraction(0)) + sign * amount

    def _give_back(self, claim: int, taken: Chosen) -> None:
        self.chosen[claim].pop()
        self._users[taken.device.id].pop()
        for constraint in self._constraints[claim]:
            constraint.remove(taken.alternative.name)
        if not taken.alternative.admin_access:
            self._draw(taken.device, -1)
