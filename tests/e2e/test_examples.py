"""Every example is applied by kctl and by kubectl to a whole cluster; both then print the same tables of every kind in them."""

from __future__ import annotations

import pytest

from kctl.apimachinery import yaml
from tests.e2e.differential import ROOT
from tests.e2e.live import LivePair, eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]

FILES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))
KINDS = sorted({document["kind"].lower() for path in FILES for document in yaml.load_all(path.read_text()) if document})


@pytest.fixture(scope="module", autouse=True)
def applied(live: LivePair) -> None:
    """By kctl; what needs time gets it, until nothing is on its way any more."""
    for path in FILES:
        outcome = live.kctl("apply", "-f", str(path))
        assert outcome.code == 0, outcome
    assert live.kctl("rollout", "status", "deployment/nginx", "--timeout=60s").code == 0
    eventually(lambda: "Pending" not in live.kctl("get", "pods", "-l", "app=nginx").out, "all web servers run")


def test_there_are_examples() -> None:
    assert len(FILES) >= 15 and {"deployment", "service", "pod"} <= set(KINDS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kubectl_finds_nothing_to_change(live: LivePair, path: object) -> None:
    """What kctl applied is what kubectl would have applied."""
    outcome = live.kubectl("apply", "-f", str(path))
    assert outcome.code == 0, outcome
    assert {line.split()[-1] for line in outcome.out.splitlines()} <= {"unchanged", "configured"}, outcome.out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [(), ("-o", "wide"), ("-A",)], ids=["plain", "wide", "all-namespaces"])
def test_tables_are_equal_byte_for_byte(live: LivePair, kind: str, form: tuple[str, ...]) -> None:
    live.agree("get", kind, *form)


def test_system_pods_show_the_components(live: LivePair) -> None:
    table = live.agree("get", "pods", "-n", "kube-system", "-o", "wide").out
    for component in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        line = next(line for line in table.splitlines() if line.startswith(f"{component}-test-control-plane"))
        assert "1/1" in line and "Running" in line
    log = live.agree("logs", "-n", "kube-system", "kube-scheduler-test-control-plane", "--tail=1").out
    assert "scheduler" in log
