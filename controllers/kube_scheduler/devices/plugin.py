"""DynamicResources: a pod goes where the devices of its ResourceClaims are, and claims without devices get theirs where the pod goes.

PreEnqueue waits for the claims; PreFilter sorts them; Filter asks of each node whether what is allocated can be used there, and whether the
rest can be allocated there; Reserve promises devices; PreBind writes allocation and reservation, before the pod is bound.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controllers.kube_scheduler.cache import Cache, NodeInfo
from controllers.kube_scheduler.devices.allocator import Allocator
from controllers.kube_scheduler.devices.cache import ClaimCache
from controllers.kube_scheduler.devices.requests import Unallocatable
from controllers.kube_scheduler.framework import (
    ClusterEvent,
    Code,
    CycleState,
    DependsOn,
    Passes,
    PluginError,
    Status,
    Wake,
    unresolvable,
)
from controllers.kube_scheduler.pod_info import PodInfo, Reads
from controllers.runtime import resource_claims
from controllers.runtime.device_pools import Device
from controllers.runtime.node_affinity import selector_matches
from controllers.runtime.resource_claims import FINALIZER, RESOURCE_CLAIMS
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError, Conflict
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed

Selector = Callable[[str, Object], bool]
"""(driver, device): whether an expression means the device. Raises ValueError."""
Selectors = Callable[[str], Selector]
"""Of an expression's text. Raises ValueError."""
_ATTEMPTS = 5


@dataclass(slots=True)
class _Claims:
    """Of a pod: all, those that the allocator is to find devices for, and what it found on which node. `away`: allocated, and not to be
    used on some node."""

    all: list[Object]
    allocator: Allocator | None = None
    found: dict[str, list[Object]] = field(default_factory=dict)
    promised: dict[str, Object] = field(default_factory=dict)
    away: list[Object] = field(default_factory=list)


