"""kctl get and kubectl get: the same tables, objects, errors and exit codes."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import Pair, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

EXAMPLES = (
    "autoscaler",
    "configuration",
    "cronjob",
    "daemonset",
    "disruption-budget",
    "ingress",
    "job",
    "namespace",
    "network-policy",
    "nginx",
    "priority-class",
    "quota",
    "rbac",
    "slow-rollout",
    "statefulset",
    "storage",
)


@pytest.fixture(scope="module", autouse=True)
def examples(pair: Pair) -> None:
    pair.kctl("create", "serviceaccount", "default")
    for name in EXAMPLES:
        outcome = pair.kctl("apply", "-f", f"manifests/examples/{name}.yaml")
        assert outcome.code == 0, outcome


LINES = r"""
get deploy
get deploy -o wide
get deploy nginx
get deploy nginx -o yaml
get deploy nginx -o json
get deploy nginx -o name
get deploy -o yaml
get deploy -o json
get deploy nginx --show-kind
get deploy --no-headers
get deploy --show-labels
get deploy -L app,nope
get deploy -A
get deploy.apps
get deployments.v1.apps nginx
get deployments.apps/nginx
get Deployment nginx
get DEPLOY
get PODS
get svc,deploy
get svc,deploy -o name
get svc,deploy -o wide --show-labels
get deploy/nginx deploy/slow
get deploy/nginx svc
get deploy nginx/x
get deploy nginx -A
get deploy nginx slow
get deploy nginx svc -o yaml
get all
get all -A
get all -o wide
get all -l app=nginx
get deploy,nosuch
get deploy,
get nosuch
get nosuch.example.com
get deploy nope
get deploy nope nginx
get deploy nope1 nope2
get deploy nope --ignore-not-found
get deploy nope -o yaml
get deploy nope -o yaml --ignore-not-found
get deploy nope nginx -o name
get deploy -l app=nginx
get deploy -l 'app in (nginx,foo)'
get deploy -l 'app in nginx'
get deploy -l app=x
get ns -l app=x
get deploy --field-selector=metadata.name=nginx
get deploy --field-selector=spec.foo=nginx
get deploy -n nope
get ns
get ns default -o yaml
get ns default --show-managed-fields -o yaml
get cm settings -o jsonpath={.data}
get cm settings -o yaml
get secret credentials -o yaml
get deploy -o jsonpath='{.items[*].metadata.name}'
get deploy -o jsonpath='{range .items[*]}{.metadata.name}{"\t"}{.spec.replicas}{"\n"}{end}'
get deploy nginx -o jsonpath='{.spec.template.spec.containers[0]}'
get deploy nginx -o jsonpath='{.spec.template.spec.containers[*].image}'
get deploy -o jsonpath='{.foo'
get deploy -o jsonpath='{..image}'
get deploy -o jsonpath='{.items[?(@.metadata.name=="nginx")].spec.replicas}'
get deploy -o jsonpath='{.items[?(@.spec.replicas>3)].metadata.name}'
get deploy -o jsonpath="{.items[*]['metadata.name','spec.replicas']}"
get deploy -o jsonpath='{.items[0:1].metadata.name}'
get deploy -o jsonpath='{.items[-1].metadata.name}'
get deploy nginx -o kyaml
get cm settings -o kyaml
get deploy -o kyaml
get deploy -o jsonpath='{.items[*].metadata.annotations.kubectl\.kubernetes\.io/last-applied-configuration}'
get deploy nginx -o jsonpath='{.metadata.labels}{.nope}{.spec.replicas}'
get deploy nginx -o jsonpath='{.nope}' --allow-missing-template-keys=false
get deploy nginx -o jsonpath='{.status}{.spec.paused}'
get deploy nginx -o jsonpath
get deploy -o jsonpath-as-json='{.items[*].metadata.name}'
get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas,L:.metadata.labels,X:.nope
get deploy -o custom-columns=NAME:metadata.name,IMAGES:{.spec.template.spec.containers[*].image}
get deploy nginx -o custom-columns=N:.metadata.name --no-headers
get deploy -o custom-columns=N
get deploy -o custom-columns=
get deploy -o custom-columns-file=/nope
get deploy -o foo
get deploy --sort-by=.metadata.name
get deploy --sort-by={.spec.replicas}
get svc --sort-by=.metadata.creationTimestamp -o name
get deploy -o go-template='{{range .items}}{{.metadata.name}} {{.spec.replicas}}{{"\n"}}{{end}}'
get deploy nginx -o go-template='{{.metadata.name}}{{.nope}}{{if .spec.paused}}paused{{else}}running{{end}}'
get deploy nginx --template='{{index .spec.template.spec.containers 0}}'
get deploy nginx -o template='{{range $k, $v := .metadata.labels}}{{$k}}={{$v}} {{end}}'
get deploy nginx -o go-template='{{len .spec.template.spec.containers}} {{printf "%s-%v" .metadata.name .spec.replicas}}'
get deploy nginx -o go-template='{{with .spec}}{{.replicas}}{{end}}{{eq .spec.replicas 3}}{{and true .metadata.name}}'
get deploy nginx -o go-template='{{.metadata.name'
get deploy nginx -o go-template='{{nosuch .}}'
get deploy nginx -o go-template
get secret credentials -o go-template='{{range $k,$v := .data}}{{$k}}={{$v | base64decode}};{{end}}'
get svc -A
get svc -A -o wide --show-labels
get svc,cm -A
get sts,ds,job,cj,hpa,pdb
get sts,ds,job,cj,hpa,pdb -o wide
get ing,netpol,ingressclass
get pv,pvc,sc,pc -o wide
get role,rolebinding,clusterrole,clusterrolebinding -o wide
get quota,limits -A
get sa,secret,cm
get crd
get events
get endpoints
get leases -A
get endpointslices
get nodes
get -f manifests/examples/nginx.yaml
get -f manifests/examples/nginx.yaml -o name
get -f manifests/examples/nginx.yaml -o yaml
get -f manifests/examples/nginx.yaml deploy
get -f manifests/nope.yaml
get --raw /api/v1/namespaces/default
get --raw /nope
get --raw nope
get --raw /api/v1/namespaces/default -l a=b
get deploy nginx --subresource=status -o name
get deploy nginx --subresource=nope
get deploy --show-labels -o yaml
get deploy --output-watch-events
get
get --foo
get -z
get deploy -n
get deploy --watch=x
get deploy --chunk-size=1
get deploy --chunk-size=x
get deploy -o=name
get -oname deploy
get -n=default deploy
get deploy --namespace default --no-headers=true
get deploy --all-namespaces=false
get pods a b -l x=y
get deploy nginx -w -o name --request-timeout=1s
-n default get deploy
gte
get pods --context=nope
get pods --cluster=nope
get pods --user=nope
--kubeconfig=/nope get pods
get deploy --token=wrong
get pods --server=http://127.0.0.1:1
api-versions
"""


@pytest.mark.parametrize("line", LINES.strip().splitlines())
def test_same_text_and_code(pair: Pair, line: str) -> None:
    pair.agree(*shlex.split(line))
