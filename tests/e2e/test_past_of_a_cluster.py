"""history, tree and story of a Deployment in a whole cluster: who did what is told, component by component."""

from __future__ import annotations

import pytest

from tests.e2e.live import LivePair, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]


@pytest.fixture(scope="module", autouse=True)
def web(live: LivePair) -> None:
    assert live.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2").code == 0
    assert live.kctl("rollout", "status", "deployment/web", "--timeout=60s").code == 0
    assert live.kubectl("scale", "deployment/web", "--replicas=1").code == 0  # not kctl, whose name a pair shows as kubectl
    assert live.kctl("rollout", "status", "deployment/web", "--timeout=60s").code == 0


def test_history_tells_who_changed_what(live: LivePair) -> None:
    told = live.kctl("history", "deployment/web", "-o", "short")
    assert told.code == 0, told
    lines = told.out.splitlines()
    assert lines[0].split() == ["REVISION", "AGE", "WHO", "WHAT"]
    assert any("kubectl-create" in line for line in lines[1:3]) and any("kubectl (scale)" in line or "scale" in line for line in lines)
    revisions = [int(line.split()[0]) for line in lines[1:]]
    assert revisions == sorted(revisions) and len(revisions) >= 4
    assert "spec.replicas" in live.kctl("history", "deployment/web").out


def test_a_tree_goes_from_the_deployment_to_its_pods(live: LivePair) -> None:
    told = live.kctl("tree", "deployment/web")
    assert told.code == 0, told
    lines = [line for line in told.out.splitlines() if "/" in line]
    assert lines[0].startswith("deployment.apps/web") and "replicaset.apps/web-" in lines[1] and "pod/web-" in lines[2]
    assert "1/1 ready" in told.out and "Running" in told.out


def test_a_story_names_every_component_that_had_a_part(live: LivePair) -> None:
    told = live.kctl("story", "deployment/web")
    assert told.code == 0, told
    lines = told.out.splitlines()
    for component in ("deployment-controller", "replicaset-controller", "kube-scheduler", "kubelet on test-"):
        assert any(component in line for line in lines), (component, told.out)
    bound = next(line for line in lines if "kube-scheduler" in line)
    column = bound.index("bound pod/web-")
    crooked = [line for line in lines if line[column - 2 : column] != "  " or line[column] == " "]
    assert not crooked, told.out  # what was done stands in one column, however long the writers' names are
