"""cordon, uncordon, drain, taint: kctl and kubectl say the same and leave the same behind."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair
from tests.e2e.live import LivePair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl


def _pod(name: str, node: str, **spec: object) -> dict[str, object]:
    metadata = {"name": name, "labels": {"on": node}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "a", "image": "x"}], **spec},
    }


@pytest.fixture(scope="module")
def nodes(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> LivePair:
    """Three nodes without kubelets: left and right for changes, still for what changes nothing."""
    items: list[dict[str, object]] = []
    for node in ("left", "right", "still"):
        items.append({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node, "labels": {"which": node}}})
        items.append(_pod(f"{node}-plain", node))
        items.append(_pod(f"{node}-disk", node, volumes=[{"name": "scratch", "emptyDir": {}}]))
    path = Path(tmp_path_factory.mktemp("nodes") / "nodes.json")
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    pair.kctl("create", "-f", "-", stdin=json.dumps(account)) if pair.kctl("get", "sa", "default").code else None
    assert pair.kctl("create", "-f", str(path)).err == ""
    return LivePair(pair.kubeconfig, pair.home)


SAME = """
cordon
cordon nope
cordon still nope
cordon still -l a=b
cordon -l nothing=here
cordon still --dry-run=client
cordon still --dry-run=server
uncordon still
uncordon
drain
drain nope
drain still --dry-run=client --delete-emptydir-data
drain still --dry-run=client --force
drain still --dry-run=client --force --delete-emptydir-data
drain still --dry-run=server --force --delete-emptydir-data --pod-selector=on=nowhere
drain -l which=still --dry-run=client --force --delete-emptydir-data --pod-selector=on=still
taint
taint nodes
taint nodes still
taint nodes still a=b:NoSchedule more
taint pods still a=b:NoSchedule
taint nodes a=b:NoSchedule
taint nodes still a=b:Sometimes
taint nodes still a=b
taint nodes still a=b=c:NoSchedule
taint nodes still a:b:NoSchedule
taint nodes still !!=b:NoSchedule
taint nodes still a=!!:NoSchedule
taint nodes still a=b:NoSchedule a=c:NoSchedule
taint nodes still a=b:NoSchedule a:NoSchedule-
taint nodes still a-
taint nodes still a:NoSchedule-
taint nodes nope a=b:NoSchedule
taint nodes --all -l a=b a=b:NoSchedule
taint nodes still a=b:NoSchedule --dry-run=client
taint nodes still a=b:NoSchedule --dry-run=server
taint nodes still a=b:NoSchedule --dry-run=client -o name
taint nodes still a=b:NoSchedule --dry-run=client -o jsonpath={.spec.taints}
""".strip().splitlines()


@pytest.mark.parametrize("line", SAME)
def test_the_same_words(nodes: LivePair, line: str) -> None:
    nodes.agree(*shlex.split(line))


def test_one_story_told_twice(nodes: LivePair) -> None:
    for line in """
        cordon {name}
        cordon {name}
        uncordon {name}
        uncordon {name}
        taint nodes {name} a=b:NoSchedule
        taint nodes {name} a=c:NoSchedule
        taint nodes {name} a=c:NoSchedule --overwrite
        taint nodes {name} a=d:NoExecute b:PreferNoSchedule
        taint nodes {name} c=d:NoExecute a-
        taint nodes {name} b:PreferNoSchedule-
        taint nodes {name} nothing-
        taint nodes -l which={name} x:NoSchedule
        get nodes {name} -o jsonpath={.spec}
        drain {name} --force
        drain {name} --delete-emptydir-data
        """.strip().splitlines():
        nodes.twins(*shlex.split(line))


def test_drain(nodes: LivePair) -> None:
    """The pods go at the same time, so that their lines come in any order."""
    words = ["drain", "--force", "--delete-emptydir-data", "--grace-period=0", "--timeout=60s"]
    actual, theirs = nodes.kctl(*words, "left"), nodes.kubectl(*words, "right")
    expected = Outcome(theirs.code, theirs.out.replace("right", "left"), theirs.err.replace("right", "left"))
    same = [sorted(one.out.splitlines()) == sorted(other.out.splitlines()) for one, other in ((actual, expected),)]
    if not all(same) or (actual.code, actual.err) != (expected.code, expected.err):
        pytest.fail(difference(words, expected, actual), pytrace=False)
    assert nodes.kctl("get", "pods", "-o", "name").out == "pod/still-disk\npod/still-plain\n"
