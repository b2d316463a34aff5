"""Restricted users and service accounts, with the real kubectl; `auth` says the same in both programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

RBAC = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: default}
rules:
- {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [configmaps], resourceNames: [a], verbs: [get, update]}
- {apiGroups: [apps], resources: [deployments/scale], verbs: ["*"]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}
- {kind: ServiceAccount, name: bot, namespace: default}
"""


@pytest.fixture(scope="module", autouse=True)
def roles(pair: Pair) -> None:
    assert pair.kubectl("apply", "-f", "-", stdin=RBAC).code == 0
    assert pair.kubectl("create", "serviceaccount", "bot").code == 0
    assert pair.kubectl("create", "configmap", "a", "--from-literal=x=1").code == 0


@pytest.mark.parametrize(
    "line",
    [
        "auth can-i list pods --as=jane",
        "auth can-i list pods --as=jane -n kube-system",
        "auth can-i get pods --subresource=log --as=jane",
        "auth can-i get configmaps/a --as=jane",
        "auth can-i get configmaps/b --as=jane",
        "auth can-i get configmaps --as=jane",
        "auth can-i patch deployments.apps --subresource=scale --as=jane",
        "auth can-i list pods -A --as=jane",
        "auth can-i get /healthz --as=jane",
        "auth can-i get /metrics --as=jane",
        "auth can-i * *",
        "auth can-i * * --as=jane",
        "auth can-i --list --as=jane",
        "auth can-i --list --as=jane --no-headers",
        "auth can-i --list --as=system:serviceaccount:default:bot",
        "auth can-i --list --as=system:serviceaccount:default:bot -n kube-system",
        "auth can-i --list --as=jane --as-group=system:masters",
        "auth can-i --list",
        "auth can-i --list pods",
        "auth whoami --as=jane --as-group=dev --as-uid=7 --as-user-extra=scopes=a",
        "get pods --as=jane",
        "get secrets --as=jane",
        "get configmap a -o name --as=jane",
        "get configmap b --as=jane",
        "delete configmap a --as=jane",
        "get nodes --as=jane",
        "get nope --as=jane",
        "create configmap x --as=jane",
        "get pods --as=system:anonymous",
        "get --raw /metrics --as=jane",
        "auth can-i",
        "auth can-i get",
        "auth can-i get pods x",
        "auth can-i -q list pods --as=jane",
        "auth can-i -q list secrets --as=jane",
        "auth can-i --quiet --list",
        "auth can-i frob pods",
        "auth can-i -q frob nope",
        "auth can-i get nope",
        "auth can-i get nope.example.com",
        "auth can-i get nodes",
        "auth can-i list deployments.v1.apps --as=jane",
        "auth can-i get deploy --as=jane",
        "auth can-i get po/x --as=jane",
        "auth can-i get pods/ --as=jane",
        "auth can-i get pod,svc",
        "auth can-i frob /healthz",
        "auth can-i get /healthz --subresource=log",
        "auth can-i get pods/x/y",
        "auth can-i get pods --subresource=nope",
        "auth can-i list pods --all-namespaces",
        "auth can-i list nodes -A",
        "auth can-i --list -A",
        "auth can-i --list --no-headers -n kube-system --as=jane",
        "auth can-i --list -q --as=jane",
        "auth can-i list pods --as=jane --no-headers",
        "auth can-i list pods --as=jane --as-group=system:masters --as-uid=7",
        "auth can-i list pods --as-group=a",
        "auth can-i create selfsubjectaccessreviews --as=jane",
        "auth can-i impersonate users --as=jane",
        "auth can-i escalate roles",
        "auth can-i * pods",
        "auth can-i get *",
        "auth can-i get */log",
        "auth can-i get pods -n nope --as=jane",
        "auth can-i --nope",
        "auth can-i use podsecuritypolicies",
        "auth can-i get events.events.k8s.io --as=jane",
        "auth whoami",
        "auth whoami -o yaml --as=jane",
        "auth whoami -o json --as=jane",
        "auth whoami -o name",
        "auth whoami -o jsonpath={.status.userInfo.username} --as=jane",
        "auth whoami x",
        "auth whoami -o wide",
        "auth whoami -o nope",
        "auth whoami --as=system:node:n",
        "auth whoami --as=system:serviceaccount:a:b",
        "auth whoami --as=jane --as-user-extra=a.io/b=c --as-user-extra=a.io/b=d --as-user-extra=e.io/f=g",
        "auth whoami --as=system:anonymous",
        "auth whoami -o go-template={{.kind}}",
        "auth whoami -o custom-columns=A:.kind --as=jane",
        "auth whoami --show-managed-fields -o json --as=jane",
        "auth nope",
        "auth reconcile -f /nope.yaml -o yaml",
        "auth reconcile --dry-run=nope -f /nope.yaml",
        "auth reconcile --dry-run=server -f /nope.yaml",
        "auth can-i frob pods -A",
        "auth can-i frob nodes -q",
        "auth can-i impersonate groups",
        "auth can-i frob pods --no-headers",
        "get pods --as-uid=7",
        "get pods --as-user-extra=a=b",
        "auth reconcile -f /nope.yaml --remove-extra-permissions=maybe",
        "get pods --as=jane --as-uid=7 -n kube-system",
        "auth can-i get pods --as=system:node:n",
        "whoami",
        "auth reconcile",
        "auth reconcile -f /nope.yaml",
        "auth reconcile x -f /nope.yaml",
    ],
)
def test_the_same_words(pair: Pair, line: str) -> None:
    pair.agree(*line.split())


