"""The container runtime `process`: containers are processes of this machine, each below a shim that outlives the kubelet.

One serves all nodes of a daemon. Its folder holds what there is to know of them, so that a kubelet that starts again finds its containers
by it: by process id and start time, never by an id alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from controllers.kubelet.commands.work import Turns
from controllers.kubelet.environment import expand
from controllers.kubelet.files.tree import Directory
from controllers.kubelet.node_status import event_reference
from controllers.kubelet.process_runtime import rootfs
from controllers.kubelet.process_runtime.cluster_view import ClusterView
from controllers.kubelet.process_runtime.container import ProcessContainer
from controllers.kubelet.process_runtime.forwarding import HostPort, Place, ServiceForwarder
from controllers.kubelet.process_runtime.identity import CannotMake, identity_of
from controllers.kubelet.process_runtime.image_map import ImageMap
from controllers.kubelet.process_runtime.launching import Launcher
from controllers.kubelet.process_runtime.log_file import DEFAULT_FILES, DEFAULT_SIZE
from controllers.kubelet.process_runtime.loopback import LoopbackAddresses
from controllers.kubelet.process_runtime.measuring import ProcessMeter
from controllers.kubelet.process_runtime.name_server import NameServer
from controllers.kubelet.process_runtime.pod_folder import PodFolder
from controllers.kubelet.process_runtime.policy_notices import PolicyNotices
from controllers.kubelet.process_runtime.process_tree import MARK
from controllers.kubelet.process_runtime.reaping import reap, remove, stop_all
from controllers.kubelet.process_runtime.shim import ShimConfig
from controllers.kubelet.references import NETWORK_POLICY
from controllers.kubelet.runtime import ContainerListener, PulledImage, PullFailure, RunningPod
from controllers.kubelet.sandbox import PodSandbox, SandboxSources
from controllers.runtime.events import EventRecorder
from kctl.apimachinery import objects, quantity
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import ApiError
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.kubelet import PodUsage

NAME = "kctl-process"
VERSION = "1.0.0"
ISOLATION_LABEL = "kctl.dev/process-isolation"
"""Of Nodes that have run such pods: mounts, user or none."""
HANDLER = "process"
"""Of RuntimeClasses."""
REFRESH_SECONDS = 1.0
"""How often volumes are compared with the ConfigMaps and Secrets they are made of."""
_STOP_SECONDS = 5.0
"""Between SIGTERM and SIGKILL when the cluster stops."""


async def unannounced(address: str) -> None:
    """Nobody is told where cluster DNS answers."""


class ProcessRuntime:
    """`folder` is kept between starts. `images` by full names as image_map has them; `isolation` as rootfs has it, "any" for the best that
    the machine allows; `api_server_port` is where kube-apiserver listens, 0 where it does not; `announce_dns` is told where cluster DNS
    answers."""

    name = NAME
    version = VERSION

    def __init__(
        self,
        clock: Clock,
        randomness: random.Random,
        sources: SandboxSources,
        folder: Path,
        images: Mapping[str, str] | None = None,
        *,
        isolation: str = "any",
        api_server_port: Callable[[], int] = lambda: 0,
        announce_dns: Callable[[str], Awaitable[None]] = unannounced,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.clock = clock
        self._turns = Turns(clock)
        self._randomness = randomness
        self._view = ClusterView(sources, str(folder), api_server_port)
        self._forwarder = ServiceForwarder(clock, lambda: sources.networks, self._view.address, self._view.api_server, self._tell)
        self._names = NameServer(clock, self._view, randomness, announce_dns, self._no_dns)
        self._policies = PolicyNotices(self._tell)
        self._recorder: EventRecorder | None = None
        self._meter = ProcessMeter(clock)
        self._pods = folder / "pods"
        self._claims = folder / "claims"
        for each in (folder, self._pods, self._claims, folder / "images"):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._images = ImageMap(images or {}, environment, folder / "images")
        self._unpacking = asyncio.Lock()
        self.addresses = LoopbackAddresses(randomness)
        self.addresses.reserve(self._view.dns_address)
        self.isolation = ""
        """'' while it is not known."""
        self._launcher = Launcher(folder, isolation, self._isolated)
        self._folders: dict[str, PodFolder] = {}
        self._containers: dict[ProcessContainer, None] = {}
        """Those of which something runs."""
        self._forgotten: dict[str, None] = {}
        """Pods that are gone, whose containers may still have to end."""
        self._work: dict[asyncio.Task[None], None] = {}
        self._refreshing: Timer | None = None
        self._stopped = False
        self._nodes: dict[str, None] = {}
        """Those that have such pods."""

    def _isolated(self, kind: str) -> None:
        self.isolation = kind
        for node in list(self._nodes):
            self._say_isolation(node)

    def _say_isolation(self, node: str) -> None:
        """On the Node: once for each that runs such pods."""
        client = self._view.client(node)
        if client is None or not self.isolation:
            return
        recorder = EventRecorder(client, self.clock, "kubelet", node)
        recorder.event(event_reference(node), "Normal", "ProcessIsolation", rootfs.WORDS[self.isolation])
        self._spawn(self._label(node, client, recorder))

    async def _label(self, node: str, client: Client, recorder: EventRecorder) -> None:
        with contextlib.suppress(ApiError, ConnectionFailed):
            await client.patch(NODES, node, {"metadata": {"labels": {ISOLATION_LABEL: self.isolation}}})
        await recorder.sink.stop()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = None
        task.add_done_callback(self._work.pop)

    # ---- images

    def needs_pull(self, pod: Object, container: Object) -> bool:
        return not self._images.present(container)

    def pull_image(
        self, pod: Object, container: Object, done: Callable[[PulledImage | PullFailure], None]
    ) -> PulledImage | PullFailure | None:
        full = self._images.to_unpack(container)
        if full is None:
            return self._images.pull(container)
        self._spawn(self._unpack(full, container, done))
        return None

    async def _unpack(self, full: str, container: Object, done: Callable[[PulledImage | PullFailure], None]) -> None:
        """One at a time: containers that start together may have the same image."""
        began = self.clock.monotonic()
        async with self._unpacking:
            if self._images.to_unpack(container) is None:
                done(self._images.pull(container))
                return
            result = await self.clock.beside(lambda: self._images.unpack(full))
        if isinstance(result, PulledImage):
            result = replace(result, seconds=self.clock.monotonic() - began)
        done(result)

    # ---- containers

    def start_container(self, pod: Object, container: Object, attempt: int, listener: ContainerListener, *, init: bool) -> ProcessContainer:
        folder = self._folder(listener.pod)
        made = ProcessContainer(self, folder, container, attempt, listener, f"{NAME}://{self._randomness.getrandbits(256):064x}")
        self._make_room(folder, made)
        self._containers[made] = None
        self._keep_fresh()
        made.start()
        return made

    def adopt_container(
        self, pod: Object, container: Object, attempt: int, listener: ContainerListener, status: Object, *, init: bool
    ) -> ProcessContainer | None:
        state = status.get("state") or {}
        container_id = str(status.get("containerID") or "")
        if not container_id.startswith(f"{NAME}://"):
            return None
        made = ProcessContainer(self, self._folder(listener.pod), container, attempt, listener, container_id)
        if not made.adopt():
            return None
        if made.over:
            if "running" in state:
                made.tell_end()
        else:
            self._containers[made] = None
            self._keep_fresh()
        started = (state.get("running") or {}).get("startedAt")
        if started:
            from kctl.apimachinery import times

            made.started_at = times.parse(started)
        return made

    def _folder(self, pod: RunningPod) -> PodFolder:
        uid, node = objects.uid(pod.pod), str(objects.spec(pod.pod).get("nodeName") or "")
        if node not in self._nodes:
            self._nodes[node] = None
            self._say_isolation(node)
        found = self._folders.get(uid)
        if found is None:
            sandbox = PodSandbox(pod, self._view, lambda name: Directory(), self.clock, self._turns)
            found = self._folders[uid] = PodFolder(self._pods / uid, sandbox, self._claims, self._view)
        return found

    def _make_room(self, folder: PodFolder, container: ProcessContainer) -> None:
        """What an earlier kubelet started and never told of ends; of the runs before, the last is kept for `logs --previous`."""
        runs = container.run_folder.parent
        runs.mkdir(parents=True, exist_ok=True)
        for name in os.listdir(runs):
            if name == str(container.attempt):
                reap(runs / name)
                remove(runs / name)
            elif name.isdigit() and int(name) < container.attempt - 1:
                remove(runs / name)
        container.run_folder.mkdir(mode=0o700)

    def shim_config(self, folder: PodFolder, container: Object, run: Path, container_id: str) -> ShimConfig:
        """Raises CannotMake, CannotMount, OSError."""
        root = self._images.root(container)
        sandbox = folder.sandbox
        identity = identity_of(folder.pod, container, root.user)
        variables = sandbox.variables(container)
        words = root.words(container)
        if not words:
            raise CannotMake("no command specified")
        env = {**self._images.variables(root), "HOSTNAME": sandbox.hostname, **variables, MARK: container_id}
        if container.get("tty"):
            env.setdefault("TERM", "xterm")
        context = container.get("securityContext") or {}
        limits = (container.get("resources") or {}).get("limits") or {}
        return {
            "id": container_id,
            "argv": [expand(word, variables)[0] for word in words],
            "env": env,
            "cwd": str(container.get("workingDir") or root.working_directory),
            "uid": identity.uid,
            "gid": identity.gid,
            "groups": identity.groups,
            "no_new_privileges": context.get("allowPrivilegeEscalation") is False,
            "hostname": sandbox.hostname,
            "lower": root.lower,
            "read_only": bool(context.get("readOnlyRootFilesystem")),
            "mounts": folder.mounts(container, run, variables),
            "stdin": bool(container.get("stdin")),
            "stdin_once": bool(container.get("stdinOnce")),
            "tty": bool(container.get("tty")),
            "memory_limit": int(quantity.whole(limits["memory"])) if "memory" in limits else 0,
            "cgroup": "",
            "log_size": DEFAULT_SIZE,
            "log_files": DEFAULT_FILES,
        }

    async def prepare(self) -> None:
        """What a container will ask for: names are answered, Services are listened for."""
        await self._names.start()
        self._view.look_again()
        pods = {container.uid: container.folder.pod for container in self._containers}
        self._policies.look(pods.values(), self._view.networks.sources.all(NETWORK_POLICY))
        self._forwarder.sync(self._view.base.services(), self._host_ports())

    def _host_ports(self) -> Iterator[HostPort]:
        for container in self._containers:
            pod = container.folder.pod
            if objects.spec(pod).get("hostNetwork") or not container.running:
                continue
            for port in container.spec.get("ports") or ():
                protocol = str(port.get("protocol") or "TCP")
                if port.get("hostPort") and protocol != "SCTP":
                    yield HostPort(int(port["hostPort"]), Place(container.address, int(port["containerPort"]), protocol), pod)

    def _no_dns(self, why: str) -> None:
        node = next(iter(self._nodes), "")
        message = f"Pods that are processes find Services by /etc/hosts only, cluster DNS cannot be served: {why}"
        self._tell(event_reference(node), "MissingClusterDNS", message)

    def _tell(self, service: Object, reason: str, message: str) -> None:
        if self._recorder is None:
            node = next((folder.sandbox.node for folder in self._folders.values()), "")
            client = self._view.client(node)
            if client is None:
                return
            self._recorder = EventRecorder(client, self.clock, "kube-proxy", node)
        self._recorder.event(service, "Warning", reason, message)

    def start_shim(self, run: Path) -> socket.socket:
        return self._launcher.start_shim(run)

    # ---- ending

    def ended(self, container: ProcessContainer) -> None:
        self._containers.pop(container, None)
        if container.uid in self._forgotten:
            self._remove_if_over(container.uid)

    def forget(self, container: ProcessContainer) -> None:
        uid = container.uid
        if uid not in self._forgotten:
            self._forgotten[uid] = None
            asyncio.get_running_loop().call_soon(self._remove_if_over, uid)

    def _remove_if_over(self, uid: str) -> None:
        """Its files, once nothing of it runs."""
        if uid not in self._forgotten or any(container.uid == uid for container in self._containers):
            return
        self._forgotten.pop(uid)
        folder = self._folders.pop(uid, None)
        if folder is not None:
            self._spawn(self._remove(folder.path))

    async def _remove(self, path: Path) -> None:
        await self.clock.beside(lambda: remove(path))

    async def keep_only(self, uids: Iterable[str]) -> None:
        """After a start: pods that are in no cluster any more have left processes and files."""
        known = set(uids)
        for name in sorted(os.listdir(self._pods)):
            if name not in known and name not in self._folders:
                await self.clock.beside(lambda name=name: self._reap_pod(self._pods / name))  # type: ignore[misc]

    @staticmethod
    def _reap_pod(path: Path) -> None:
        for run in sorted(path.glob("containers/*/*")):
            reap(run)
        remove(path)

    async def stop(self) -> None:
        """The cluster stops: its processes do too, as on a node that is shut down; their pods go on with its next start."""
        self._stopped = True
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None
        runs = [each.run_folder for each in self._containers]
        self._launcher.close()
        await self._forwarder.stop()
        await self._names.stop()
        if self._recorder is not None:
            await self._recorder.sink.stop()
        await self.clock.beside(lambda: stop_all(runs, _STOP_SECONDS))
        await asyncio.gather(*self._work, return_exceptions=True)

    # ---- volumes that follow their sources

    def _keep_fresh(self) -> None:
        if self._refreshing is None and not self._stopped:
            self._refreshing = self.clock.call_later(REFRESH_SECONDS, self._refresh)

    def _refresh(self) -> None:
        self._refreshing = None
        if not self._containers:
            return
        self._view.look_again()
        for uid in dict.fromkeys(container.uid for container in self._containers):
            folder = self._folders.get(uid)
            if folder is not None:
                folder.refresh()
                if folder.sandbox.tokens_are_old():
                    self._spawn(self._renew_tokens(folder))
        self._spawn(self.prepare())
        self._keep_fresh()

    @staticmethod
    async def _renew_tokens(folder: PodFolder) -> None:
        with contextlib.suppress(ApiError, ConnectionFailed):  # tried again in a second
            await folder.sandbox.fetch_tokens()

    # ---- usage

    def usage(self, pod: Object) -> PodUsage | None:
        """None where none of its containers runs here."""
        uid = objects.uid(pod)
        return self._meter.usage(pod, [each for each in self._containers if each.uid == uid and each.running])
