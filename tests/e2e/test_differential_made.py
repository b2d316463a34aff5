"""Commands that make something from what stands (expose, autoscale, run --expose), events and certificate, as the real kubectl's."""

from __future__ import annotations

import base64
import shlex

import pytest

from tests.e2e.differential import Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

OBJECTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: default}
---
apiVersion: v1
kind: Pod
metadata: {name: multi, labels: {a: b, c: d}}
spec:
  containers:
  - name: x
    image: i
    ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}, {containerPort: 53}, {containerPort: 9, protocol: SCTP}]
---
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec: {containers: [{name: x, image: i}]}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: rc}
spec:
  selector: {a: b}
  template:
    metadata: {labels: {a: b, r: s}}
    spec:
      initContainers: [{name: i, image: i, ports: [{containerPort: 3}]}]
      containers: [{name: x, image: i, ports: [{containerPort: 1}]}, {name: z, image: i, ports: [{containerPort: 2, protocol: SCTP}]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ss}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: i}]}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: exprs}
spec:
  selector: {matchExpressions: [{key: a, operator: In, values: [b]}]}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: i, ports: [{containerPort: 1}]}]}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: both}
spec:
  selector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [b, c]}, {key: d, operator: DoesNotExist}]}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: x, image: i, ports: [{containerPort: 1}]}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: nginx, image: nginx, ports: [{containerPort: 80}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: svc, labels: {q: r}}