def test_a_service_account_with_its_token(pair: Pair, tmp_path: Path) -> None:
    """The kubeconfig of somebody who has nothing else."""
    token = pair.kubectl("create", "token", "bot", "--duration=1h").out.strip()
    text = pair.kubeconfig.read_text().replace("token: secret", f"token: {token}")
    config = tmp_path / "config"
    config.write_text(text)
    bot = Pair(config, pair.home)
    assert bot.kubectl("get", "pods") == Outcome(0, "", "No resources found in default namespace.\n")
    refused = bot.kubectl("get", "secrets")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        'Error from server (Forbidden): secrets is forbidden: User "system:serviceaccount:default:bot" cannot list resource "secrets" '
        'in API group "" in the namespace "default"\n'
    )
    assert bot.kubectl("auth", "can-i", "list", "pods").out == "yes\n"
    assert "system:serviceaccount:default:bot" in bot.kubectl("auth", "whoami").out
    config.write_text(text.replace(token, token[:-4] + "AAAA"))
    assert "You must be logged in to the server (Unauthorized)" in bot.kubectl("get", "pods").err


def _clean(pair: Pair) -> None:
    pair.kubectl("delete", "clusterrole,clusterrolebinding", "-l", "set=mine")
    pair.kubectl("delete", "ns", "made", "--wait=false")


FIRST = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mine, labels: {set: mine}}
rules:
- {apiGroups: [""], resources: [pods, services], verbs: [get, list]}
- {nonResourceURLs: [/metrics], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mine, labels: {set: mine}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mine}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}
- {kind: ServiceAccount, name: bot, namespace: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: is-skipped}
"""
SECOND = FIRST.replace("[pods, services], verbs: [get, list]", "[pods], verbs: [get, watch]").replace("name: jane", "name: joe")
OTHER_ROLE = SECOND.replace("kind: ClusterRole, name: mine", "kind: ClusterRole, name: view")
PROTECTED = SECOND.replace(
    "metadata: {name: mine, labels: {set: mine}}\nrules",
    'metadata: {name: mine, labels: {set: mine}, annotations: {rbac.authorization.kubernetes.io/autoupdate: "false"}}\nrules',
)


@pytest.mark.parametrize("more", [[], ["--remove-extra-permissions", "--remove-extra-subjects"], ["--dry-run=client"], ["-o", "name"]])
def test_reconcile(pair: Pair, more: list[str]) -> None:
    """The same file sequence by each program, from nothing: what they say, and what is there afterwards."""
    said = []
    for program in (pair.kubectl, pair.kctl):
        _clean(pair)
        files = (FIRST, FIRST, SECOND, OTHER_ROLE)
        told = [program("auth", "reconcile", "-f", "-", *more, stdin=text) for text in files]
        path = "jsonpath={range .items[*]}{.rules}{.subjects}{end}"
        shown = pair.kubectl("get", "clusterrole,clusterrolebinding", "-l", "set=mine", "-o", path)
        said.append((told, shown))
    assert said[0] == said[1], difference(["auth", "reconcile", *more], *(Outcome(0, str(one), "") for one in said))


def test_reconcile_lets_be_who_opted_out(pair: Pair) -> None:
    said = []
    for program in (pair.kubectl, pair.kctl):
        _clean(pair)
        assert pair.kubectl("apply", "-f", "-", stdin=PROTECTED).code == 0
        said.append(program("auth", "reconcile", "-f", "-", stdin=FIRST))
    assert said[0] == said[1]
    assert "opted out" in said[0].err


def test_reconcile_makes_the_namespace(pair: Pair) -> None:
    role = RBAC.replace("namespace: default", "namespace: made", 1).partition("---")[0]
    outcome = pair.kctl("auth", "reconcile", "-f", "-", "-n", "made", stdin=role)
    assert outcome.code == 0, outcome
    assert pair.kubectl("get", "role", "reader", "-n", "made", "-o", "name").out == "role.rbac.authorization.k8s.io/reader\n"
