"""The `set` commands change what kubectl's change, and say the same."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

OBJECTS = """
apiVersion: v1
kind: Service
metadata: {name: nginx}
spec: {selector: {app: nginx}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {E: "3"}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
stringData: {pass: word}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rb}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: x}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx}
spec:
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec: {containers: [{name: nginx, image: nginx, resources: {requests: {cpu: 100m, memory: 64Mi}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: two}
spec:
  selector: {matchLabels: {app: two}}
  template:
    metadata: {labels: {app: two}}
    spec:
      containers:
      - {name: a, image: a}
      - name: side
        image: s
        env:
        - {name: X, value: "1"}
        - {name: S, valueFrom: {secretKeyRef: {name: sec, key: pass}}}
        - {name: F, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: three}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      initContainers: [{name: ini, image: i, env: [{name: I, value: "1"}]}]
      containers:
      - name: main
        image: i
        resources: {limits: {cpu: 500m, memory: 1Gi}}
        env:
        - {name: S, valueFrom: {secretKeyRef: {name: sec, key: pass}}}
        - {name: R, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
        - {name: M, valueFrom: {configMapKeyRef: {name: nope, key: q}}}
        - {name: K, valueFrom: {secretKeyRef: {name: sec, key: nope}}}
        - {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['x']"}}}
        - {name: P, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
"""

LINES = """
set serviceaccount deploy nginx sa1
set sa deploy nginx sa1
set sa deploy nginx
set sa deploy/nginx
set sa svc nginx sa1
set sa deploy nope sa1
set sa deploy --all sa2
set sa -f manifests/examples/nginx.yaml sa3 --dry-run=client
set sa
set sa deploy nginx sa9 --dry-run=server
set sa deploy nginx sa9 -o name
set resources deploy nginx
set resources deploy nginx --limits=cpu=200m,memory=512Mi
set resources deploy nginx --limits=cpu=200m,memory=512Mi
set resources deploy nginx --limits=cpu=x
set resources deploy nginx --limits=cpu
set resources deploy nginx --limits=cpu=0 --requests=cpu=0
get deploy nginx -o jsonpath={.spec.template.spec.containers[*].resources}
set resources deploy two -c=side --limits=cpu=1 --dry-run=client -o jsonpath={.spec.template.spec.containers[*].resources}
set resources deploy two -c=nope --limits=cpu=1
set resources deploy two -c=s* --limits=cpu=1
set resources svc nginx --limits=cpu=1
set resources --limits=cpu=1
set resources deploy --limits=cpu=1
set resources deploy nginx --limits=foo=1,cpu=3
set resources deploy nginx --requests=cpu=5 --dry-run=server
set subject rolebinding rb
set subject rolebinding rb --user=bob
set subject rolebinding rb --user=bob
set subject rolebinding rb --group=g --serviceaccount=ns:a
set subject rolebinding rb --serviceaccount=a
set subject deploy nginx --user=a
set subject rolebinding nope --user=x
set subject rolebinding rb --user=a --dry-run=client -o jsonpath={.subjects}
get rolebinding rb -o jsonpath={.subjects}
set subject --user=z
set subject rolebinding rb --user=q --dry-run=server
set subject rolebinding rb x --user=q
set selector svc nginx a=b
set selector svc nginx a=b
set selector svc nginx 'a in (b)'
set selector svc nginx 'a in (b,c)'
set selector svc nginx a!=b
set selector svc nginx '!a'
set selector deploy nginx a=b
set selector svc nginx
set selector svc a=b --all
set selector svc nope a=b
set selector svc nginx a
set selector svc nginx a=b,c=d --dry-run=client -o jsonpath={.spec.selector}
set selector svc nginx a=b c=d
set selector svc nginx x=y --resource-version=1
get svc nginx -o jsonpath={.spec.selector}
set selector pods --all a=b
set env deploy/nginx A=1
set env deploy/nginx A=1
set env deploy nginx A=2 B=3 -o jsonpath={.spec.template.spec.containers[*].env}
set env deploy/nginx --list
set env deploy/two --list
set env deploy/two --list --resolve
set env deploy/nginx A-
set env deploy/nginx NOPE-
set env deploy/two X=5 --overwrite=false
set env deploy/two S=5 --overwrite=false
set env deploy/two -c side Y=1
set env deploy/two -c n* Y=1
set env deploy/two --from=configmap/cm
set env deploy/two --list
set env deploy/two --from=secret/sec --prefix=P_
set env deploy/two --from=cm/cm --keys=E --prefix=Q_
set env deploy/two --from=cm/cm --keys=nope
set env deploy/two --from=deploy/nginx
set env deploy/two --from=cm/nope
set env deploy/two --from=secret/a/b
set env svc/nginx A=1
set env deploy/two
set env
set env deploy/two A
set env deploy/two 1A=2
set env deploy/two 'a b=1'
set env deploy/two =5
set env deploy/two A=1 A-
set env deploy --all Z=1
set env deploy/two --list --all
set env deploy/two -e E=5
set env deploy/two -e =5
set env deploy/two -e X
set env deploy/two --list
set env deploy/two 'V=a b' 'W=$(X)' U=
get deploy two -o jsonpath={.spec.template.spec.containers[*].env}
set env deploy/two --list -c two
set env deploy/two --dry-run=client K=1
set env deploy/two --dry-run=server K=1 -o name
set env deploy/nope A=1
set env pods --all --list
set env A=1
set env deploy/two A=1 deploy/nginx
set env deploy/two --list -o yaml
set env deploy/two --keys=a A=1
set env deploy/two --prefix=a A=1
set env deploy/two --all -l x=y A=1
set env deploy/three --list
set env deploy/three --list --resolve
set env deploy/three I=5 Z=2 --list
set env deploy/three I=5 Z=2
set env deploy/three --list
set env deploy/three a.b=1 --list -c main
set env deploy/three A=1 S- --dry-run=server -o jsonpath={.spec.template.spec.containers[*].env}
"""


def _run(pair: Pair, program: str, words: list[str], namespace: str) -> Outcome:
    outcome = getattr(pair, program)("-n", namespace, *words)
    return Outcome(outcome.code, *(text.replace(namespace, "NAMESPACE") for text in outcome[1:]))


def test_same_story(pair: Pair) -> None:
    namespaces = {"kubectl": "set-one", "kctl": "set-two"}
    for namespace in namespaces.values():
        assert pair.kubectl("create", "namespace", namespace).code == 0
        made = pair.kubectl("create", "-n", namespace, "-f", "-", stdin=OBJECTS)
        assert made.code == 0, made.err
    differences = []
    for line in LINES.strip().splitlines():
        words = shlex.split(line)
        expected, actual = (_run(pair, program, words, namespaces[program]) for program in ("kubectl", "kctl"))
        if expected != actual:
            differences.append(difference(words, expected, actual))
    if differences:
        pytest.fail("\n\n".join(differences), pytrace=False)
