"""A container runtime that runs nothing: its containers (simulated_container.py) do as their Behaviour says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from controllers.kubelet import images
from controllers.kubelet.behaviour import Behaviour, BehaviourError, any_settings, draw, settings_of
from controllers.kubelet.probes import attended
from controllers.kubelet.runtime import Addresses, ContainerListener, PulledImage, PullFailure, StartFailure
from controllers.kubelet.simulated_container import SimulatedContainer
from controllers.kubelet.stages import Stages
from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

if TYPE_CHECKING:
    from controllers.kubelet.commands.outcome import Outcome
    from controllers.kubelet.network.pod_networks import PodNetworks
    from controllers.kubelet.sandbox import Sandboxes, SandboxSources

NAME = "kctl-sim"
VERSION = "1.0.0"
_SLOW_PULL_SECONDS = 15.0
_DECIDING = {"run-duration", "exit-code", "oom-after"}


class SimulatedRuntime:
    name = NAME
    version = VERSION
    addresses: Addresses | None = None

    def __init__(
        self,
        clock: Clock,
        randomness: random.Random,
        stages: Stages,
        pod_defaults: Callable[[str], Mapping[str, str]] = lambda node: {},
        sources: SandboxSources | None = None,
    ) -> None:
        """`pod_defaults` are the settings that a node, by name, gives to its pods."""
        self.clock = clock
        self.randomness = randomness
        self._stages = stages
        self._pod_defaults = pod_defaults
        self._sources = sources
        self._sandboxes: Sandboxes | None = None
        self._latest: tuple[Object, Object, bool, Mapping[str, str], Behaviour | str] | None = None

    @property
    def sandboxes(self) -> Sandboxes:
        if self._sandboxes is None:
            from controllers.kubelet.sandbox import Sandboxes

            assert self._sources is not None
            self._sandboxes = Sandboxes(self._sources, self.clock)
        return self._sandboxes

    @property
    def networks(self) -> PodNetworks:
        assert self._sources is not None
        return self._sources.networks

    def node_address(self, pod: Object) -> str:
        return self._sources.node_address(str(objects.spec(pod).get("nodeName") or "")) if self._sources is not None else ""

    def forget(self, pod: Object) -> None:
        if self._sandboxes is not None:
            self._sandboxes.forget(objects.uid(pod))

    def pod_address(self, pod: Object) -> str:
        return str(objects.status(pod).get("podIP") or "127.0.0.1")

    def needs_pull(self, pod: Object, container: Object) -> bool:
        policy = container.get("imagePullPolicy")
        if policy == "Always":
            return True
        behaviour = self._behaviour(pod, container, False)
        return not isinstance(behaviour, str) and self._needs_pull(behaviour, container)

    @staticmethod
    def _needs_pull(behaviour: Behaviour, container: Object) -> bool:
        return (
            behaviour.image_pull != "ok"
            or behaviour.image_pull_duration != (0.0, 0.0)
            or images.unreachable_registry(images.reference_or_nothing(str(container.get("image") or "")))
        )

    def pull_image(
        self, pod: Object, container: Object, done: Callable[[PulledImage | PullFailure], None]
    ) -> PulledImage | PullFailure | None:
        image = str(container.get("image") or "")
        try:
            full = images.reference(image)
        except images.InvalidImageName as error:
            return PullFailure("InvalidImageName", f'Failed to apply default image tag "{image}": {error}')
        behaviour = self._behaviour(pod, container, False)
        if isinstance(behaviour, str):
            return PullFailure("ErrImagePull", behaviour)
        needs_pull = container.get("imagePullPolicy") == "Always" or self._needs_pull(behaviour, container)
        seconds = draw(behaviour.image_pull_duration, self.randomness)
        if behaviour.image_pull == "slow" and not seconds:
            seconds = _SLOW_PULL_SECONDS
        result = images.pulled(image, full, behaviour.image_pull, str(container.get("imagePullPolicy")), needs_pull, seconds)
        if not needs_pull or seconds <= 0:
            return result
        self.clock.call_later(seconds, lambda: done(result))
        return None

    def _node_settings(self, pod: Object) -> Mapping[str, str]:
        return self._pod_defaults((pod.get("spec") or {}).get("nodeName") or "")

    def settings(self, pod: Object, container: Object) -> Mapping[str, str]:
        """What annotations of the pod and of its node say about a container."""
        defaults = self._node_settings(pod)
        annotations = objects.annotations(pod)
        if not annotations or not any_settings(annotations):
            return defaults
        return {**defaults, **settings_of(annotations, str(container["name"]))}

    def _outcome(self, pod: Object, container: Object) -> Outcome | None:
        """What the command does, where it says so itself and no annotation says otherwise."""
        command = container.get("command")
        if not command or self.settings(pod, container).keys() & _DECIDING:
            return None
        from controllers.kubelet.commands.outcome import outcome_of  # with the first command: most clusters start without one
        from controllers.kubelet.commands.termination import path_of

        return outcome_of((*command, *(container.get("args") or ())), path_of(container))

    def _behaviour(self, pod: Object, container: Object, init: bool) -> Behaviour | str:
        """The text of the problem where an annotation cannot be read."""
        defaults, latest = self._node_settings(pod), self._latest
        if latest is not None and latest[0] is pod and latest[1] is container and latest[2] is init and latest[3] is defaults:
            return latest[4]  # asked for at each step of a start
        policy = str(container.get("restartPolicy") or objects.spec(pod).get("restartPolicy") or "Always")
        if container in (objects.spec(pod).get("ephemeralContainers") or ()):
            policy = "Always"  # by itself it ends no more than the others do
        kind = ("sidecar" if container.get("restartPolicy") == "Always" else "init") if init else "regular"
        behaviour: Behaviour | str
        try:
            behaviour = self._stages.behaviour(pod, str(container["name"]), kind, policy, defaults)
        except BehaviourError as error:
            behaviour = f"annotation kctl.dev: {error}"
        self._latest = pod, container, init, defaults, behaviour
        return behaviour

    def _make(
        self, behaviour: Behaviour, pod: Object, container: Object, attempt: int, listener: ContainerListener, container_id: str
    ) -> SimulatedContainer:
        outcome = None
        if container.get("command") or container.get("args") or container.get("stdin") or images.ends(str(container.get("image"))):
            outcome = self._outcome(pod, container)
            if outcome is None and self._sources is not None and not self.settings(pod, container).keys() & _DECIDING:
                from controllers.kubelet.live_container import LiveContainer, live_command

                if command := live_command(container):
                    made = LiveContainer(self, behaviour, pod, container, attempt, listener, container_id, None)
                    made.begin_with(command)
                    return made
        if self._sources is not None and attended(container, outcome is not None):
            from controllers.kubelet.attended_container import AttendedContainer

            return AttendedContainer(self, behaviour, pod, container, attempt, listener, container_id, outcome)
        return SimulatedContainer(self, behaviour, pod, container, attempt, listener, container_id, outcome)

    def start_container(
        self, pod: Object, container: Object, attempt: int, listener: ContainerListener, *, init: bool
    ) -> SimulatedContainer:
        behaviour = self._behaviour(pod, container, init)
        problem = ""
        if isinstance(behaviour, str):
            problem, behaviour = behaviour, Behaviour()
        container_id = f"{NAME}://{self.randomness.getrandbits(256):064x}"
        made = self._make(behaviour, pod, container, attempt, listener, container_id)
        if problem:
            made.start_failure = StartFailure("CreateContainerError", problem)
        else:
            made.start()
        return made

    def adopt_container(
        self, pod: Object, container: Object, attempt: int, listener: ContainerListener, status: Object, *, init: bool
    ) -> SimulatedContainer | None:
        state, behaviour = status.get("state") or {}, self._behaviour(pod, container, init)
        ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
        shown = state.get("running") or ended
        if shown is None or isinstance(behaviour, str):
            return None
        made = self._make(behaviour, pod, container, attempt, listener, str(status.get("containerID") or ""))
        if shown.get("startedAt"):
            made.started_at = times.parse(shown["startedAt"])
        if "running" in state:
            made.plan_exit((self.clock.now() - made.started_at).total_seconds())
        else:
            made.ended(times.parse(shown["finishedAt"]) if shown.get("finishedAt") else self.clock.now())
        return made
