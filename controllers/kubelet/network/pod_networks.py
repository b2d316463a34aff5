"""Which simulated pods are on the cluster's network: joined when a program of theirs runs, or when somebody connects to their address.

A pod that nobody connects to and whose containers are not interpreted costs nothing here. What its image serves of itself (nginx, say)
begins with the first connection to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from controllers.kubelet.commands.network import ClusterNetwork, Host, PodNetwork, Routes, normal
from controllers.kubelet.network.api_server import ApiForPods, ApiServerPort
from controllers.kubelet.pod_worker import PodWorker
from controllers.kubelet.runtime import RunningPod
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

API_SERVER_ADDRESS = "10.0.0.1"
"""Where the control plane is, as pods see who connects from there: the nodes' addresses come after it."""


def addresses_of(pod: Object) -> list[str]:
    """Where it can be reached: its own, and its node's where it uses that one's network or ports. '' is none of them."""
    shown, spec = objects.status(pod), objects.spec(pod)
    if shown.get("phase") in ("Succeeded", "Failed"):
        return []
    host = str(shown.get("hostIP") or "")
    if spec.get("hostNetwork"):
        return [host] if host else []
    own = [str(each.get("ip")) for each in shown.get("podIPs") or ()]
    if host and any(port.get("hostPort") for container in spec.get("containers") or () for port in container.get("ports") or ()):
        own.append(host)
    return own


class PodSources(Protocol):
    """What it asks of the kubelets."""

    def pods_at(self, address: str) -> Collection[Object]:
        """By what `addresses_of` yields."""
        ...

    def running(self, pod: Object) -> PodWorker | None: ...

    def all(self, kind: str, namespace: str = "") -> Iterable[Object]:
        """As far as they are known."""
        ...

    def node_address(self, node: str) -> str: ...

    def node_at(self, address: str) -> str:
        """The node with that address; ''."""
        ...

    def api_server_ports(self, address: str) -> list[int]: ...

    def service(self, namespace: str, name: str) -> Object | None: ...

    def services_at(self, value: str) -> Collection[Object]: ...

    def slices_of(self, namespace: str, service: str) -> Collection[Object]: ...

    def slices_at(self, address: str) -> Collection[Object]: ...

    def has_namespace(self, name: str) -> bool: ...

    def on_change(self, told: Callable[[], None]) -> None:
        """`told` is called whenever Services, endpoints or namespaces change."""
        ...


class PodNetworks:
    """The one network of a control plane's simulated pods. `routes` and `allows` as ClusterNetwork has them."""

    def __init__(
        self,
        clock: Clock,
        sources: PodSources,
        routes: Routes | None = None,
        allows: Callable[[Host | None, Host, int, str], bool] | None = None,
        api: Callable[[], ApiForPods] | None = None,
    ) -> None:
        self._clock = clock
        self._sources = sources
        self._api = api
        self._api_ports: dict[tuple[str, int], ApiServerPort] = {}
        self._pods: dict[str, RunningPod] = {}
        self.cluster = ClusterNetwork(clock, routes, allows, self._wanted)

    @property
    def sources(self) -> PodSources:
        return self._sources

    def join(self, pod: RunningPod, wake: Callable[[], None]) -> PodNetwork:
        """The network as a container of the pod sees it; `wake` is called when something comes for it."""
        obj = pod.pod
        node = _node_of(pod)
        address = self._sources.node_address(node)
        if objects.spec(obj).get("hostNetwork"):
            return self.cluster.join(node_host(node), [address], node, wake, on_node=True)
        uid = objects.uid(obj)
        fresh = not self.cluster.has(uid)
        self._pods[uid] = pod
        made = self.cluster.join(uid, self._addresses(pod), node, wake)
        if fresh:
            for container in objects.spec(obj).get("containers") or ():
                for port in container.get("ports") or ():
                    if port.get("hostPort"):
                        protocol, host_ip = str(port.get("protocol") or "TCP"), str(port.get("hostIP") or "")
                        self.cluster.map_host_port(address, host_ip, int(port["hostPort"]), protocol, uid, int(port["containerPort"]))
        return made

    async def stop(self) -> None:
        for port in self._api_ports.values():
            await port.stop()

    @staticmethod
    def host_of(worker: PodWorker) -> str:
        """The name of its network."""
        return node_host(_node_of(worker)) if worker.host_network else worker.uid

    def leave(self, uid: str) -> None:
        self._pods.pop(uid, None)
        self.cluster.leave(uid)

    def pod_of(self, host: Host) -> Object | None:
        """The present object of the pod whose network it is."""
        pod = self._pods.get(host.name)
        return pod.pod if pod is not None else None

    def _addresses(self, pod: RunningPod) -> Sequence[str]:
        shown = [str(each.get("ip")) for each in objects.status(pod.pod).get("podIPs") or ()]
        return shown or ([pod.ip] if pod.ip else [])

    def _wanted(self, address: str) -> None:
        """Somebody connects there, where nothing listens as yet."""
        node = self._sources.node_at(address)
        if node:
            self.cluster.join(node_host(node), [address], node, _nobody, on_node=True)
        if self._api is not None:
            for port in self._sources.api_server_ports(address):
                if (address, port) not in self._api_ports:
                    self._api_ports[address, port] = ApiServerPort(self.cluster, self._clock, self._api(), address, port)
        for pod in list(self._sources.pods_at(address)):
            worker = self._sources.running(pod)
            if worker is not None and normal(address) in map(
                normal, [*self._addresses(worker), self._sources.node_address(_node_of(worker))]
            ):
                self.serve(worker)

    def serve(self, worker: PodWorker) -> None:
        """The pod joins, and what its images run of themselves begins to listen."""
        self.join(worker, _nobody)
        for container in (*worker.sized, *worker.ephemeral):
            if container.running and container.handle is not None:
                container.handle.serve()


def _node_of(pod: RunningPod) -> str:
    return str(objects.spec(pod.pod).get("nodeName") or "")


def node_host(node: str) -> str:
    return f"node/{node}"


def _nobody() -> None:
    """Nobody to wake: what listens has been joined by itself."""
