"""The surroundings of a simulated pod's containers: volumes, files, variables, identity. Made when a container first needs them.

What outlives a pod (the folders of claims and of hosts) is held for the process; nothing is written to a disk.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from controllers.kubelet.commands.network import PodNetwork
from controllers.kubelet.commands.work import Turns
from controllers.kubelet.commands.world import PodFacts, World
from controllers.kubelet.environment import environment, expand
from controllers.kubelet.files import etc, volumes
from controllers.kubelet.files.root import System, add_mount, root_of, system_mounts
from controllers.kubelet.files.tree import Budget, Directory, File, FileSystem, Mount, Who
from controllers.kubelet.network.pod_networks import PodNetworks
from controllers.kubelet.references import Lookup
from controllers.kubelet.runtime import RunningPod
from controllers.kubelet.service_variables import service_variables, visible
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SERVICE_ACCOUNTS
from kctl.client.client import Client

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TERMINATION_LOG = "/dev/termination-log"
_MOST_SHARED = 10_000
_TOKEN_SHARE = 0.8
NONROOT = 65532
"""The user of images that do not run as root, as most of them have it."""


class SandboxSources(Protocol):
    """What sandboxes ask of the kubelets they belong to."""

    @property
    def lookup(self) -> Lookup: ...

    def services(self) -> Sequence[Object]:
        """Of all namespaces, as far as they are known."""
        ...

    def allocatable(self, node: str) -> Mapping[str, Any]: ...

    def node_address(self, node: str) -> str: ...

    def client(self, node: str) -> Client | None: ...

    @property
    def networks(self) -> PodNetworks:
        """Made when first asked for."""
        ...


class PodSandbox:
    """What the containers of one pod share. Files that are made of the pod's present object change with it."""

    def __init__(self, worker: RunningPod, sources: SandboxSources, shared: Callable[[str], Directory], clock: Clock, turns: Turns) -> None:
        self._worker = worker
        self._sources = sources
        self._clock = clock
        self._turns = turns
        self._budget = Budget()
        self._tokens: dict[tuple[str, int], str] = {}
        self._renew_at: dict[tuple[str, int], float] = {}
        made = volumes.VolumeSources(sources.lookup, shared, self._token, self._allocatable)
        self._volumes = volumes.mounts(lambda: self.pod, made, self._budget)
        self.hostname = etc.hostname(self.pod)
        self._etc = {
            "/etc/hosts": File(etc.hosts(self.pod, self.addresses).encode()),
            "/etc/resolv.conf": File(etc.resolv_conf(self.pod, [etc.CLUSTER_DNS]).encode()),
            "/etc/hostname": File(f"{self.hostname}\n".encode()),
        }

    # ---- the pod

    @property
    def pod(self) -> Object:
        """With the addresses that its status may not show yet."""
        pod, host = self._worker.pod, self.node_address
        status = {**objects.status(pod), "hostIP": host, "hostIPs": [{"ip": host}]}
        addresses = self.addresses
        if addresses:
            status |= {"podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}
        return {**pod, "status": status}

    @property
    def node(self) -> str:
        return str(objects.spec(self._worker.pod).get("nodeName") or "")

    @property
    def node_address(self) -> str:
        return self._sources.node_address(self.node)

    @property
    def addresses(self) -> Sequence[str]:
        if objects.spec(self._worker.pod).get("hostNetwork"):
            return [self.node_address]
        return [self._worker.ip] if self._worker.ip else []

    def _allocatable(self, pod: Object) -> Mapping[str, Any]:
        return self._sources.allocatable(self.node)

    def volume(self, name: str) -> Mount | None:
        """Its files as they are in memory; None where the pod has no volume of that name."""
        return self._volumes.get(name)

    def etc(self) -> Mapping[str, bytes]:
        """Path > content of the files that a kubelet writes for the pod."""
        return {path: file.data for path, file in self._etc.items()}

    # ---- tokens

    def _token(self, audience: str, seconds: int) -> str:
        return self._tokens.get((audience, seconds), "")

    def lacks_tokens(self, container: Object) -> bool:
        """One that it mounts is not there yet."""
        mounted = {str(mount.get("name")) for mount in container.get("volumeMounts") or ()}
        return any(key not in self._tokens for name, key in self._wanted_tokens() if name in mounted)

    def _wanted_tokens(self) -> Iterator[tuple[str, tuple[str, int]]]:
        """Volume > (audience, seconds)."""
        for volume in objects.spec(self._worker.pod).get("volumes") or ():
            for source in (volume.get("projected") or {}).get("sources") or ():
                wanted = source.get("serviceAccountToken")
                if wanted is not None:
                    yield str(volume["name"]), (str(wanted.get("audience") or ""), int(wanted.get("expirationSeconds") or 3600))

    def tokens_are_old(self) -> bool:
        """Some are to be renewed: a kubelet does it when four fifths of their time are over."""
        now = self._clock.monotonic()
        return any(now >= moment for moment in self._renew_at.values())

    async def fetch_tokens(self) -> None:
        """Those of its projected volumes that are not there yet, or old."""
        client, now = self._sources.client(self.node), self._clock.monotonic()
        for _, key in list(self._wanted_tokens()):
            if client is not None and (key not in self._tokens or now >= self._renew_at.get(key, math.inf)):
                self._tokens[key] = await self._fetch(client, self._worker.pod, *key)
                self._renew_at[key] = now + key[1] * _TOKEN_SHARE

    @staticmethod
    async def _fetch(client: Client, pod: Object, audience: str, seconds: int) -> str:
        reference = {"apiVersion": "v1", "kind": "Pod", "name": objects.name(pod), "uid": objects.uid(pod)}
        spec: Object = {"expirationSeconds": seconds, "boundObjectRef": reference, "audiences": [audience] if audience else []}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": spec}
        account = str(objects.spec(pod).get("serviceAccountName") or "default")
        answer = await client.create_subresource(SERVICE_ACCOUNTS, account, objects.namespace(pod), "token", request)
        return str(objects.status(answer).get("token") or "")

    def network(self, wake: Callable[[], None]) -> PodNetwork:
        """As one container sees it."""
        return self._sources.networks.join(self._worker, wake)

    # ---- one container

    def variables(self, container: Object) -> dict[str, str]:
        """As the pod's spec gives them, after those of services."""
        pod = self.pod
        services = service_variables(visible(self._sources.services(), pod))
        address = self.addresses[0] if self.addresses else ""
        return environment(pod, container, self._sources.lookup, address, services, self._allocatable(pod))

    def command_line(self, container: Object, words: Sequence[str]) -> list[str]:
        """`words` with $(VARIABLE) replaced."""
        if not any("$" in word for word in words):
            return list(words)
        variables = self.variables(container)
        return [expand(word, variables)[0] for word in words]

    def world(
        self, container: Object, command: Sequence[str], image_files: Mapping[str, bytes], image_user: int, out: Callable[[bytes], None]
    ) -> World:
        """A new root with the pod's volumes. Raises OSError where a mount cannot be made."""
        who = identity(self.pod, container, image_user)
        variables = self.variables(container)
        home = "/root" if who.uid == 0 else "/"
        env = {"PATH": PATH, "HOSTNAME": self.hostname, "HOME": home, **variables}
        system = self._system(container, command, who, env)
        root = root_of(image_files, system)
        context = container.get("securityContext") or {}
        files = FileSystem(root, {}, self._budget, read_only=bool(context.get("readOnlyRootFilesystem")))
        for path, mount in system_mounts(lambda: files, system, out).items():
            add_mount(files, path, mount, root)
        for path, file in self._etc.items():
            add_mount(files, path, Mount(file, "ext4"), root)
        for each in sorted(container.get("volumeMounts") or (), key=lambda mount: str(mount.get("mountPath")).count("/")):
            self._mount(files, root, each, variables)
        add_mount(files, str(container.get("terminationMessagePath") or TERMINATION_LOG), Mount(File(b"", 0o666), "ext4"), root)
        working = container.get("workingDir")
        if working and not files.exists(str(working)):
            files.make_directory(str(working), parents=True)
        pod = self._worker.pod
        facts = PodFacts(objects.name(pod), objects.namespace(pod), objects.uid(pod), self.node)
        image = str(container.get("image") or "")
        return World(files, who, self._clock, self.hostname, image, pod=facts, env=env, turns=self._turns)

    def _system(self, container: Object, command: Sequence[str], who: Who, env: Mapping[str, str]) -> System:
        context = container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        sysctls = (objects.spec(self._worker.pod).get("securityContext") or {}).get("sysctls") or ()
        return System(
            self.hostname,
            tuple(command),
            who.uid,
            who.gid,
            who.groups,
            privileged=bool(context.get("privileged")),
            no_new_privileges=context.get("allowPrivilegeEscalation") is False,
            added=tuple(capabilities.get("add") or ()),
            dropped=tuple(capabilities.get("drop") or ()),
            sysctls={str(each["name"]): str(each["value"]) for each in sysctls},
            env=env,
            age=self._clock.monotonic,
        )

    def _mount(self, files: FileSystem, root: Directory, wanted: Object, variables: Mapping[str, str]) -> None:
        volume = self._volumes.get(str(wanted.get("name")))
        if volume is None:
            raise OSError(errno.ENOENT, "no such volume", str(wanted.get("name")))
        node = volume.node
        below = str(wanted.get("subPath") or "") or expand(str(wanted.get("subPathExpr") or ""), variables)[0]
        if below.strip("/."):
            assert isinstance(node, Directory)
            inside = FileSystem(node, {}, self._budget)
            if not inside.exists(f"/{below}"):
                inside.make_directory(f"/{below}", mode=node.mode & 0o777, parents=True)
            node = inside.node(f"/{below}")
        add_mount(files, str(wanted.get("mountPath")), Mount(node, volume.kind, volume.read_only or bool(wanted.get("readOnly"))), root)


def identity(pod: Object, container: Object, image_user: int) -> Who:
    """By securityContext; the image's own user where that is silent."""
    of_pod, own = objects.spec(pod).get("securityContext") or {}, container.get("securityContext") or {}
    uid = own.get("runAsUser", of_pod.get("runAsUser"))
    gid = own.get("runAsGroup", of_pod.get("runAsGroup"))
    groups = [*(of_pod.get("supplementalGroups") or ())]
    if of_pod.get("fsGroup") is not None:
        groups.append(of_pod["fsGroup"])
    if uid is None and not image_user and own.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        uid = NONROOT  # an image that is not known: of those that are, none that runs as root got here
    return Who(image_user if uid is None else int(uid), 0 if gid is None else int(gid), tuple(int(group) for group in groups))


class Sandboxes:
    """Of all simulated pods of the process, by the uid of their pod."""

    def __init__(self, sources: SandboxSources, clock: Clock) -> None:
        self.sources = sources
        self._clock = clock
        self._turns = Turns(clock)
        self._sandboxes: dict[str, PodSandbox] = {}
        self._shared: dict[str, Directory] = {}

    def of(self, worker: RunningPod) -> PodSandbox:
        uid = objects.uid(worker.pod)
        sandbox = self._sandboxes.get(uid)
        if sandbox is None:
            sandbox = self._sandboxes[uid] = PodSandbox(worker, self.sources, self._folder, self._clock, self._turns)
        return sandbox

    def forget(self, uid: str) -> None:
        if self._sandboxes.pop(uid, None) is not None:
            self.sources.networks.leave(uid)

    def _folder(self, name: str) -> Directory:
        directory = self._shared.get(name)
        if directory is None:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.pop(next(iter(self._shared)))
            directory = self._shared[name] = Directory(mode=0o777 if name.startswith("claim/") else 0o755)
        return directory
