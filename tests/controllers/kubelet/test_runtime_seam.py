"""A node is given its runtime: one that answers late works behind the same protocol as the simulated one that answers at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime

from controllers.kubelet.node_config import NodeConfig
from controllers.kubelet.runtime import Container, ContainerListener, Exit, ProbeOutcome, PulledImage, PullFailure, StartFailure
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.cluster import Cluster, conditions, container, pod, state


class LateContainer:
    """Everything it is asked waits in the runtime's `answers` until the test lets it go."""

    ready_after_seconds = 0.0
    running = False
    start_failure: StartFailure | None = None

    def __init__(self, runtime: LateRuntime, name: str, listener: ContainerListener) -> None:
        self.container_id = f"late://{name}"
        self.started_at = datetime(2026, 1, 1, tzinfo=UTC)
        self._runtime = runtime
        self._listener = listener

    def stop(self, grace_seconds: float) -> None:
        self._runtime.answers.append(lambda: self._listener.on_exit(Exit(0, "Completed")))

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        self._runtime.answers.append(lambda: done(""))
        return None

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        self._runtime.answers.append(lambda: done(ProbeOutcome(True, "", None)))
        return None

    async def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        yield b""

    def detach(self) -> None: ...

    def release(self) -> None: ...


class LateRuntime:
    name, version = "late", "2.0"
    addresses = None

    def __init__(self) -> None:
        self.answers: list[Callable[[], None]] = []
        self.started: list[str] = []

    def needs_pull(self, pod: Object, container: Object) -> bool:
        return False

    def pull_image(self, pod: Object, container: Object, done: Callable[[PulledImage | PullFailure], None]) -> None:
        self.answers.append(lambda: done(PulledImage(container["image"], "id")))

    def start_container(self, pod: Object, container: Object, attempt: int, listener: ContainerListener, *, init: bool) -> Container:
        self.started.append(container["name"])
        made = LateContainer(self, container["name"], listener)
        self.answers.append(lambda: listener.on_started(made))
        return made

    def adopt_container(
        self, pod: Object, container: Object, attempt: int, listener: ContainerListener, status: Object, *, init: bool
    ) -> Container | None:
        return None


async def test_a_runtime_of_its_own_for_one_node() -> None:
    late = LateRuntime()
    cluster = Cluster(runtime_for=lambda config: late if config.name == "n2" else None)
    await cluster.start([NodeConfig("n1", pod_cidr="10.244.1.0/24"), NodeConfig("n2", pod_cidr="10.244.2.0/24")])

    async def answer() -> None:
        answers, late.answers = late.answers, []
        for each in answers:
            each()
        await cluster.settle()

    try:
        versions = [objects.status(await cluster.node(name))["nodeInfo"]["containerRuntimeVersion"] for name in ("n1", "n2")]
        assert versions == ["kctl-sim://1.0.0", "late://2.0"]
        side = container("side", restartPolicy="Always", startupProbe={"exec": {"command": ["x"]}})
        hooked = container("c", lifecycle={"postStart": {"exec": {"command": ["x"]}}}, readinessProbe={"exec": {"command": ["x"]}})
        await cluster.create(pod("simulated"))
        await cluster.create(pod("late", nodeName="n2", initContainers=[side], containers=[hooked, container("d")]))
        assert state(await cluster.pod("simulated")) == "running"
        await answer()  # side is pulled
        await answer()  # side runs
        assert late.started == ["side"] and state(await cluster.pod("late"), "side") == "running"
        await answer()  # its startup probe passes: c and d are pulled
        await answer()
        assert late.started == ["side", "c", "d"]
        await answer()  # both run; c's hook is on its way
        shown = await cluster.pod("late")
        assert [state(shown, name) for name in ("c", "d")] == ["running", "running"]
        assert conditions(shown)["Ready"] == "False ContainersNotReady"
        await answer()  # the hook is done
        await answer()  # the readiness probe passes
        assert conditions(await cluster.pod("late"))["Ready"] == "True"
        await cluster.delete("late")
        await answer()  # c and d end
        await answer()  # then the sidecar
        assert await cluster.gone("late")
    finally:
        await cluster.stop()
