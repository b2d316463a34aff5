"""Commands that change things: kctl and kubectl say the same, and leave the same behind.

Each program works in a namespace of its own, so that both start from nothing; the namespace's name is the only thing that is
translated.
"""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

import pytest

from kctl.apimachinery import times
from tests.e2e.differential import Outcome, Pair, difference, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

MANIFESTS = "manifests/examples"

SCRIPTS = {
    "apply": f"""
        apply -f {MANIFESTS}/nginx.yaml
        apply -f {MANIFESTS}/nginx.yaml
        apply -f {MANIFESTS}/nginx.yaml --dry-run=client
        apply -f {MANIFESTS}/nginx.yaml --dry-run=server
        apply -f {MANIFESTS}/disruption-budget.yaml
        apply -f {MANIFESTS}/disruption-budget.yaml
        apply -f {MANIFESTS}/nginx.yaml -o name
        apply view-last-applied deploy/nginx
        delete -f {MANIFESTS}/nginx.yaml --wait=false
        delete -f {MANIFESTS}/nginx.yaml
        delete -f {MANIFESTS}/nginx.yaml --ignore-not-found
        """,
    "apply-others": f"""
        apply -f {MANIFESTS}/configuration.yaml --dry-run=client
        apply -f {MANIFESTS}/statefulset.yaml
        create -f {MANIFESTS}/job.yaml
        create -f {MANIFESTS}/job.yaml
        apply -f {MANIFESTS}/job.yaml
        apply -f {MANIFESTS}/job.yaml
        get job report -o jsonpath={{.metadata.annotations}}
        replace -f {MANIFESTS}/nginx.yaml
        create -f {MANIFESTS}/nginx.yaml --save-config
        apply -f {MANIFESTS}/nginx.yaml
        replace -f {MANIFESTS}/cronjob.yaml
        """,
    "generators": """
        create cm a --from-literal=k=v
        create cm a --from-literal=k=v
        create secret generic s --from-literal=k=v
        create secret generic s --from-literal=k=v
        create sa robot
        create sa robot
        create deployment web --image=nginx --replicas=2
        create deployment web --image=nginx
        create deployment other --image=nginx --dry-run=server
        create deployment other --image=nginx --dry-run=server -o name
        create job j --image=busybox -- true
        create cronjob c --image=busybox '--schedule=* * * * *' -- date
        create job k --from=cronjob/c
        create job k --from=cronjob/nope
        create quota q --hard=pods=100
        create role r --verb=get --resource=pods,deployments.apps,pods/log
        create role r --verb=get --resource=pods
        create role x --verb=get --resource=nosuch
        create rolebinding rb --role=r --user=jane
        create svc clusterip s1 --tcp=80:80
        create svc nodeport s2 --tcp=80:80
        create ingress i --rule=foo.com/=s1:80
        create pdb p --selector=app=x --min-available=1
        create deployment BAD --image=nginx
        create svc clusterip s1 --tcp=80:80
        create cm -- x
        get cm,secret,sa,deploy,job,cj,role,rolebinding,ing,pdb
        """,
    "delete": """
        create cm a
        create cm b
        create cm c
        delete cm a
        delete cm a
        delete cm a --ignore-not-found
        delete cm/b -o name
        delete cm b c
        delete cm
        delete
        delete cm --all --dry-run=client
        delete cm -l nope=x
        delete cm x --all
        delete cm --all -l a=b
        delete cm x --now --grace-period=3
        delete cm x --cascade=foo
        delete cm x -o yaml
        delete nosuch x
        create cm d
        delete cm d --dry-run=server
        delete cm d --dry-run=client
        delete cm,secret d
        create deploy web --image=nginx
        delete deploy web --cascade=orphan --wait=false
        create deploy web2 --image=nginx
        delete deploy web2 --grace-period=0 --force
        """,
    "patch": """
        create deploy web --image=nginx
        patch deploy web -p '{"spec":{"replicas":2}}'
        patch deploy web -p '{"spec":{"replicas":2}}'
        patch deploy web --type=merge -p '{"metadata":{"labels":{"m":"1"}}}'
        patch deploy web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":3}]'
        patch deploy web --type=json -p '[{"op":"replace","path":"/spec/nope/x","value":3}]'
        patch deploy web -p 'spec: {replicas: 4}'
        patch deploy web -p '{"spec":{"replicas":5}}' --dry-run=server
        patch deploy web -p '{"spec":{"replicas":5}}' --dry-run=client
        patch deploy web -p '{"spec":{"replicas":5}}' -o name
        patch deploy web -p '{"spec":{"replicas":"x"}}'
        patch deploy web -p '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}'
        patch deploy web
        patch deploy web --type=foo -p {}
        patch deploy nope -p {}
        patch deploy web -p '{'
        patch deploy/web --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'
        get deploy web -o jsonpath={.spec.replicas}
        """,
}


_AGE = re.compile(r"\b\d+s( +|$)", re.MULTILINE)
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""The two objects of a story are made one after the other, sometimes on both sides of a full second."""


def _run(pair: Pair, program: str, words: list[str], namespace: str, began: datetime) -> Outcome:
    outcome = getattr(pair, program)("-n", namespace, *words)
    texts = (text.replace(namespace, "NAMESPACE") for text in outcome[1:])
    return Outcome(outcome.code, *(_AGE.sub("AGE ", _without_times_since(began, text)) for text in texts))


def _without_times_since(began: datetime, text: str) -> str:
    """Times of the story itself say so; any other stays, and must be equal."""
    ended = datetime.now(UTC)
    return _TIME.sub(lambda found: "DURING" if began <= times.parse(found[0]) <= ended else found[0], text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_same_story(pair: Pair, name: str) -> None:
    namespaces = {"kubectl": f"{name}-one", "kctl": f"{name}-two"}
    for namespace in namespaces.values():
        pair.kctl("create", "namespace", namespace)
    differences, began = [], datetime.now(UTC).replace(microsecond=0)
    for line in SCRIPTS[name].strip().splitlines():
        words = shlex.split(line)
        expected, actual = (_run(pair, program, words, namespaces[program], began) for program in ("kubectl", "kctl"))
        if expected != actual:
            differences.append(difference(words, expected, actual))
    if differences:
        pytest.fail("\n\n".join(differences), pytrace=False)
