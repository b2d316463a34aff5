"""One cluster in this process: its files, its components, its end. `kctl run-cluster` is a thin shell around it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.virtual_time import QuietLoop
from kctl.daemon import admin_kubeconfig, component_kubeconfigs, components, logs, pki, port
from kctl.daemon.api_server_config import api_server_config
from kctl.daemon.clock_file import ClusterClock
from kctl.daemon.cluster_files import make_private
from kctl.daemon.component import ComponentMaker, Seed
from kctl.daemon.config import ClusterConfig, components_of
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.damage import DamagedFile
from kctl.daemon.lock import ClusterLock
from kctl.daemon.nodes import simulated_nodes
from kctl.daemon.paths import ClusterPaths, siblings
from kctl.daemon.secure_serving import SecureServing
from kctl.daemon.static_pods import static_pods
from kctl.daemon.stores import store_of
from kctl.daemon.supervisor import ComponentCrashed, ComponentState
from kctl.kube_apiserver.config import ApiServerConfig

if TYPE_CHECKING:
    from store.etcd import Etcd

_log = logging.getLogger(__name__)


class Cluster:
    """`run` serves until `stop` is set. `machine` is the clock that the cluster's own is made from; it runs on any event loop, and can be
    steered well on a QuietLoop. Raises lock.AlreadyServed, damage.DamagedFile, and supervisor.ComponentCrashed, whose cause may
    be secure_serving.PortInUse."""

    def __init__(self, paths: ClusterPaths, config: ClusterConfig, machine: Clock, seed: Seed = None) -> None:
        self._paths = paths
        self._config = config
        self._machine = machine
        self._seed = seed
        self.url = ""
        self.notices: list[str] = []
        """What the user should know although the cluster starts: kubeconfigs given out that are no longer right."""

    async def run(
        self,
        stop: asyncio.Event,
        *,
        on_component: Callable[[str], None] = lambda name: None,
        on_ready: Callable[[], None] = lambda: None,
        verbose: bool = False,
    ) -> None:
        lock = ClusterLock(self._paths.process_id)
        lock.acquire()
        make_private(self._paths)
        handler = logs.install(self._paths.logs, verbose=verbose)
        try:
            store = store_of(self._config, self._paths, self._machine)
            clock = ClusterClock(self._paths.clock, self._machine, self._config.speed, partial(_come_to_rest, store))
            clock.start()
            try:
                await self._serve(lock, store, clock.clock, stop, on_component, on_ready)
            finally:
                clock.stop()
        except ComponentCrashed as crash:
            _log.critical("%s", crash, exc_info=crash.__cause__)
            raise
        finally:
            lock.release()
            handler.close()

    async def _serve(
        self,
        lock: ClusterLock,
        store: Etcd,
        clock: Clock,
        stop: asyncio.Event,
        on_component: Callable[[str], None],
        on_ready: Callable[[], None],
    ) -> None:
        admin_kubeconfig.check(self._paths)
        keys = self._keys()
        config = replace(self._config, starts=self._config.starts + 1, port=port.wanted(self._config, _others(self._paths)))
        if not self._paths.settings.exists():
            self._config.save(self._paths.settings)
        plane = self._control_plane(config, keys, store, clock)
        try:
            await plane.start(on_component)
            serving = plane.component(SecureServing)
            self.url = serving.url
            self._remember(config.starts, serving.port)
            admin_kubeconfig.write(self._paths, self.url, keys)
            self._leave_to_others(keys)
            lock.publish(self.url, times.rfc3339(self._machine.now()))
            on_ready()
            await plane.wait(stop)
        finally:
            await plane.stop()

    def _control_plane(self, config: ClusterConfig, keys: pki.Pki, store: Etcd, clock: Clock) -> ControlPlane:
        def state_of(name: str) -> ComponentState | None:
            return plane.states.get(name)

        pods = static_pods(config, self._paths.logs, self._machine, state_of)
        serving = partial(SecureServing, pki=keys, host=config.host, port=config.port)
        processes = components.Processes(
            self._paths.processes, config.images, config.runtime, api_server_port=lambda: plane.component(SecureServing).port
        )
        clients: dict[str, ComponentMaker] = {
            "kube-controller-manager": partial(components.KubeControllerManagerComponent, controllers=config.controllers.split(",")),
            "kube-scheduler": components.KubeSchedulerComponent,
            "kubelet": partial(components.KubeletComponent, processes=processes),
        }
        plane = ControlPlane(
            store,
            clock,
            self._seed,
            simulated_nodes(config, pods),
            (components.EtcdComponent, serving, *(clients[name] for name in components_of(config.components))),
            config=_api_server_config(keys, config),
        )
        return plane

    def _leave_to_others(self, keys: pki.Pki) -> None:
        running = components_of(self._config.components)
        for name in component_kubeconfigs.write(self._paths, self.url, keys, running, self._machine.now()):
            self.notices.append(f"{name} does not run in this cluster: whoever is to be it has {self._paths.component_kubeconfig(name)}")

    def _keys(self) -> pki.Pki:
        """Of the cluster's authority. New ones make void what a cluster that was started before has given out."""
        if self._config.starts and not pki.Pki(self._paths.pki).exists:
            self.notices.append(f"{self._paths.pki} was gone: there are new keys now, and kubeconfigs and tokens given out before are void")
        return pki.ensure(self._paths.pki, now=self._machine.now(), hosts=[socket.gethostname(), self._config.host])

    def _remember(self, starts: int, served: int) -> None:
        """The port stays the cluster's own."""
        before = self._config.served_port
        if before and served != before and self._config.port <= port.ANY:
            self.notices.append(
                f"port {before} is taken by another program, so the API server is on port {served} now: {self._paths.kubeconfig} is right "
                f"again, copies of it are not. (To have the old port back, free it and start with --port {before}.)"
            )
        replace(self._config, starts=starts, served_port=served).save(self._paths.settings)


async def _come_to_rest(store: Etcd) -> None:
    """When nothing is left to do at the present time, neither on the loop nor where the store writes to."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, QuietLoop):
        await asyncio.sleep(0)
        await store.written()
        return
    await loop.quiet()
    while await store.written():
        await loop.quiet()


def _api_server_config(keys: pki.Pki, config: ClusterConfig) -> ApiServerConfig:
    made = api_server_config(keys, config.host, authorization_mode=config.authorization_mode)
    if not config.audit_policy_file:
        return made
    from kctl.daemon.audit_policy import audit_policy, rotation

    policy = audit_policy(config)
    return replace(made, audit_policy=policy, audit_log_path=config.audit_log_path, audit_log_rotation=rotation(config))


def _others(paths: ClusterPaths) -> Iterator[ClusterConfig]:
    """The settings of this machine's other clusters, those that can be read."""
    for other in siblings(paths):
        with contextlib.suppress(DamagedFile):
            config = ClusterConfig.load(other.settings)
            if config is not None:
                yield config
