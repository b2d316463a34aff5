"""Claims, classes and slices as the scheduler sees them: the informers', with the allocations that are decided and not yet written on top
(pkg/scheduler's DRA manager)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction

from controllers.kube_scheduler.devices.allocator import Taken
from controllers.runtime import resource_claims
from controllers.runtime.device_pools import DeviceId, Inventory
from controllers.runtime.informer import Change, InformerFactory
from controllers.runtime.resource_claims import DEVICE_CLASSES, DEVICE_TAINT_RULES, RESOURCE_CLAIMS, RESOURCE_SLICES
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS

ClaimsChanged = Callable[[Collection[str], Collection[Object], bool], None]
"""(keys of claims, pods that have one of them, whether devices were freed)."""


class ClaimCache:
    def __init__(self, informers: InformerFactory) -> None:
        self._informers = informers
        self._pods = informers.informer(PODS)
        self._pods.add_index(resource_claims.CLAIM_INDEX, resource_claims.claims_of)
        self._claims = informers.informer(RESOURCE_CLAIMS)
        self._classes = informers.informer(DEVICE_CLASSES)
        self._slices = informers.informer(RESOURCE_SLICES)
        self._rules = informers.informer(DEVICE_TAINT_RULES)
        self._inventory: Inventory | None = None
        self._allocated: dict[str, list[Object]] = {}
        """Results by the uid of their claim, pending ones among them."""
        self._pending: set[str] = set()
        self._users: dict[DeviceId, dict[str, int]] = {}
        """How many results of which claim a device has."""

    async def start(self, claims_changed: ClaimsChanged, slices_changed: Callable[[], None], classes_changed: Callable[[], None]) -> None:
        """Returns when all are filled; from then on tells what changes."""
        await self._informers.start()
        self._claims.add_handler(lambda changes: self._claims_changed(changes, claims_changed))
        for informer in (self._slices, self._rules):
            informer.add_handler(lambda changes: self._slices_changed(slices_changed))
        self._classes.add_handler(lambda changes: classes_changed())

    # ---- reading

    def claim(self, key: str) -> Object | None:
        return self._claims.get(key)

    def device_class(self, name: str) -> Object | None:
        return self._classes.get(name)

    def inventory(self) -> Inventory:
        if self._inventory is None:
            self._inventory = Inventory(self._slices.list(), self._rules.list())
        return self._inventory

    def taken(self) -> Taken:
        """At this moment."""
        shares: dict[DeviceId, list[Mapping[str, Fraction]]] = {}
        for results in self._allocated.values():
            for result in results:
                if result.get("consumedCapacity") and not result.get("adminAccess"):
                    share = {name: quantity.parse(str(amount)) for name, amount in result["consumedCapacity"].items()}
                    shares.setdefault(DeviceId.of_result(result), []).append(share)
        return Taken(self._users, shares)

    def is_pending(self, claim: Object) -> bool:
        return objects.uid(claim) in self._pending

    # ---- what is decided

    def observe(self, claim: Object) -> None:
        self._claims.observe([claim])

    def promise(self, claim: Object, allocation: Object) -> None:
        self._pending.add(objects.uid(claim))
        self._set(objects.uid(claim), _results(allocation))

    def forget(self, claim: Object) -> bool:
        """What was promised is written, or is not to be. Whether anything was."""
        uid = objects.uid(claim)
        if uid not in self._pending:
            return False
        self._pending.discard(uid)
        present = self._claims.get(objects.key(claim))
        self._set(uid, _results_of(present) if present is not None and objects.uid(present) == uid else [])
        return True

    def _set(self, uid: str, results: Sequence[Object]) -> None:
        for result in self._allocated.pop(uid, ()):
            if not result.get("adminAccess"):
                users = self._users.get(DeviceId.of_result(result), {})
                users[uid] = users.get(uid, 0) - 1
                if users[uid] <= 0:
                    users.pop(uid)
                if not users:
                    self._users.pop(DeviceId.of_result(result), None)
        if results:
            self._allocated[uid] = list(results)
        for result in results:
            if not result.get("adminAccess"):
                users = self._users.setdefault(DeviceId.of_result(result), {})
                users[uid] = users.get(uid, 0) + 1

    # ---- what changes

    def _claims_changed(self, changes: Sequence[Change], tell: ClaimsChanged) -> None:
        freed, keys = False, dict[str, None]()
        for old, new in changes:
            claim = new or old or {}
            keys[objects.key(claim)] = None
            freed |= old is not None and bool(_results_of(old)) and not (new is not None and _results_of(new))
            if objects.uid(claim) not in self._pending or new is None or resource_claims.is_allocated(new):
                self._set(objects.uid(claim), _results_of(new) if new is not None else [])
        tell(keys, self._pods_of(keys), freed)

    def _pods_of(self, keys: Iterable[str]) -> list[Object]:
        return [pod for key in keys for pod in self._pods.by_index(resource_claims.CLAIM_INDEX, key)]

    def _slices_changed(self, tell: Callable[[], None]) -> None:
        self._inventory = None
        tell()


def _results(allocation: Object) -> list[Object]:
    return (allocation.get("devices") or {}).get("results") or []


def _results_of(claim: Object) -> list[Object]:
    return _results(objects.status(claim).get("allocation") or {})
