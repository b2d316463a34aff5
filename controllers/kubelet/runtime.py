"""The container-runtime seam (CRI's role): what a kubelet asks of whatever really holds images and containers.

Each node is given its runtime: `SimulatedRuntime` plays data, one of local processes fits behind the same Protocols. Nothing
here is a coroutine, so that a simulated pod costs no task: what a runtime knows at once it returns, what it does not know yet
it tells later through a callback, never before the call has returned. All calls and callbacks happen on the event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from controllers.kubelet.restart_policy import go_duration
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from kctl.client.kubelet import Process


@dataclass(frozen=True, slots=True)
class PulledImage:
    """`reference` is the full name (docker.io/library/nginx:1), `image_id` names the content. `present`: nothing was
    fetched. `seconds` is the time the pull took."""

    reference: str
    image_id: str
    present: bool = True
    seconds: float = 0.0
    size: int = 0

    def told(self, image: str) -> str:
        """The message of the event Pulled."""
        if self.present:
            return f'Container image "{image}" already present on machine and can be accessed by the pod'
        took = go_duration(self.seconds)
        return f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: {self.size} bytes.'


@dataclass(frozen=True, slots=True)
class PullFailure:
    """`reason` as in state.waiting: ErrImagePull, InvalidImageName, ErrImageNeverPull, RegistryUnavailable."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StartFailure:
    """`reason` as in state.waiting or state.terminated: CreateContainerError, RunContainerError."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended. `reason`: Completed, Error, OOMKilled, ContainerCannotRun; `message`: its termination message."""

    code: int
    reason: str
    message: str = ""
    signal: int = 0


@dataclass(frozen=True, slots=True)
class ProbeOutcome:
    """`steady_seconds`: for how long the same answer is certain (None: for ever), so that nobody needs to ask again;
    0 where the runtime cannot know."""

    success: bool
    output: str = ""
    steady_seconds: float | None = 0.0


class Container(Protocol):
    """One run of one container; a restart makes a new one."""

    container_id: str
    started_at: datetime
    running: bool
    """Right after `start_container`: it runs already, and no `on_started` follows."""
    start_failure: StartFailure | None
    """Right after `start_container`: it could not be started, and nothing follows."""
    ready_after_seconds: float
    """How long a container without a readiness probe stays unready; 0 for real ones."""

    def stop(self, grace_seconds: float) -> None:
        """preStop hook, SIGTERM, and SIGKILL after `grace_seconds` counted from now; `on_exit` follows. May be called again
        with a shorter grace."""
        ...

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        """Run the hook. '' when it succeeded, else why not; None: `done` gets that later."""
        ...

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        """`kind`: liveness, readiness or startup. None: `done` gets the outcome later."""
        ...

    def serve(self) -> None:
        """Somebody connects to the pod: whatever of the container would listen does from now on."""
        ...

    def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        """PodLogOptions as query parameters, without `previous`."""
        ...

    def detach(self) -> None:
        """The kubelet stops: no callback from now on, but the container goes on and can be adopted."""
        ...

    def release(self) -> None:
        """The pod is gone: forget timers and files."""
        ...


@runtime_checkable
class RealContainer(Protocol):
    """One of processes, not of data: it answers for what runs in it."""

    @property
    def address(self) -> str:
        """Where its ports are reached from this machine."""
        ...

    def exec(self, command: Sequence[str]) -> Process: ...

    def attach(self) -> Process: ...


class Addresses(Protocol):
    """Who gives pods their addresses. `reserve` and `release` ignore those of others."""

    def allocate(self) -> str: ...

    def reserve(self, address: str) -> None: ...

    def release(self, address: str) -> None: ...


class RunningPod(Protocol):
    """A pod as its worker knows it: its present object and its address, '' for none of its own."""

    @property
    def pod(self) -> Object: ...

    @property
    def ip(self) -> str: ...

    def event(self, type: str, reason: str, message: str, field_path: str = "") -> None: ...


class ContainerListener(Protocol):
    """The kubelet's side of one container."""

    @property
    def pod(self) -> RunningPod: ...

    def on_started(self, container: Container) -> None: ...

    def on_start_failed(self, failure: StartFailure) -> None: ...

    def on_exit(self, result: Exit) -> None: ...


class ContainerRuntime(Protocol):
    name: str
    version: str

    @property
    def addresses(self) -> Addresses | None:
        """Of its pods, where they are not of the node's pod CIDR."""
        ...

    def pull_image(
        self, pod: Object, container: Object, done: Callable[[PulledImage | PullFailure], None]
    ) -> PulledImage | PullFailure | None:
        """Make sure the image is there, following imagePullPolicy; `pulling` events are told by `needs_pull`. None: `done` gets
        the result later."""
        ...

    def needs_pull(self, pod: Object, container: Object) -> bool:
        """Whether `pull_image` would ask a registry."""
        ...

    def start_container(self, pod: Object, container: Object, attempt: int, listener: ContainerListener, *, init: bool) -> Container:
        """Create and start. Unless the container says that it runs or has failed, `on_started` or `on_start_failed` follows."""
        ...

    def adopt_container(
        self, pod: Object, container: Object, attempt: int, listener: ContainerListener, status: Object, *, init: bool
    ) -> Container | None:
        """After a restart of the kubelet: the container of this containerStatus, running or ended; None where nothing is left
        of it. One that the status calls running and that has ended meanwhile says so by `on_exit`."""
        ...