spec: {selector: {a: b}, ports: [{port: 80, name: a, targetPort: http}, {port: 90, name: b, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: noselector, labels: {q: r}}
spec: {ports: [{port: 80, name: a, targetPort: http}]}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: default}
involvedObject: {kind: Pod, name: bare, namespace: default, apiVersion: v1}
reason: R
message: "hello\\nworld "
type: Warning
firstTimestamp: "2026-01-26T07:00:00Z"
lastTimestamp: "2026-01-26T07:10:00Z"
count: 3
---
apiVersion: v1
kind: Event
metadata: {name: e2, namespace: default}
involvedObject: {kind: Deployment, name: web, namespace: default, apiVersion: apps/v1}
reason: Q
message: second
type: Normal
firstTimestamp: "2026-01-26T07:05:00Z"
lastTimestamp: "2026-01-26T07:05:00Z"
---
apiVersion: v1
kind: Event
metadata: {name: e3, namespace: default}
involvedObject: {kind: Pod, name: bare, namespace: default, apiVersion: v1}
reason: S
message: third
type: Normal
action: Binding
eventTime: "2026-01-26T07:06:00.000000Z"
reportingComponent: x/y
reportingInstance: z
series: {count: 5, lastObservedTime: "2026-01-26T07:16:00.000000Z"}
"""

EXPOSE = """
expose deployment web --dry-run=client -o yaml
expose pod multi --dry-run=client -o json
expose pod bare --dry-run=client -o yaml
expose pod bare --port=80 --dry-run=client -o yaml
expose pod multi --port=53,9 --dry-run=client -o yaml
expose sts ss
expose rs exprs
expose rs exprs --port=80 --selector=x=y --dry-run=client -o yaml
expose deploy
expose deploy nope
expose deploy web --port=x
expose deploy web --port=80,81 --target-port=http --name=n --type=LoadBalancer --load-balancer-ip=1.2.3.4 -o json --dry-run=client
expose deploy web --external-ip=1.1.1.1 --labels=l=m --protocol=UDP --session-affinity=ClientIP -o json --dry-run=client
expose deploy web --cluster-ip=None -o yaml --dry-run=client
expose deploy web --session-affinity=x
expose deploy web --selector=a
expose deploy web --selector=a=b,c!=d -o yaml --dry-run=client
expose deploy web --labels=x
expose pod bare --cluster-ip=None --selector=a=b -o yaml --dry-run=client
expose nosuch x
expose
expose deploy web --save-config --dry-run=client -o yaml
expose svc svc --name=x --dry-run=client -o yaml
expose svc noselector --name=x
expose rc rc --dry-run=client -o yaml
expose rc,deploy rc web --dry-run=client -o yaml
expose pod multi bare --dry-run=client -o yaml
expose node x
expose pod multi --target-port=5 --dry-run=client -o yaml
expose deploy web --overrides={
expose deploy web --override-type=foo --overrides={}
expose deploy web --override-type=json --overrides='[{"op":"remove","path":"/spec/selector"}]' --dry-run=client -o json
expose deploy web --overrides='{"spec":{"type":"NodePort"}}' --dry-run=client -o json
expose deploy web --type=Foo --name=q
expose deploy web --name=A_B
expose deploy web --dry-run=server --name=q
expose deploy web --port=99999999999999999999
expose deploy web --port=80,x
expose deploy -l app=web
expose rc,deploy web -l a=b --dry-run=client -o yaml
expose deploy web --dry-run=server --name=q -o name
expose deploy/web --dry-run=client --name=q
expose rs both
expose -f manifests/examples/nginx.yaml --dry-run=client -o name
"""

AUTOSCALE = """
autoscale deploy web
autoscale deploy web --max=2 --min=3
autoscale pod bare --max=2
autoscale deploy web --max=2 --cpu=50 --memory=x
autoscale deploy web --max=2 --cpu=50 --memory=50 --name=q  -o yaml --dry-run=client
autoscale deploy web --max=2 --cpu-percent=50 --name=r --dry-run=client -o yaml
autoscale deploy web --max=0
autoscale nosuch x --max=1
autoscale --max=3
autoscale deploy web --max=2 --name=b --cpu=80% --memory=70% -o json --dry-run=client
autoscale deploy web --max=2 --name=b1 --cpu=80x
autoscale deploy web --max=2 --name=b1 --cpu=-5%
autoscale deploy web --max=2 --name=b3 --cpu=0% --memory=1Gi --dry-run=client -o yaml
autoscale deploy web --max=2 --name=b3 --cpu=5 --cpu-percent=6
autoscale deploy web --max=2 --name=b7 --cpu=%
autoscale deploy web --max=2 --name=b8 --cpu=x%
autoscale deploy web --max=2 --name=b9 --cpu=99999999999%
autoscale deploy web --max=2 --name=b10 --memory=0 --dry-run=client -o yaml
autoscale deploy web --max=2 --name=b10 --memory=-1 --cpu=1.5 --dry-run=client -o yaml
autoscale deploy web --max=2 --name=b11 --save-config --dry-run=server
autoscale deploy web --max=x
autoscale deploy --max=2
autoscale sts/ss --max=2 --dry-run=client
"""

EVENTS = """
events
events -A
events -n nope
events --types=Warning
events --types=warning,normal
events --types=Foo
events --for pod/bare
events --for deploy/web
events --for deployment.apps/web
events --for deployment.v1.apps/web
events --for nosuch/web
events --for pod
events --for pod/nope
events --no-headers
events -o name
events -o wide
events -o json --types=Warning
events -o yaml
events x
events -A --for pod/bare
events --for pod/
events --for pod/a/b
events --chunk-size=1
events --chunk-size=-1
events -o yaml --for pod/nope
events --for node/x
events -o jsonpath={.items[*].reason}
"""

RUN = """
run p3 --image=i --port=80 --expose --dry-run=client -o yaml --labels=a=b
run p5 --image=i --overrides='{"kind":"Foo"}'
run p5 --image=i --overrides='{"spec":{"containers":[{"name":"q","image":"z"}]}}' --override-type=strategic --dry-run=client -o yaml
run p6 --image=i --port=80 --expose --dry-run=server
run p7 --image=i --expose
run p7 --image=i --override-type=x --overrides={}
"""


@pytest.fixture(scope="module")
def objects(pair: Pair) -> None:
    done = pair.kubectl("create", "-f", "-", stdin=OBJECTS)
    assert done.code == 0, done.err


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", _lines(EXPOSE + AUTOSCALE + EVENTS + RUN))
def test_line(pair: Pair, objects: None, line: str) -> None:
    pair.agree(*shlex.split(line))


def test_a_service_and_an_autoscaler_are_made(pair: Pair, objects: None) -> None:
    """The second time both programs say that it is there already."""
    for line in (
        "expose deploy web --name=made",
        "autoscale deploy web --max=2 --cpu=80% --name=made",
        "run made2 --image=i --port=80 --expose",
    ):
        first = pair.kctl(*shlex.split(line))
        assert first.code == 0, first.err
    pair.agree("expose", "deploy", "web", "--name=made")
    pair.agree("autoscale", "deploy", "web", "--max=2", "--cpu=80%", "--name=made")
    pair.agree("run", "made3", "--image=i", "--port=80", "--expose", "--dry-run=server")
    spec = pair.kubectl("get", "service", "made", "-o", "jsonpath={.spec.selector} {.spec.ports[*].targetPort}").out
    assert spec == '{"app":"web"} 80'


DECISIONS = """
certificate approve A
certificate approve A
certificate deny A
certificate approve A --force
certificate deny B -o name
certificate approve B
certificate approve C nope
certificate approve csr/C
certificate approve pods/C
certificate approve
certificate approve nope
certificate deny -f nosuch.yaml
get csr A B C --no-headers -o custom-columns=N:.metadata.name,C:.status.conditions[*].type,M:.status.conditions[*].message
"""


def test_decisions_about_certificates(pair: Pair) -> None:
    body = base64.b64encode(
        b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.b64encode(b"\x30\x00") + b"\n-----END CERTIFICATE REQUEST-----\n"
    ).decode()
    for name in ("kubectl-a", "kubectl-b", "kubectl-c", "kctl-a", "kctl-b", "kctl-c"):
        spec = f"{{request: {body}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}}"
        request = f"{{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {{name: {name}}}, spec: {spec}}}"
        done = pair.kubectl("create", "-f", "-", stdin=request)
        assert done.code == 0, done.err
    for line in _lines(DECISIONS):
        outcomes = []
        for program, run in (("kubectl", pair.kubectl), ("kctl", pair.kctl)):
            words = [
                f"{program}-{word.lower()}" if word in ("A", "B", "C") else word.replace("/C", f"/{program}-c")
                for word in shlex.split(line)
            ]
            outcome = run(*words)
            outcomes.append(outcome._replace(out=outcome.out.replace(f"{program}-", ""), err=outcome.err.replace(f"{program}-", "")))
        assert outcomes[0] == outcomes[1], difference(shlex.split(line), *outcomes)
    assert outcomes[1].out.split("\n")[0].split()[1] == "Approved"
