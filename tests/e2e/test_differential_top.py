"""top: kctl and kubectl say the same about what pods and nodes of a whole cluster use."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import difference
from tests.e2e.live import LivePair, eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: two, labels: {a: b}, annotations: {kctl.dev/web.cpu-usage: 250m, kctl.dev/log.memory-usage: 123Mi}}
spec: {containers: [{name: web, image: i}, {name: log, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: one, annotations: {kctl.dev/cpu-usage: "50%"}}
spec: {containers: [{name: web, image: i, resources: {requests: {cpu: 1500m, memory: 64Mi}}}]}
"""

LINES = """
top pod
top pods -A
top pod two
top po two --containers
top pods --sum
top pods --containers --sum -A
top pods --sort-by=cpu
top pods --sort-by=memory --no-headers
top pods --sort-by=age
top pod nobody
top pods -l a=b
top pods -l a=c
top pods -n kube-public
top pods --show-swap
top pods --field-selector metadata.name=two
top po two -l a=b
top pod two one
top node
top nodes --show-capacity
top no --sort-by=cpu
top nodes --sort-by=memory --no-headers
top nodes --show-swap
top node nobody
get --raw /apis/metrics.k8s.io/v1beta1
get podmetrics
get nodes.metrics.k8s.io
get podmetrics two -o yaml
get apiservices v1beta1.metrics.k8s.io
api-resources --api-group=metrics.k8s.io
"""


@pytest.fixture(scope="module", autouse=True)
def pods(live: LivePair) -> None:
    assert live.kctl("apply", "-f", "-", stdin=PODS).code == 0
    eventually(lambda: live.kctl("top", "pods", "--no-headers").out.count("\n") == 2, "both pods use something")


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_top_as_kubectl(live: LivePair, line: str) -> None:
    words = shlex.split(line)
    expected, actual = live.kubectl(*words), live.kctl(*words)
    if "-A" in words or "node" in line:  # measured anew every 15 seconds
        expected, actual = live.kubectl(*words), live.kctl(*words)
    if actual != expected:
        pytest.fail(difference(words, expected, actual), pytrace=False)
