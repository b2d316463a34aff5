"""Annotations on Nodes: what they make of kubelet and pods, and that none is ignored in silence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controllers.kubelet import node_behaviour
from kctl.apimachinery import objects
from kctl.apimachinery.resources import LEASES, NODES
from tests.controllers.kubelet.cluster import Cluster, pod

DOCUMENT = Path(__file__).parents[3] / "docs" / "simulated-nodes.md"


async def annotate(cluster: Cluster, **annotations: str | None) -> None:
    """`kubelet="stopped"` is kctl.dev/kubelet: stopped; None removes."""
    changes = {f"kctl.dev/{name.replace('_', '-')}": value for name, value in annotations.items()}
    await cluster.client.patch(NODES, "n1", {"metadata": {"annotations": changes}})
    await cluster.settle()


async def ready(cluster: Cluster) -> tuple[str, str]:
    found = objects.condition(await cluster.node(), "Ready")
    assert found is not None
    return found["status"], found["reason"]


async def reasons(cluster: Cluster) -> list[str]:
    return [reason for reason, _ in await cluster.events("n1")]


async def test_a_node_without_a_container_runtime_says_so_at_once_and_starts_nothing(cluster: Cluster) -> None:
    await annotate(cluster, kubelet="not-ready")
    assert await ready(cluster) == ("False", "KubeletNotReady")
    assert (await reasons(cluster))[-1] == "NodeNotReady"
    await cluster.create(pod())
    await cluster.step(30)
    assert objects.status(await cluster.pod()).get("phase") == "Pending"
    lease = await cluster.client.get(LEASES, "n1", "kube-node-lease")
    assert lease["spec"]["renewTime"] > "2026-01-01T00:00:20", "its heartbeat goes on"
    await annotate(cluster, kubelet=None)
    assert await ready(cluster) == ("True", "KubeletReady")
    assert objects.status(await cluster.pod())["phase"] == "Running"


async def test_a_kubelet_that_is_back_reports_without_waiting_for_its_heartbeat(cluster: Cluster) -> None:
    await annotate(cluster, kubelet="stopped")
    node = await cluster.node()
    unknown = [{**entry, "status": "Unknown"} if entry["type"] == "Ready" else entry for entry in node["status"]["conditions"]]
    await cluster.client.update_status(NODES, objects.with_status(node, conditions=unknown))
    await cluster.step(60)
    assert (await ready(cluster))[0] == "Unknown"
    await annotate(cluster, kubelet="running")
    assert (await ready(cluster))[0] == "True"


async def test_settings_of_a_node_are_the_defaults_of_its_pods(cluster: Cluster) -> None:
    await annotate(cluster, start_delay="20s")
    await cluster.create(pod("late"))
    await cluster.create(pod("early", annotations={"start-delay": "0s"}))
    await cluster.settle()
    assert objects.status(await cluster.pod("early"))["phase"] == "Running"
    assert objects.status(await cluster.pod("late"))["phase"] == "Pending"
    await cluster.step(25)
    assert objects.status(await cluster.pod("late"))["phase"] == "Running"
    await annotate(cluster, start_delay=None)
    await cluster.create(pod("again"))
    await cluster.settle()
    assert objects.status(await cluster.pod("again"))["phase"] == "Running"


async def test_what_nobody_understands_is_an_event_of_the_node(cluster: Cluster) -> None:
    await annotate(cluster, kubelet="sleepy", start_delay="soon", colour="blue")
    assert await ready(cluster) == ("True", "KubeletReady")
    told = [message for reason, message in await cluster.events("n1") if reason == "InvalidAnnotation"]
    assert [re.findall(r"\[(.*?)\]", message)[0] for message in told] == ["kctl.dev/colour", "kctl.dev/kubelet", "kctl.dev/start-delay"]


async def test_what_nobody_understands_is_an_event_of_the_pod(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"colour": "blue", "nobody.exit-code": "1"}))
    await cluster.settle()
    assert objects.status(await cluster.pod())["phase"] == "Running"
    told = [message for reason, message in await cluster.events("p") if reason == "InvalidAnnotation"]
    assert told == [
        "metadata.annotations[kctl.dev/colour]: no such setting of simulated pods; it is ignored",
        'metadata.annotations[kctl.dev/nobody.exit-code]: the pod has no container "nobody"; it is ignored',
    ]


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("kubelet", "stopped", True),
        ("kubelet", "off", False),
        ("simulated", "true", True),
        ("simulated", "yes", False),
        ("exit-code", "1,0", True),
        ("exit-code", "300", False),
        ("image-pull", "slow", True),
        ("image-pull", "never", False),
        ("profile", "fast", False),
    ],
)
def test_annotations_of_nodes(key: str, value: str, right: bool) -> None:
    problems = node_behaviour.node_problems({f"kctl.dev/{key}": value, "example.com/other": "x"})
    assert problems == [] if right else len(problems) == 1 and f"kctl.dev/{key}]" in problems[0]


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        ("exit-code", "1", True),
        ("app.exit-code", "1", True),
        ("setup.exit-code", "1", True),
        ("other.exit-code", "1", False),
        ("app.exit-code", "x", False),
        ("run-duration", "soon", False),
        ("profile", "general", True),
        ("profile", "none", False),
        ("kubelet", "stopped", False),
    ],
)
def test_annotations_of_pods(key: str, value: str, right: bool) -> None:
    problems = node_behaviour.pod_problems({f"kctl.dev/{key}": value}, ("app", "setup"))
    assert problems == [] if right else len(problems) == 1 and f"kctl.dev/{key}]" in problems[0]


def test_every_state_is_documented() -> None:
    text = DOCUMENT.read_text()
    assert all(f"kctl.dev/kubelet: {state}" in text for state in node_behaviour.STATES if state != node_behaviour.RUNNING)