class DynamicResources:
    name = "DynamicResources"
    depends_on = DependsOn.STATIC
    reads = Reads(spec=("resourceClaims",))
    wakes = (
        Wake(
            ClusterEvent.NODE_ADD
            | ClusterEvent.NODE_LABEL
            | ClusterEvent.RESOURCE_CLAIM
            | ClusterEvent.RESOURCE_SLICE
            | ClusterEvent.DEVICE_CLASS
        ),
    )

    def __init__(
        self,
        cache: ClaimCache,
        client: Client,
        selectors: Selectors,
        randomness: random.Random,
        background: Callable[[Coroutine[Any, Any, None]], None],
        freed: Callable[[], None],
    ) -> None:
        """`freed` is called when devices that were promised are not to be taken."""
        self._cache = cache
        self._client = client
        self._selectors = selectors
        self._randomness = randomness
        self._background = background
        self._freed = freed

    def _matches(self, expression: str, device: Device) -> bool:
        return self._selectors(expression)(device.id.driver, device.body)

    def _claims_of(self, pod: Object) -> tuple[list[Object], str]:
        """Those that are there; and why the pod cannot have one of them, ''."""
        found = []
        for use in resource_claims.uses_of(pod):
            if use.claim is None:
                continue
            claim = self._cache.claim(f"{objects.namespace(pod)}/{use.claim}")
            if why := resource_claims.problem_of(pod, use, claim):
                return [], why
            if claim is not None:
                found.append(claim)
        return found, ""

    # ---- the scheduling cycle

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        if not pod.pod["spec"].get("resourceClaims"):
            return None
        _, why = self._claims_of(pod.pod)
        return unresolvable(self.name, why) if why else None

    def pre_filter(self, state: CycleState, pod: PodInfo, cache: Cache) -> Status | None:
        if not pod.pod["spec"].get("resourceClaims"):
            return None
        state.reusable = False
        claims, why = self._claims_of(pod.pod)
        if why:
            return unresolvable(self.name, why)
        if not claims:
            return None
        for claim in claims:
            if not resource_claims.is_allocated(claim):
                if self._cache.is_pending(claim):
                    return unresolvable(self.name, f"resource claim {objects.key(claim)} is in the process of being allocated")
            elif not resource_claims.is_reserved_for(pod.pod, claim) and not resource_claims.can_be_reserved(claim):
                return unresolvable(self.name, "resourceclaim in use")
        wanted = [claim for claim in claims if not resource_claims.is_allocated(claim)]
        found = _Claims(claims)
        if wanted:
            try:
                found.allocator = Allocator(
                    wanted, self._cache.inventory(), self._cache.taken(), self._cache.device_class, self._matches, self._randomness
                )
            except Unallocatable as error:
                return unresolvable(self.name, str(error))
        state.data[self.name] = found
        return None

    def filter(self, state: CycleState, pod: PodInfo, node: NodeInfo) -> Status | None:
        claims: _Claims | None = state.data.get(self.name)
        if claims is None:
            return None
        away = [claim for claim in claims.all if not _is_usable(claim, node)]
        claims.away += [claim for claim in away if claim not in claims.away]
        if claims.allocator is not None:
            try:
                allocations = claims.allocator.allocate(node.name, node.labels)
            except Unallocatable as error:
                raise PluginError(f'running "{self.name}" filter plugin: {error}') from None
            if allocations is None:
                return unresolvable(self.name, "cannot allocate all claims")
            claims.found[node.name] = allocations
        return unresolvable(self.name, "resourceclaim not available on the node") if away else None

    def post_filter(
        self, state: CycleState, pod: PodInfo, statuses: Mapping[str, Status], node_count: int, cache: Cache, passes: Passes
    ) -> str:
        claims: _Claims | None = state.data.get(self.name)
        if claims is None:
            return "no new claims to deallocate"
        for claim in claims.away:
            users = resource_claims.reserved_for(claim)
            if all(user.get("uid") == pod.uid for user in users):
                self._background(self._deallocate(claim))
                return "deallocation of ResourceClaim completed"
        return "still not schedulable"

    async def _deallocate(self, claim: Object) -> None:
        """It can be allocated again where there is room for the pod. Where it has changed meanwhile that is looked at anyway."""
        status = {name: value for name, value in objects.status(claim).items() if name not in ("allocation", "reservedFor", "devices")}
        try:
            self._cache.observe(await self._client.update_status(RESOURCE_CLAIMS, objects.replace(claim, status=status)))
        except (ApiError, ConnectionFailed):
            return

    def reserve(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims: _Claims | None = state.data.get(self.name)
        if claims is None or claims.allocator is None:
            return None
        for claim, allocation in zip(claims.allocator.claims, claims.found[node], strict=True):
            claims.promised[objects.uid(claim)] = allocation
            self._cache.promise(claim, allocation)
        return None

    def unreserve(self, state: CycleState, pod: PodInfo, node: str) -> None:
        """What is written already stays: the pod is reserved, and tried again."""
        claims: _Claims | None = state.data.get(self.name)
        if claims is not None and sum(self._cache.forget(claim) for claim in claims.all):
            self._freed()

    # ---- the binding cycle

    async def pre_bind(self, state: CycleState, pod: PodInfo, node: str) -> Status | None:
        claims: _Claims | None = state.data.get(self.name)
        if claims is None:
            return None
        for claim in claims.all:
            if resource_claims.is_reserved_for(pod.pod, claim):
                continue
            try:
                await self._bind(claim, claims.promised.get(objects.uid(claim)), pod.pod)
            except _Lost as error:
                return Status(Code.ERROR, (str(error),), self.name)
            except (ApiError, ConnectionFailed) as error:
                what = "allocation and reservation" if objects.uid(claim) in claims.promised else "reservation"
                return Status(Code.ERROR, (f"add {what} to claim {objects.key(claim)}: {error}",), self.name)
            self._cache.forget(claim)
        return None

    async def _bind(self, claim: Object, allocation: Object | None, pod: Object) -> None:
        """Finalizer, allocation, reservation. Others may write to the claim at the same time: then it is looked at again."""
        for attempt in range(_ATTEMPTS):
            try:
                self._cache.observe(await self._write(claim, allocation, pod))
                return
            except Conflict:
                if attempt + 1 == _ATTEMPTS:
                    raise
                claim = await self._client.get(RESOURCE_CLAIMS, objects.name(claim), objects.namespace(claim))

    async def _write(self, claim: Object, allocation: Object | None, pod: Object) -> Object:
        if objects.deletion_timestamp(claim):
            raise _Lost(f"claim {objects.key(claim)} got deleted in the meantime")
        status = objects.status(claim)
        if allocation is not None:
            if resource_claims.is_allocated(claim):
                raise _Lost(f"claim {objects.key(claim)} got allocated elsewhere in the meantime")
            if FINALIZER not in objects.finalizers(claim):
                guarded = objects.with_metadata(claim, finalizers=[*objects.finalizers(claim), FINALIZER])
                claim = await self._client.update(RESOURCE_CLAIMS, guarded)
            status = {**objects.status(claim), "allocation": allocation}
        reserved = [*resource_claims.reserved_for(claim), resource_claims.consumer(pod)]
        return await self._client.update_status(RESOURCE_CLAIMS, objects.replace(claim, status={**status, "reservedFor": reserved}))


class _Lost(Exception):
    """Somebody else was faster."""


def _is_usable(claim: Object, node: NodeInfo) -> bool:
    selector = (objects.status(claim).get("allocation") or {}).get("nodeSelector")
    return selector is None or selector_matches(selector, node.labels, node.name)


def without(plugins: Sequence[Any], name: str) -> list[Any]:
    return [plugin for plugin in plugins if plugin.name != name]
