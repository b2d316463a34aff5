"""A pod as the scheduler sees it: what it asks for, computed once for all pods that share a spec.

Pods of one ReplicaSet share their spec object, so a `PodShape` is found by identity of the spec; pods that come over the wire or
from disk share only what it says, so else by a signature of the fields that somebody reads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from controllers.runtime.host_ports import HostPort, host_ports
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts in scoring (util.DefaultMilliCPURequest, DefaultMemoryRequest)."""
_SHAPES = 4096


@dataclass(slots=True)
class Resources:
    """cpu in thousandths, memory and ephemeral storage in bytes, others in whole units."""

    milli_cpu: int = 0
    memory: int = 0
    ephemeral_storage: int = 0
    scalars: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: Any) -> None:
        if name == "cpu":
            self.milli_cpu += quantity.milli(value)
        elif name == "memory":
            self.memory += quantity.whole(value)
        elif name == "ephemeral-storage":
            self.ephemeral_storage += quantity.whole(value)
        elif name != "pods":
            self.scalars[name] = self.scalars.get(name, 0) + quantity.whole(value)

    def add_all(self, other: Resources) -> None:
        self.milli_cpu += other.milli_cpu
        self.memory += other.memory
        self.ephemeral_storage += other.ephemeral_storage
        for name, value in other.scalars.items():
            self.scalars[name] = self.scalars.get(name, 0) + value

    def raise_to(self, other: Resources) -> None:
        self.milli_cpu = max(self.milli_cpu, other.milli_cpu)
        self.memory = max(self.memory, other.memory)
        self.ephemeral_storage = max(self.ephemeral_storage, other.ephemeral_storage)
        for name, value in other.scalars.items():
            self.scalars[name] = max(self.scalars.get(name, 0), value)

    def copy(self) -> Resources:
        return Resources(self.milli_cpu, self.memory, self.ephemeral_storage, dict(self.scalars))


@dataclass(slots=True, eq=False)
class PodShape:
    """Everything scheduling asks of a spec. `request` is what must fit, `non_zero_*` what scoring counts."""

    request: Resources
    non_zero_milli_cpu: int
    non_zero_memory: int
    host_ports: tuple[HostPort, ...]
    node_selector: dict[str, str]
    affinity: Object
    tolerations: list[Object]
    node_name: str
    images: tuple[str, ...]
    empty_request: bool
    has_claims: bool
    priority: int
    needs: frozenset[str]
    """Which plugins that most clusters never need: `claims`, `devices`, `priorities`, `relations` (to other pods)."""


def _requests(container: Object, *, non_zero: bool = False) -> Resources:
    found, requests = Resources(), (container.get("resources") or {}).get("requests") or {}
    for name, value in requests.items():
        found.add(name, value)
    if non_zero and "cpu" not in requests:
        found.milli_cpu = DEFAULT_MILLI_CPU
    if non_zero and "memory" not in requests:
        found.memory = DEFAULT_MEMORY
    return found


def pod_requests(spec: Object, *, non_zero: bool = False) -> Resources:
    """Containers and sidecars together, or the greediest init container with the sidecars before it; pod-level requests
    where given; plus overhead (k8s.io/component-helpers PodRequests)."""
    total = Resources()
    for container in spec.get("containers") or ():
        total.add_all(_requests(container, non_zero=non_zero))
    sidecars, peak = Resources(), Resources()
    for container in spec.get("initContainers") or ():
        wanted = _requests(container, non_zero=non_zero)
        if container.get("restartPolicy") == "Always":
            total.add_all(wanted)
            sidecars.add_all(wanted)
            peak.raise_to(sidecars)
        else:
            needed = sidecars.copy()
            needed.add_all(wanted)
            peak.raise_to(needed)
    total.raise_to(peak)
    for name, value in ((spec.get("resources") or {}).get("requests") or {}).items():
        level = Resources()
        level.add(name, value)
        if name == "cpu":
            total.milli_cpu = level.milli_cpu
        elif name == "memory":
            total.memory = level.memory
        else:
            total.scalars.update(level.scalars)
    for name, value in (spec.get("overhead") or {}).items():
        total.add(name, value)
    return total


@dataclass(frozen=True, slots=True)
class Reads:
    """Fields of a pod that somebody looks at: of its metadata, its spec, and of each of its containers and init containers; and, of its
    volumes, those that are claims."""

    spec: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    claims: bool = False

    def signature(self, pod: Object) -> bytes:
        """Equal for pods that nobody who reads these fields alone can tell from one another."""
        spec, meta = pod["spec"], pod["metadata"]
        parts: Object = {name: spec[name] for name in self.spec if name in spec}
        for kind in ("containers", "initContainers"):
            parts[kind] = [[container.get(name) for name in self.containers] for container in spec.get(kind) or ()]
        if self.claims and (claims := _claims(spec)):
            parts["claims"] = claims
        if self.metadata:
            parts["metadata"] = [meta.get(name) for name in self.metadata]
        return orjson.dumps(parts)


