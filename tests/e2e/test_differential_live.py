"""describe, rollout, scale, label, wait, logs, explain, config: kctl and kubectl say the same about a whole cluster."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.e2e.live import LivePair, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]

_TWIN = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - {{name: web, image: "nginx:1.27", ports: [{{containerPort: 80}}], env: [{{name: A, value: b}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 80}}]}}
"""


@pytest.fixture(scope="module", autouse=True)
def twins(live: LivePair, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("twins")
    for name in ("left", "right", "still"):
        path = Path(folder / f"{name}.yaml")
        path.write_text(_TWIN.format(name=name))
        assert live.kctl("apply", "-f", str(path)).code == 0
    for name in ("left", "right", "still"):
        assert live.kctl("rollout", "status", f"deployment/{name}").code == 0


LINES = """
describe deployment still
describe rs -l app=still
describe pods -l app=still
describe pods
describe services still
describe services
describe namespaces
describe namespace default
describe configmap kube-root-ca.crt
describe serviceaccount default
describe nodes test-worker-1
describe deployment nope
describe nope
rollout status deployment/still
rollout history deployment/still
rollout history deployment/still --revision=1
rollout history deployment/still --revision=7
rollout undo deployment/still --to-revision=9
rollout status deployment/nope
rollout resume deployment/still
scale deployment still
scale deployment still --replicas=-1
scale deployment still --replicas=2 --current-replicas=7
scale deployment nope --replicas=1
label deployment still
label deployment still app.kubernetes.io/x=!!
label deployment still nothing-
label deployment nope a=b
annotate deployment still
wait --for=condition=Available deployment/still
wait --for=condition=Nope deployment/still --timeout=1s
wait --for=jsonpath={.status.readyReplicas}=2 deployment/still
wait --for=delete pod/nope
wait deployment/still
logs deployment/still
logs nope
logs -l app=still --prefix
api-resources
api-resources -o wide
api-resources -o name
api-resources --namespaced=false
api-resources --api-group=apps --verbs=list
api-versions
cluster-info
config view
config view -o json
config view --raw
config get-contexts
config get-contexts -o name
config current-context
config get-clusters
config get-users
config use-context nope
config delete-context nope
explain pods
explain pods --recursive
explain deployment.spec
explain deployments.spec.strategy.rollingUpdate
explain pod.spec.containers
explain pod.spec.containers.resources
explain pod.spec.restartPolicy
explain service.spec.ports
explain ingress.spec.rules.http
explain hpa --api-version=autoscaling/v1
explain crd.spec.versions.schema
explain certificatesigningrequests
explain secret.data
explain pvc.status
explain node.status.conditions
explain cronjob.spec.jobTemplate
explain netpol.spec
explain configmap
explain pod.nope
explain nope
get events -A --field-selector reason=Scheduled -o name
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_the_same_words(live: LivePair, line: str) -> None:
    live.agree(*shlex.split(line))


CHANGES = """
scale deployment {name} --replicas=3
scale deployment/{name} --replicas=2 --current-replicas=3
label deployment {name} tier=web
label deployment {name} tier=db
label deployment {name} tier=db --overwrite
label deployment {name} --list
label deployment {name} tier-
annotate deployment {name} note=x
annotate deployment {name} note=y
annotate deployment {name} note-
rollout pause deployment/{name}
rollout pause deployment/{name}
rollout undo deployment/{name}
rollout resume deployment/{name}
rollout undo deployment/{name}
rollout restart deployment/{name}
rollout status deployment/{name} --timeout=60s -w=false --revision=9
rollout history deployment/{name}
rollout undo deployment/{name}
delete deployment {name} --wait=false
delete service {name}
""".strip().splitlines()


def test_the_same_words_for_changes(live: LivePair) -> None:
    """One story told twice, line by line."""
    for line in CHANGES:
        live.twins(*shlex.split(line))
