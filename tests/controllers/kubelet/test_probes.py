"""Simulated outcomes of probes, and what a kubelet makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controllers.kubelet.runtime import ProbeOutcome
from controllers.kubelet.simulated_container import SimulatedContainer
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.controllers.kubelet.cluster import Cluster, conditions, container, pod, state

HTTP = {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "timeoutSeconds": 1}


def probe(period: int = 10, *, failures: int = 3, successes: int = 1, delay: int = 0, **more: Any) -> dict[str, Any]:
    times = {"periodSeconds": period, "failureThreshold": failures, "successThreshold": successes}
    return {**HTTP, **times, **({"initialDelaySeconds": delay} if delay else {}), **more}


async def ready(cluster: Cluster) -> bool:
    return conditions(await cluster.pod())["Ready"] == "True"


@pytest.mark.parametrize(
    ("readiness", "annotations", "becomes_ready_after"),
    [
        pytest.param(probe(), {}, 0, id="at-once"),
        pytest.param(probe(delay=7), {}, 7, id="initial-delay"),
        pytest.param(probe(5), {"readiness-delay": "12s"}, 15, id="next-period-after-the-delay"),
        pytest.param(probe(5, successes=3), {}, 10, id="success-threshold"),
        pytest.param(None, {"readiness-delay": "4s"}, 4, id="without-probe"),
    ],
)
async def test_readiness(
    cluster: Cluster, readiness: dict[str, Any] | None, annotations: dict[str, str], becomes_ready_after: float
) -> None:
    more = {"readinessProbe": readiness} if readiness else {}
    await cluster.create(pod(annotations=annotations, containers=[container(**more)]))
    if becomes_ready_after:
        await cluster.step(becomes_ready_after - 0.5)
        assert not await ready(cluster)
        await cluster.step(0.6)
    assert await ready(cluster)


async def test_readiness_lost_and_regained(cluster: Cluster) -> None:
    annotations = {"readiness-fail-after": "30s", "readiness-fail-duration": "25s"}
    await cluster.create(pod(annotations=annotations, containers=[container(readinessProbe=probe(10, failures=2))]))
    await cluster.step(35)
    assert await ready(cluster)  # one failure at 30 s is below the threshold
    await cluster.step(6)
    assert not await ready(cluster)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["started"] is True
    await cluster.step(20)
    assert await ready(cluster)
    assert ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503") in await cluster.events()


async def test_liveness_failure_restarts(cluster: Cluster) -> None:
    annotations = {"liveness-fail-after": "20s", "stop-duration": "3s", "stop-exit-code": "2"}
    await cluster.create(pod(annotations=annotations, containers=[container(livenessProbe=probe(10, failures=2))]))
    await cluster.step(29)
    assert state(await cluster.pod()) == "running"
    await cluster.step(4.5)  # fails at 20 and 30 s, ends at 33 s
    present = await cluster.pod()
    assert state(present) == "terminated Error 2"
    await cluster.step(1)
    only = objects.status(await cluster.pod())["containerStatuses"][0]
    assert only["restartCount"] == 1 and "running" in only["state"]
    told = await cluster.events()
    assert ("Killing", "Container c failed liveness probe, will be restarted") in told
    assert ("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 503") in told


async def test_startup_probe_holds_back_the_others(cluster: Cluster) -> None:
    probes = {"startupProbe": probe(5, failures=10), "livenessProbe": probe(1, failures=1), "readinessProbe": probe(5)}
    await cluster.create(pod(annotations={"startup-delay": "12s"}, containers=[container(**probes)]))
    await cluster.step(11)
    only = objects.status(await cluster.pod())["containerStatuses"][0]
    assert (only["started"], only["ready"], only["restartCount"]) == (False, False, 0)
    await cluster.step(5)
    only = objects.status(await cluster.pod())["containerStatuses"][0]
    assert (only["started"], only["ready"]) == (True, True)


async def test_startup_failure_restarts(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"startup-delay": "1h"}, containers=[container(startupProbe=probe(2, failures=3))]))
    await cluster.step(6)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 1
    assert ("Killing", "Container c failed startup probe, will be restarted") in await cluster.events()


async def test_healthy_pod_is_not_probed_for_ever(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = SimulatedContainer.probe

    def counted(self: SimulatedContainer, kind: str, spec: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome:
        asked.append(kind)
        return ask(self, kind, spec, done)

    monkeypatch.setattr(SimulatedContainer, "probe", counted)
    await cluster.create(pod(containers=[container(readinessProbe=probe(1), livenessProbe=probe(1))]))
    assert await ready(cluster)
    await cluster.step(60)
    assert sorted(asked) == ["liveness", "readiness"]


async def test_failed_post_start_hook_kills(cluster: Cluster) -> None:
    hook = {"postStart": {"exec": {"command": ["x"]}}}
    annotations = {"post-start-duration": "2s", "post-start-error": "no luck"}
    await cluster.create(pod(annotations=annotations, containers=[container(lifecycle=hook)]))
    assert not await ready(cluster)
    await cluster.step(3)
    assert ("FailedPostStartHook", "PostStartHook failed: no luck") in await cluster.events()
    assert state(await cluster.pod()).startswith("terminated")


async def test_pre_stop_sleep_takes_its_time(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[container(lifecycle={"preStop": {"sleep": {"seconds": 5}}})]))
    await cluster.delete()
    await cluster.step(4.5)
    assert not await cluster.gone()
    await cluster.step(2)
    assert await cluster.gone()