def all_reads(reads: Iterable[Reads]) -> Reads:
    """Everything any of them reads."""
    every = list(reads)
    return Reads(
        tuple(sorted({name for each in every for name in each.spec})),
        tuple(sorted({name for each in every for name in each.containers})),
        tuple(sorted({name for each in every for name in each.metadata})),
        any(each.claims for each in every),
    )


def _claims(spec: Object) -> list[Object]:
    """The volumes that are claims, or disks. All others have random names among them, and decide nothing."""
    return [volume for volume in spec.get("volumes") or () if not _DECISIVE.isdisjoint(volume)]


_DECISIVE = frozenset(("persistentVolumeClaim", "ephemeral", "gcePersistentDisk", "awsElasticBlockStore", "iscsi", "rbd"))


NODE_ACCOUNTS = Reads(
    spec=("affinity", "hostNetwork", "overhead", "priority", "resourceClaims", "resources", "topologySpreadConstraints"),
    containers=("ports", "resources", "restartPolicy"),
    claims=True,
)
"""What is counted of a pod on its node, whatever plugins there are; and what needs plugins of their own."""


def shape_of(spec: Object) -> PodShape:
    request = pod_requests(spec)
    counted = pod_requests(spec, non_zero=True)
    priority, has_claims = int(spec.get("priority") or 0), bool(_claims(spec))
    empty = not (request.milli_cpu or request.memory or request.ephemeral_storage or request.scalars)
    return PodShape(
        request=request,
        non_zero_milli_cpu=counted.milli_cpu,
        non_zero_memory=counted.memory,
        host_ports=host_ports(spec),
        node_selector=spec.get("nodeSelector") or {},
        affinity=spec.get("affinity") or {},
        tolerations=spec.get("tolerations") or [],
        node_name=spec.get("nodeName") or "",
        images=tuple(_tagged(container.get("image") or "") for kind in _KINDS for container in spec.get(kind) or ()),
        empty_request=empty,
        has_claims=has_claims,
        priority=priority,
        needs=_needs(spec, has_claims, priority),
    )


_KINDS = ("initContainers", "containers")


def _tagged(image: str) -> str:
    """As a node names it."""
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def _needs(spec: Object, has_claims: bool, priority: int) -> frozenset[str]:
    affinity = spec.get("affinity") or {}
    related = affinity.get("podAffinity") or affinity.get("podAntiAffinity") or spec.get("topologySpreadConstraints")
    devices = spec.get("resourceClaims")
    needed = (("claims", has_claims), ("devices", devices), ("priorities", priority != 0), ("relations", related))
    return frozenset(name for name, is_needed in needed if is_needed)


class Shapes:
    """PodShapes by what the plugins read of a pod; while that is its spec alone, by the identity of the spec first. The oldest
    are forgotten."""

    def __init__(self, reads: Reads) -> None:
        self._reads = all_reads((reads, NODE_ACCOUNTS))
        self._by_identity: OrderedDict[int, tuple[Object, PodShape]] = OrderedDict()
        self._by_signature: OrderedDict[bytes, PodShape] = OrderedDict()

    def of(self, pod: Object) -> PodShape:
        spec: Object = pod["spec"]
        if self._reads.metadata:
            return self._by_fields(pod)
        known = self._by_identity.get(id(spec))
        if known is not None and known[0] is spec:
            return known[1]
        shape = self._by_fields(pod)
        self._by_identity[id(spec)] = (spec, shape)
        _forget_oldest(self._by_identity)
        return shape

    def _by_fields(self, pod: Object) -> PodShape:
        text = self._reads.signature(pod)
        shape = self._by_signature.get(text)
        if shape is None:
            shape = self._by_signature[text] = shape_of(pod["spec"])
            _forget_oldest(self._by_signature)
        return shape


def _forget_oldest(known: OrderedDict[Any, Any]) -> None:
    if len(known) > _SHAPES:
        known.popitem(last=False)


@dataclass(slots=True, eq=False)
class PodInfo:
    """A pod with its shape. `key` is namespace/name."""

    pod: Object
    key: str
    uid: str
    shape: PodShape

    @property
    def priority(self) -> int:
        return self.shape.priority

    @property
    def scheduler_name(self) -> str:
        return self.pod["spec"].get("schedulerName") or "default-scheduler"

    @classmethod
    def of(cls, pod: Object, shapes: Shapes) -> PodInfo:
        return cls(pod, objects.key(pod), objects.uid(pod), shapes.of(pod))


@dataclass(slots=True, eq=False)
class QueuedPod:
    """A pod waiting to be scheduled: since when, how often tried, and who refused it last."""

    info: PodInfo
    priority: int
    added_at: float
    attempts: int = 0
    unschedulable_plugins: frozenset[str] = frozenset()
    last_tried: float = 0.0
