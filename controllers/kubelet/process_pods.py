"""Which pods are processes, by their RuntimeClass, and the runtime of those, which is made with the first of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from controllers.kubelet.references import OF_THE_NETWORK, RUNTIME_CLASS, Lookup
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    import random

    from controllers.kubelet.commands.network import Side
    from controllers.kubelet.process_runtime.runtime import ProcessRuntime
    from controllers.kubelet.sandbox import SandboxSources
    from kctl.apimachinery.clock import Clock
    from kctl.client.kubelet import PodUsage

PROCESS, SIMULATED = "process", "simulated"
HANDLERS = (SIMULATED, PROCESS)
"""What RuntimeClasses may name; any other means what pods without a class get."""


class ProcessPods:
    """`folder` and `isolation` are the runtime's, `images` its map; `default` the handler of pods without a runtimeClassName;
    `api_server_port` where kube-apiserver listens on this machine, 0 where it does not; `announce_dns` is told where
    cluster DNS answers."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        randomness: random.Random,
        images: Mapping[str, str] | None = None,
        default: str = SIMULATED,
        isolation: str = "any",
        api_server_port: Callable[[], int] = lambda: 0,
        announce_dns: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._randomness = randomness
        self._images = images or {}
        self._default = default
        self._isolation = isolation
        self._api_server_port = api_server_port
        self._announce_dns = announce_dns
        self._runtime: ProcessRuntime | None = None

    def concerns(self, pod: Object, lookup: Lookup) -> bool:
        """A class that is gone by now is taken at its name."""
        name = pod["spec"].get("runtimeClassName")
        if name is None:
            return self._default == PROCESS
        found = lookup(RUNTIME_CLASS, name)
        handler = str(found.get("handler")) if found is not None else name
        return (handler if handler in HANDLERS else self._default) == PROCESS

    def kinds_of(self, pod: Object) -> tuple[str, ...]:
        """What has to be known before such a pod starts: its class, and what the variables of services are made of."""
        if pod["spec"].get("runtimeClassName") is not None:
            return (RUNTIME_CLASS, *OF_THE_NETWORK)
        return OF_THE_NETWORK if self._default == PROCESS else ()

    def runtime(self, sources: SandboxSources) -> ProcessRuntime:
        if self._runtime is None:
            from controllers.kubelet.process_runtime.runtime import ProcessRuntime, unannounced

            self._runtime = ProcessRuntime(
                self._clock,
                self._randomness,
                sources,
                self._folder,
                self._images,
                isolation=self._isolation,
                api_server_port=self._api_server_port,
                announce_dns=self._announce_dns or unannounced,
            )
        return self._runtime

    @property
    def running(self) -> ProcessRuntime | None:
        """None while no pod has needed it."""
        return self._runtime

    @staticmethod
    def are_asked_for(pods: Iterable[Object]) -> bool:
        """By pods that are there at a start."""
        return any("runtimeClassName" in pod["spec"] for pod in pods)

    async def keep_only(self, sources: SandboxSources, uids: Iterable[str]) -> None:
        """What other pods have left ends."""
        pods = self._folder / "pods"
        if pods.is_dir() and any(pods.iterdir()):
            await self.runtime(sources).keep_only(uids)

    def usage(self, pod: Object) -> PodUsage | None:
        """As measured; None where it is no such pod, or none of its containers runs."""
        return self._runtime.usage(pod) if self._runtime is not None else None

    def connect(self, address: str, port: int, protocol: str, wake: Callable[[], None]) -> Side | None:
        """To a pod that is a process; None where the address is none of one's. Raises OSError."""
        if self._runtime is None or protocol != "TCP" or not self._runtime.addresses.has(address):
            return None
        from controllers.kubelet.process_runtime.real_network import RealNetwork

        return RealNetwork(self._clock).open(address, port, protocol, wake)

    async def stop(self) -> None:
        if self._runtime is not None:
            await self._runtime.stop()
