"""exec, attach and port-forward: kctl and kubectl say the same of a running pod, over WebSocket and over SPDY."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import difference
from tests.e2e.live import LivePair, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]

LINES = """
exec web -- echo hello
exec web -- sh -c 'echo a; exit 3'
exec web -- no-such-program
exec web
exec web --
exec web echo hi
exec -- ls
exec nope -- true
exec web -c nope -- true
exec pod/two -- echo hello
exec two -c second -- echo hello
exec two -q -- echo hello
exec web -it -- echo hello
exec web -itq -- echo hello
exec web -i -- echo hello
exec rs/none -- true
exec svc/kubernetes -- true
exec cm/kube-root-ca.crt -- true
exec web --pod-running-timeout=0s -- true
attach
attach a b c
attach nope
attach web -c nope
attach web --pod-running-timeout=0s
attach cm/kube-root-ca.crt
port-forward
port-forward web
port-forward web x
port-forward web :
port-forward web 99999
port-forward web 0:0
port-forward nope 80
port-forward web 80:nope
port-forward web :80 --address=foo
port-forward svc/kubernetes 443
port-forward svc/web nope
port-forward svc/web 81
port-forward svc/web 53
port-forward --pod-running-timeout=0 web 80
logs two -c nope
logs two -c second
run x -t --image=i
run x -i --rm=false --image=i --dry-run=client
run x --rm --image=i
run x --image=i --restart=Never --attach --dry-run=server
cp
cp a
cp a b
cp :a web:b
cp a/b/c:d e
cp web:/a two:/b
cp web: b
cp README.md web:/
cp no-such-file web:/tmp
cp README.md nope:/tmp
cp nope:/etc/hostname x
cp README.md web:/tmp -c nope
cp README.md web:/no/such/folder
cp README.md two:/tmp -c second
cp README.md two:/tmp --no-preserve
cp README.md default/web:/tmp/other
debug
debug web
debug web --image=::
debug nope --image=busybox
debug web --image=busybox --profile=nope
debug web --image=busybox --target=web --copy-to=x
debug web --image=busybox -t
debug web --image=busybox --replace
debug web --image=busybox --same-node
debug web --set-image=web=x
debug web --copy-to=x
debug web --copy-to=x -- sh
debug web --copy-to=x --set-image=web=::
debug web --attach --copy-to=x --set-image=web=y
debug web --image=busybox --image-pull-policy=Maybe
debug web --image=busybox --env=A
debug web --copy-to=x --set-image=A
debug web --image=busybox --custom=no-such-file
debug cm/kube-root-ca.crt --image=busybox
debug node/nope --image=busybox
debug web --copy-to=two --image=busybox -c dbg
debug web --copy-to=x --container=nope -- sh
proxy --port=1 --unix-socket=x
"""

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {run: web}}
spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80, name: http}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: two}
spec: {containers: [{name: first, image: i}, {name: second, image: i}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {run: web}, ports: [{port: 80, name: http}, {port: 53, protocol: UDP, name: dns}]}
"""


@pytest.fixture(scope="module", autouse=True)
def pods(live: LivePair) -> None:
    assert live.kctl("apply", "-f", "-", stdin=MANIFESTS).code == 0
    assert live.kctl("wait", "--for=condition=Ready", "pod/web", "pod/two", "--timeout=60s").code == 0


@pytest.mark.parametrize("websockets", ["true", "false"])
@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_as_kubectl(live: LivePair, line: str, websockets: str) -> None:
    words = shlex.split(line)
    variables = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": websockets, "KUBECTL_PORT_FORWARD_WEBSOCKETS": websockets}
    expected, actual = live.kubectl(*words, variables=variables), live.kctl(*words, variables=variables)
    if actual != expected:
        pytest.fail(difference(words, expected, actual), pytrace=False)
