"""Every simulated kubelet of the process: one pods informer, one timer heap, one status writer, one heartbeat for all.

Nodes come from the configuration, and from Node objects that somebody creates with the annotation
`kctl.dev/simulated: "true"`. The fleet is also how kube-apiserver reaches "the kubelet" of a node (pod logs).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from controllers.kubelet import node_behaviour, node_status
from controllers.kubelet.container_logs import container_logs
from controllers.kubelet.context import KubeletContext, Waiter
from controllers.kubelet.heartbeat import Heartbeats
from controllers.kubelet.kubelet import Kubelet
from controllers.kubelet.node_config import NodeConfig, StaticPod, StaticPodState
from controllers.kubelet.references import (
    CONFIG_MAP,
    LATER,
    OF_THE_NETWORK,
    POD,
    RUNTIME_CLASS,
    SERVICE,
    Lookup,
    Missing,
    kinds_of,
)
from controllers.kubelet.runtime import ContainerRuntime
from controllers.kubelet.simulated_logs import stream_lines
from controllers.kubelet.simulated_runtime import SimulatedRuntime
from controllers.kubelet.stages import DEFAULT_PROFILE, Stages
from controllers.kubelet.static_pods import StaticPodRunner
from controllers.kubelet.status_writer import StatusWriter
from controllers.runtime.events import EventRecorder
from controllers.runtime.informer import Change, Informer, InformerFactory
from kctl.apimachinery import objects, status, user
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import (
    CONFIG_MAPS,
    NODES,
    PODS,
)
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.client.kubelet import NodeUsage, PodUsage

if TYPE_CHECKING:
    from controllers.kubelet.network.api_server import ApiForPods
    from controllers.kubelet.network.connections import PodConnection
    from controllers.kubelet.network.pod_networks import PodNetworks
    from controllers.kubelet.pod_worker import PodWorker
    from controllers.kubelet.process_pods import ProcessPods
    from controllers.kubelet.usage import UsageMeter
    from kctl.client.kubelet import Forward, Process, ProxiedAnswer, ProxiedRequest

__all__ = ["KubeletFleet", "NodeConfig", "StaticPod", "StaticPodState"]
_log = logging.getLogger(__name__)


class KubeletFleet:
    """`client_for` gives each kubelet a client with its node's identity, `runtime_for` what holds its containers: None for
    simulated ones, which behave as `profile` says. `processes` is the runtime of pods that are processes, where there may be some."""

    name = "kubelet"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(
        self,
        client_for: Callable[[User], Client],
        informers: InformerFactory,
        clock: Clock,
        randomness: random.Random,
        nodes: Sequence[NodeConfig] = (),
        *,
        profile: str = DEFAULT_PROFILE,
        runtime_for: Callable[[NodeConfig], ContainerRuntime | None] | None = None,
        processes: ProcessPods | None = None,
    ) -> None:
        self._client_for = client_for
        self._informers = informers
        self._clock = clock
        self._configs = list(nodes)
        self._writer = StatusWriter(clock)
        self._simulated = SimulatedRuntime(clock, randomness, Stages(profile), self._pod_defaults, self)
        self._runtime_for = runtime_for or (lambda config: None)
        self._processes = processes
        self._context = KubeletContext(clock, randomness, self._writer, self._look_up, self._wait_for)
        self._kubelets: dict[str, Kubelet] = {}
        self._static: dict[str, StaticPodRunner] = {}
        self._heartbeats = Heartbeats(clock, self.static_pods_changed)
        self._recorder: EventRecorder | None = None
        self._waiting: dict[tuple[str, str], dict[str, Waiter]] = {}
        self._caches: dict[str, Informer] = {}
        self._held: list[Object] = []
        """Pods that wait for a cache."""
        self._filling: set[str] = set()
        self._plain: tuple[object, object] = (None, None)
        """Volumes and containers of the last pod that needs no such cache: those of one template are asked about once."""
        self._addresses_given = 0
        self._usage_meter: UsageMeter | None = None
        self._networks: PodNetworks | None = None
        self.api: Callable[[], ApiForPods] | None = None
        """kube-apiserver as pods meet it, where there is one for them."""
        self._tasks: dict[asyncio.Task[None], None] = {}

    # ---- running

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        try:
            await self.start()
            ready()
            await stop.wait()
        finally:
            await self.stop()

    async def start(self) -> None:
        """Registers the nodes, then begins to run pods. Returns when every node has posted that it is ready."""
        pods = self._informers.informer(PODS)
        self._caches[CONFIG_MAP] = config_maps = self._informers.informer(CONFIG_MAPS)
        nodes = self._informers.informer(NODES)
        kubelets = [self._make(config) for config in self._configs]
        await asyncio.gather(self._informers.start(), *(kubelet.register() for kubelet in kubelets))
        await self._heartbeats.start(kubelets)
        nodes.add_handler(self._nodes_changed)
        config_maps.add_handler(lambda changes: self._appeared(CONFIG_MAP, changes))
        if self._processes is not None:
            if self._processes.are_asked_for(pods.list()):
                await self._fill([RUNTIME_CLASS])
            await self._processes.keep_only(self, map(objects.uid, pods.list()))
        self._reserve_addresses(pods.list())
        pods.add_handler(self._pods_changed)
        await asyncio.gather(*(self._start_static(kubelet) for kubelet in kubelets if kubelet.config.static_pods))

    async def stop(self) -> None:
        """Containers are left as they are: the next start takes them over."""
        for kubelet in self._kubelets.values():
            kubelet.stop()
        for runner in self._static.values():
            await runner.stop()
        await self._heartbeats.stop()
        if self._networks is not None:
            await self._networks.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._processes is not None:
            await self._processes.stop()
        await self._writer.stop()
        if self._recorder is not None:
            await self._recorder.sink.stop()

    def _make(self, config: NodeConfig) -> Kubelet:
        index = self._addresses_given = self._addresses_given + 1
        address = config.address or f"10.0.{(index + 1) >> 8}.{(index + 1) & 255}"
        client = self._client_for(user.node(config.name))
        client.field_manager = client.field_manager or "kubelet"
        if self._recorder is None:
            recorder = self._recorder = EventRecorder(client, self._clock, "kubelet", config.name)
        else:
            recorder = self._recorder.for_host(config.name, client)
        runtime = self._runtime_for(config) or self._simulated
        runtime_of = partial(self._runtime_of, runtime) if self._processes is not None else None
        kubelet = Kubelet(config, address, self._context, runtime, client, recorder, self._forget, self._spawn, runtime_of)
        self._kubelets[config.name] = kubelet
        return kubelet

    def _pod_defaults(self, node: str) -> Mapping[str, str]:
        kubelet = self._kubelets.get(node)
        return kubelet.pod_defaults if kubelet is not None else {}

    def _runtime_of(self, others: ContainerRuntime, pod: Object) -> ContainerRuntime:
        assert self._processes is not None
        return self._processes.runtime(self) if self._processes.concerns(pod, self._look_up) else others

    async def _start_static(self, kubelet: Kubelet) -> None:
        runner = self._static[kubelet.name] = StaticPodRunner(kubelet)
        await runner.start()

    def static_pods_changed(self) -> None:
        """Components of the daemon started, stopped or restarted: look at their states. Also done every 10 s."""
        for runner in self._static.values():
            runner.refresh()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    # ---- pods

    def _pods_changed(self, changes: Sequence[Change]) -> None:
        kubelets = self._kubelets
        for old, new in changes:
            pod = new if new is not None else old
            assert pod is not None
            kubelet = kubelets.get(pod["spec"].get("nodeName"))
            if kubelet is None:
                continue
            if self._static and kubelet.name in self._static:
                runner = self._static[kubelet.name]
                runner.pod_removed(pod) if new is None else runner.pod_changed(pod)
            if new is None:
                kubelet.pod_removed(pod)
                continue
            if old is not None and old["metadata"]["uid"] != new["metadata"]["uid"]:
                kubelet.pod_removed(old)
            spec = new["spec"]
            looks_new = spec.get("volumes") is not self._plain[0] or spec["containers"] is not self._plain[1]
            if looks_new and len(self._caches) <= len(LATER) and not kubelet.runs(new) and (kinds := self._lacking(new)):
                self._fetch(kinds, new)
            elif not self._held or not self._hold(new):
                kubelet.pod_changed(new)

    def _reserve_addresses(self, pods: Iterable[Object]) -> None:
        for pod in pods:
            kubelet = self._kubelets.get(objects.spec(pod).get("nodeName") or "")
            if kubelet is not None:
                kubelet.reserve_address(pod)

    def _hold(self, pod: Object) -> bool:
        """Keep only the newest version of a pod that waits for a cache."""
        for index, held in enumerate(self._held):
            if objects.uid(held) == objects.uid(pod):
                self._held[index] = pod
                return True
        return False

    def _lacking(self, pod: Object) -> list[str]:
        kinds = kinds_of(pod)
        if self._processes is not None:
            kinds = [*kinds, *self._processes.kinds_of(pod)]
        if not kinds and not pod["spec"].get("initContainers"):
            self._plain = pod["spec"].get("volumes"), pod["spec"]["containers"]
        return [kind for kind in kinds if kind not in self._caches]

    def _fetch(self, kinds: Sequence[str], pod: Object) -> None:
        """The first pod that uses a Secret or a claim: most clusters of simulated pods never need those caches."""
        if not self._hold(pod):
            self._held.append(pod)
        missing = [kind for kind in kinds if kind not in self._filling]
        if missing:
            self._filling.update(missing)
            self._spawn(self._fill(missing))

    async def _fill(self, kinds: Sequence[str]) -> None:
        informers = {kind: self._informers.informer(LATER[kind]) for kind in kinds}
        await self._informers.start()
        for kind, informer in informers.items():
            informer.add_handler(partial(self._appeared, kind))
            self._caches[kind] = informer
            self._filling.discard(kind)
        held, self._held = self._held, []
        pods = self._informers.informer(PODS)
        for pod in held:
            present = pods.get(objects.key(pod))
            kubelet = self._kubelets.get(objects.spec(pod).get("nodeName") or "")
            if kubelet is None or present is None or objects.uid(present) != objects.uid(pod):
                continue
            if lacking := self._lacking(present):
                self._fetch(lacking, present)
            else:
                kubelet.pod_changed(present)

    def _look_up(self, kind: str, key: str) -> Object | None:
        cache = self._caches.get(kind)
        return cache.get(key) if cache is not None else None

    # ---- SandboxSources

    @property
    def lookup(self) -> Lookup:
        return self._look_up

    def services(self) -> Sequence[Object]:
        cache = self._caches.get(SERVICE)
        return list(cache.list()) if cache is not None else ()

    def allocatable(self, node: str) -> Mapping[str, Any]:
        kubelet = self._kubelets.get(node)
        return (objects.status(kubelet.node).get("allocatable") or {}) if kubelet is not None else {}

    def node_address(self, node: str) -> str:
        kubelet = self._kubelets.get(node)
        return kubelet.address if kubelet is not None else ""

    def client(self, node: str) -> Client | None:
        kubelet = self._kubelets.get(node)
        return kubelet.client if kubelet is not None else None

    @property
    def networks(self) -> PodNetworks:
        if self._networks is None:
            from controllers.kubelet.network.assembly import network_of

            self._networks = network_of(self._clock, self._cache_of, self._kubelets, self._context.randomness, self.api)
            self._networks.cluster.beyond = self._processes.connect if self._processes is not None else None
        return self._networks

    def _cache_of(self, kind: str) -> Informer | None:
        return self._informers.informer(PODS) if kind == POD else self._caches.get(kind)

    async def dial(self, address: str, port: int) -> PodConnection:
        """For kube-apiserver: a TCP connection to an address of the cluster. Raises OSError."""
        await self._fill_for_network()
        from controllers.kubelet.network.connections import PodConnection
        from controllers.kubelet.network.pod_networks import API_SERVER_ADDRESS

        network = self.networks.cluster
        return PodConnection(lambda wake: network.open(address, port, wake=wake, source=API_SERVER_ADDRESS))

    async def _fill_for_network(self) -> None:
        missing = [kind for kind in OF_THE_NETWORK if kind not in self._caches and kind not in self._filling]
        if missing:
            self._filling.update(missing)
            await self._fill(missing)
        for kind in OF_THE_NETWORK:  # which another pod may be waiting for
            await self._informers.informer(LATER[kind]).wait_for_sync()

    def _wait_for(self, missing: Missing, worker: Waiter) -> None:
        self._waiting.setdefault((missing.kind, missing.key), {})[worker.uid] = worker

    def _appeared(self, kind: str, changes: Sequence[Change]) -> None:
        if not self._waiting:
            return
        for _, new in changes:
            if new is not None:
                for worker in self._waiting.pop((kind, objects.key(new)), {}).values():
                    worker.resume()

    def _forget(self, uid: str) -> None:
        if self._waiting:
            for waiting in self._waiting.values():
                waiting.pop(uid, None)

    # ---- nodes

    def _nodes_changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if new is None:
                assert old is not None
                self._node_deleted(objects.name(old))
                continue
            kubelet = self._kubelets.get(objects.name(new))
            if kubelet is not None:
                kubelet.node_updated(new)
            elif objects.annotations(new).get(node_behaviour.SIMULATED) == "true":
                self._spawn(self._add_node(new))

    def _node_deleted(self, name: str) -> None:
        kubelet = self._kubelets.pop(name, None)
        if kubelet is not None:
            self._heartbeats.remove(name)
            kubelet.node_deleted()

    async def _add_node(self, node: Object) -> None:
        """A Node that somebody created as an object gets a kubelet."""
        kubelet = self._make(node_status.config_of(node))
        await kubelet.register()
        self._heartbeats.add(kubelet)
        bound = [pod for pod in self._informers.informer(PODS).list() if objects.spec(pod).get("nodeName") == kubelet.name]
        self._reserve_addresses(bound)
        self._pods_changed([Change(None, pod) for pod in bound])

    # ---- UsageSource

    def usage(self, pod: Object) -> PodUsage | None:
        kubelet = self._kubelets.get(objects.spec(pod).get("nodeName") or "")
        if kubelet is None or kubelet.paused:
            return None
        return self._meter().usage(pod, kubelet.pod_defaults)

    def node_usage(self, node: str) -> NodeUsage | None:
        kubelet = self._kubelets.get(node)
        if kubelet is None or kubelet.paused:
            return None
        return self._meter().node_usage(node, kubelet.pod_defaults)

    def _meter(self) -> UsageMeter:
        """Made, and its index with it, when somebody first asks."""
        if self._usage_meter is None:
            from controllers.kubelet.usage import UsageMeter

            measured = self._processes.usage if self._processes is not None else None
            self._usage_meter = UsageMeter(self._informers.informer(PODS), self._clock, measured)
        return self._usage_meter

    # ---- KubeletConnector

    async def logs(self, node: str, namespace: str, pod: str, container: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Raises ApiError as a kubelet (through the API server) would answer."""
        key = f"{namespace}/{pod}"
        self._reach(node, f"containerLogs/{key}/{container}")
        static = self._static_pod(node, key)
        if static is not None:
            return static.logs(options) if static.logs is not None else stream_lines(tuple, options, self._clock)
        worker = self._worker(node, key)
        if worker is None:
            raise status.NotFound(f'pods "{pod}" not found')
        return container_logs(worker, container, options)

    async def exec(self, node: str, namespace: str, pod: str, container: str, command: Sequence[str]) -> Process:
        key = f"{namespace}/{pod}"
        self._reach(node, f"exec/{key}/{container}")
        await self._load_execution()
        from controllers.kubelet import execution

        worker = self._worker(node, key)
        await self._fill_for_network()
        return execution.exec_in(worker, container, command)

    async def attach(self, node: str, namespace: str, pod: str, container: str) -> Process:
        key = f"{namespace}/{pod}"
        self._reach(node, f"attach/{key}/{container}")
        await self._load_execution()
        from controllers.kubelet import execution

        return execution.attach_to(self._worker(node, key), container)

    async def port_forward(self, node: str, namespace: str, pod: str) -> Forward:
        key = f"{namespace}/{pod}"
        self._reach(node, f"portForward/{key}")
        await self._load_execution()
        await self._fill_for_network()
        from controllers.kubelet import execution

        return execution.port_forward_to(self._worker(node, key), f"{pod}_{namespace}", self.networks)

    async def proxy(self, node: str, request: ProxiedRequest) -> ProxiedAnswer:
        kubelet = self._kubelets.get(node)
        if kubelet is None or kubelet.paused:
            host = kubelet.address if kubelet is not None else node
            raise status.ServiceUnavailable(f"error trying to reach service: dial tcp {host}:10250: connect: connection refused")
        await self._clock.beside(partial(import_module, "controllers.kubelet.kubelet_http"))
        from controllers.kubelet import kubelet_http

        meter = self._meter()
        sources = kubelet_http.NodeSources(
            node,
            meter.counters(node),
            lambda: kubelet.node,
            lambda: meter.pods_of(node),
            lambda pod: meter.usage(pod, kubelet.pod_defaults),
            lambda: meter.node_usage(node, kubelet.pod_defaults),
            partial(self.logs, node),
        )
        return await kubelet_http.answer(sources, request)

    async def _load_execution(self) -> None:
        """Beside the event loop; most clusters never need it."""
        await self._clock.beside(partial(import_module, "controllers.kubelet.execution"))

    def _reach(self, node: str, path: str) -> Kubelet:
        """Raises InternalError where nobody answers."""
        kubelet = self._kubelets.get(node)
        if kubelet is None or kubelet.paused:
            raise status.InternalError(f'Get "https://{node}:10250/{path}": dial tcp: connect: connection refused')
        return kubelet

    def _static_pod(self, node: str, key: str) -> StaticPod | None:
        runner = self._static.get(node)
        return runner.static_pod(key) if runner is not None else None

    def _worker(self, node: str, key: str) -> PodWorker | None:
        present = self._informers.informer(PODS).get(key)
        return self._kubelets[node].worker(objects.uid(present)) if present is not None else None
