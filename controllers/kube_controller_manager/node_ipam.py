"""node-ipam-controller: a pod CIDR per node, cut from the cluster's range; what the pod network of the kubelets uses."""

from __future__ import annotations

import heapq
import ipaddress
from collections.abc import Sequence

from controllers.runtime.events import NORMAL
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Follows, Source
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import NotFound
from kctl.client.transport import STRATEGIC_MERGE_PATCH

DEFAULT_CLUSTER_CIDR = "10.244.0.0/16"
DEFAULT_NODE_MASK = 24


class CidrSet:
    """The subnets of one range: always the lowest free one."""

    def __init__(self, cluster_cidr: str, node_mask: int) -> None:
        network = ipaddress.ip_network(cluster_cidr)
        if node_mask < network.prefixlen:
            raise ValueError(f"node CIDR mask /{node_mask} is larger than the cluster CIDR {cluster_cidr}")
        self._network = network
        self._mask = node_mask
        self._size = 1 << (network.max_prefixlen - node_mask)
        self._count = 1 << (node_mask - network.prefixlen)
        self._used: set[int] = set()
        self._next = 0
        self._free: list[int] = []

    def _index(self, cidr: str) -> int | None:
        try:
            address = ipaddress.ip_network(cidr)
        except ValueError:
            return None
        offset = int(address.network_address) - int(self._network.network_address)
        return offset // self._size if 0 <= offset < self._count * self._size else None

    def occupy(self, cidr: str) -> None:
        index = self._index(cidr)
        if index is not None:
            self._used.add(index)

    def release(self, cidr: str) -> None:
        index = self._index(cidr)
        if index is not None and index in self._used:
            self._used.discard(index)
            heapq.heappush(self._free, index)

    def allocate(self) -> str | None:
        """None when the range is used up."""
        while self._free:
            index = heapq.heappop(self._free)
            if index not in self._used:
                return self._take(index)
        while self._next < self._count:
            index, self._next = self._next, self._next + 1
            if index not in self._used:
                return self._take(index)
        return None

    def _take(self, index: int) -> str:
        self._used.add(index)
        address = ipaddress.ip_address(int(self._network.network_address) + index * self._size)
        return f"{address}/{self._mask}"


class NodeIpamController(LoopController):
    name = "node-ipam-controller"
    workers = 30

    def __init__(
        self,
        context: ControllerContext,
        cluster_cidr: str = DEFAULT_CLUSTER_CIDR,
        node_mask: int = DEFAULT_NODE_MASK,
    ) -> None:
        super().__init__(context)
        self._client = context.client
        self._recorder = context.recorder("cidrAllocator")
        self._cidrs = CidrSet(cluster_cidr, node_mask)
        self._nodes = context.informers.informer(NODES)

    def wakes(self) -> Sequence[Source]:
        return (Follows(NODES, self._note_cidrs),)

    def _note_cidrs(self, changes: Sequence[Change]) -> list[str]:
        """Every CIDR in use is known before the first node without one is looked at."""
        without = []
        for old, new in changes:
            if new is None:
                for cidr in objects.spec(old or {}).get("podCIDRs") or ():
                    self._cidrs.release(cidr)
                continue
            present = objects.spec(new).get("podCIDRs") or ()
            for cidr in present:
                self._cidrs.occupy(cidr)
            if old is None and not present:
                without.append(objects.name(new))
        return without

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        if node is None or objects.spec(node).get("podCIDR"):
            return
        cidr = self._cidrs.allocate()
        if cidr is None:
            text = f"Node {key} status is now: CIDRNotAvailable"
            self._recorder.event(node, NORMAL, "CIDRNotAvailable", text)
            raise RuntimeError("CIDR allocation failed; there are no remaining CIDRs left to allocate in the accepted range")
        patch = {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        try:
            written = await self._client.patch(NODES, key, patch, patch_type=STRATEGIC_MERGE_PATCH)
        except NotFound:
            self._cidrs.release(cidr)
            return
        except Exception:
            self._cidrs.release(cidr)
            raise
        self._nodes.observe([written])
