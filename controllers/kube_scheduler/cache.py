"""Nodes with the pods on them and what is left of their resources (pkg/scheduler/backend/cache).

Kept incrementally from the informers. A pod the scheduler has chosen a node for is *assumed* there at once, so that the next
pod sees it; the binding is confirmed by the informer, or the assumption is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from controllers.kube_scheduler.pod_info import PodInfo, Resources
from controllers.runtime.host_ports import HostPort, is_free
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object

_JOURNAL = 4096


class ImageSpread:
    """On how many of all nodes each image is."""

    __slots__ = ("nodes", "nodes_with")

    def __init__(self) -> None:
        self.nodes_with: dict[str, int] = {}
        self.nodes = 1

    def count(self, images: Iterable[str], amount: int) -> None:
        for image in images:
            self.nodes_with[image] = self.nodes_with.get(image, 0) + amount
            if not self.nodes_with[image]:
                del self.nodes_with[image]


class NodeInfo:
    """`generation` rises with every change, so that what was computed from a node can be told stale."""

    __slots__ = (
        "allocatable",
        "allowed_pods",
        "generation",
        "image_sizes",
        "image_spread",
        "labels",
        "name",
        "node",
        "nominated",
        "non_zero_memory",
        "non_zero_milli_cpu",
        "pods",
        "ports",
        "requested",
        "taints",
        "unschedulable",
    )

    def __init__(self, name: str, image_spread: ImageSpread | None = None) -> None:
        self.name = name
        self.image_spread = image_spread or ImageSpread()
        self.node: Object | None = None
        self.labels: dict[str, str] = {}
        self.taints: list[Object] = []
        self.unschedulable = False
        self.allocatable = Resources()
        self.allowed_pods = 0
        self.image_sizes: dict[str, int] = {}
        self.requested = Resources()
        self.non_zero_milli_cpu = 0
        self.non_zero_memory = 0
        self.pods: dict[str, PodInfo] = {}
        self.nominated: dict[str, PodInfo] = {}
        """Pods that were promised this node and wait for others to leave it."""
        self.ports: dict[HostPort, int] = {}
        self.generation = 0

    def set_node(self, node: Object) -> None:
        spec, status = objects.spec(node), objects.status(node)
        self.node = node
        self.labels = dict(objects.labels(node))
        self.taints = spec.get("taints") or []
        self.unschedulable = bool(spec.get("unschedulable"))
        self.allocatable = Resources()
        self.allowed_pods = 0
        for name, value in (status.get("allocatable") or {}).items():
            if name == "pods":
                self.allowed_pods = quantity.whole(value)
            else:
                self.allocatable.add(name, value)
        self.set_images(status.get("images") or ())
        self.generation += 1

    def set_images(self, images: Iterable[Object]) -> None:
        if self.image_sizes:
            self.image_spread.count(self.image_sizes, -1)
        self.image_sizes = {name: int(image.get("sizeBytes") or 0) for image in images for name in image.get("names") or ()}
        if self.image_sizes:
            self.image_spread.count(self.image_sizes, 1)

    def with_pods(self, pods: Iterable[PodInfo]) -> NodeInfo:
        """A copy on which these run too."""
        made = self.copy()
        for info in pods:
            made.add_pod(info)
        return made

    def copy(self) -> NodeInfo:
        """To try things out on: pods may be added to it and removed. Nobody is promised it."""
        made = NodeInfo(self.name, self.image_spread)
        made.node, made.labels, made.taints, made.unschedulable = self.node, self.labels, self.taints, self.unschedulable
        made.allocatable, made.allowed_pods, made.image_sizes = self.allocatable, self.allowed_pods, self.image_sizes
        made.requested = self.requested.copy()
        made.non_zero_milli_cpu, made.non_zero_memory = self.non_zero_milli_cpu, self.non_zero_memory
        made.pods, made.ports = dict(self.pods), dict(self.ports)
        return made

    def add_pod(self, info: PodInfo) -> None:
        if info.uid in self.pods:
            return
        self.pods[info.uid] = info
        self._count(info, 1)

    def remove_pod(self, uid: str) -> PodInfo | None:
        info = self.pods.pop(uid, None)
        if info is not None:
            self._count(info, -1)
        return info

    def _count(self, info: PodInfo, sign: int) -> None:
        shape = info.shape
        request, requested = shape.request, self.requested
        requested.milli_cpu += sign * request.milli_cpu
        requested.memory += sign * request.memory
        requested.ephemeral_storage += sign * request.ephemeral_storage
        for name, value in request.scalars.items():
            requested.scalars[name] = requested.scalars.get(name, 0) + sign * value
        self.non_zero_milli_cpu += sign * shape.non_zero_milli_cpu
        self.non_zero_memory += sign * shape.non_zero_memory
        for port in shape.host_ports:
            self.ports[port] = self.ports.get(port, 0) + sign
            if self.ports[port] <= 0:
                del self.ports[port]
        self.generation += 1

    def port_is_free(self, wanted: HostPort) -> bool:
        return is_free(wanted, self.ports)


Observer = Callable[[NodeInfo, PodInfo, int], None]
"""Is told of each pod that is placed (1) on a node that exists, or leaves it (-1)."""


class Cache:
    """All nodes by name, and on which node each assigned or assumed pod counts."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._where: dict[str, str] = {}
        self._assumed: set[str] = set()
        self._nominations: dict[str, str] = {}
        self._image_spread = ImageSpread()
        self.node_count = 0
        """Of nodes that exist."""
        self.nodes_generation = 0
        """Rises when a node comes, goes or changes; not with pods."""
        self.observer: Observer | None = None
        self.journal_length = 0
        self._journal: deque[str] = deque(maxlen=_JOURNAL)

    def changed_since(self, journal_length: int) -> Sequence[str] | None:
        """Names of nodes whose pods have changed since `journal_length` was so long; None when that is too long ago."""
        count = self.journal_length - journal_length
        if count > len(self._journal):
            return None
        return list(islice(reversed(self._journal), count))

    def _note(self, node: str) -> None:
        self._journal.append(node)
        self.journal_length += 1

    def nodes(self) -> Iterable[NodeInfo]:
        """Nodes that exist (a pod may be bound to one that is gone)."""
        return (info for info in self._nodes.values() if info.node is not None)

    def node(self, name: str) -> NodeInfo | None:
        info = self._nodes.get(name)
        return info if info is not None and info.node is not None else None

    def set_node(self, node: Object) -> NodeInfo:
        info = self._entry(objects.name(node))
        self.node_count += info.node is None
        self._image_spread.nodes = self.node_count
        info.set_node(node)
        self.nodes_generation += 1
        return info

    def set_images(self, node: Object) -> None:
        """Only those have changed: it counts for pods of shapes that come from now on."""
        info = self.node(objects.name(node))
        if info is not None:
            info.node = node
            info.set_images(objects.status(node).get("images") or ())

    def remove_node(self, name: str) -> None:
        info = self._nodes.get(name)
        if info is None:
            return
        self.node_count -= info.node is not None
        self._image_spread.nodes = self.node_count
        info.set_images(())
        info.node = None
        self.nodes_generation += 1
        self._drop_if_empty(name)

    def _drop_if_empty(self, name: str) -> None:
        info = self._nodes[name]
        if info.node is None and not info.pods and not info.nominated:
            del self._nodes[name]

    def _entry(self, name: str) -> NodeInfo:
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(name, self._image_spread)
        return info

    def assume(self, info: PodInfo, node: str) -> None:
        if self._nominations:
            self.forget_nomination(info.uid)
        self._assumed.add(info.uid)
        self._place(info, node)

    def forget(self, info: PodInfo) -> None:
        """The binding failed."""
        if info.uid in self._assumed:
            self._assumed.discard(info.uid)
            self.remove_pod(info.uid)

    def add_pod(self, info: PodInfo, node: str) -> None:
        """An assigned pod, as the API says. Confirms an assumption, or corrects it."""
        self._assumed.discard(info.uid)
        if self._where.get(info.uid) != node:
            self.remove_pod(info.uid)
            self._place(info, node)

    def confirm(self, uid: str, node: str) -> bool:
        """Whether the pod counts on this node already, as assumed: then nothing needs computing."""
        if self._where.get(uid) != node:
            return False
        self._assumed.discard(uid)
        return True

    def update_pod(self, info: PodInfo, node: str) -> bool:
        """Requests may have been resized in place: whether they have."""
        present = self._nodes[node].pods.get(info.uid) if self._where.get(info.uid) == node else None
        if present is not None and present.shape.request == info.shape.request:
            present.pod = info.pod
            return False
        self.remove_pod(info.uid)
        self._place(info, node)
        return True

    def _place(self, info: PodInfo, node: str) -> None:
        self._where[info.uid] = node
        there = self._entry(node)
        there.add_pod(info)
        if self.observer is not None and there.node is not None:
            self.observer(there, info, 1)
        self._note(node)

    def remove_pod(self, uid: str) -> None:
        self._assumed.discard(uid)
        if self._nominations:
            self.forget_nomination(uid)
        name = self._where.pop(uid, None)
        if name is None:
            return
        node = self._nodes[name]
        info = node.remove_pod(uid)
        if self.observer is not None and info is not None and node.node is not None:
            self.observer(node, info, -1)
        self._note(name)
        self._drop_if_empty(name)

    def node_of(self, uid: str) -> str:
        """The name of the node it counts on; '' for none."""
        return self._where.get(uid, "")

    def pod(self, uid: str) -> PodInfo | None:
        """An assigned or assumed pod."""
        node = self._where.get(uid)
        return self._nodes[node].pods.get(uid) if node is not None else None

    def pods(self) -> Iterator[PodInfo]:
        """Assigned and assumed ones, and those that nodes are promised to."""
        for node in self._nodes.values():
            yield from node.pods.values()
            yield from node.nominated.values()

    def replace_pod(self, info: PodInfo) -> None:
        """Something of an assigned pod has changed that others go by."""
        node = self._where.get(info.uid)
        if node is not None:
            assumed = info.uid in self._assumed
            self.remove_pod(info.uid)
            self._place(info, node)
            if assumed:
                self._assumed.add(info.uid)

    # ---- promises

    def nominate(self, info: PodInfo, node: str) -> None:
        self.forget_nomination(info.uid)
        self._nominations[info.uid] = node
        self._entry(node).nominated[info.uid] = info
        self._nominations_changed(node)

    def forget_nomination(self, uid: str) -> None:
        node = self._nominations.pop(uid, None)
        if node is not None:
            self._nodes[node].nominated.pop(uid, None)
            self._nominations_changed(node)
            self._drop_if_empty(node)

    def nomination_of(self, uid: str) -> str:
        """The node it was promised; '' for none."""
        return self._nominations.get(uid, "")

    def _nominations_changed(self, node: str) -> None:
        self._nodes[node].generation += 1
        self._note(node)

    # ---- trials

    @contextmanager
    def trial(self, node: NodeInfo) -> Iterator[Trial]:
        """For trying out what a node would be without some of its pods: in the end everything is as it was before, so that nobody who
        has computed something from it need look again."""
        generation, journal_length, journal = node.generation, self.journal_length, self._journal
        self._journal = deque(maxlen=0)
        trial = Trial(self, node.name)
        try:
            yield trial
        finally:
            trial.undo()
            self._journal, self.journal_length, node.generation = journal, journal_length, generation

    def is_assumed(self, uid: str) -> bool:
        return uid in self._assumed

    def holds(self, uid: str) -> bool:
        return uid in self._where


class Trial:
    """Takes pods off one node of the cache and puts them back."""

    def __init__(self, cache: Cache, node: str) -> None:
        self._cache = cache
        self._node = node
        self._removed: dict[str, tuple[PodInfo, bool]] = {}

    def remove(self, pod: PodInfo) -> None:
        self._removed[pod.uid] = pod, self._cache.is_assumed(pod.uid)
        self._cache.remove_pod(pod.uid)

    def put_back(self, pod: PodInfo) -> None:
        _, assumed = self._removed.pop(pod.uid)
        if assumed:
            self._cache.assume(pod, self._node)
        else:
            self._cache.add_pod(pod, self._node)

    def undo(self) -> None:
        for pod, _ in list(self._removed.values()):
            self.put_back(pod)
