"""kctl describe and kubectl describe: the same text for every kind, on an API server whose objects stay as they are."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.differential import Pair, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl

MANIFEST = "tests/e2e/manifests/describe.yaml"

OBJECTS = (
    "pv/pv1 pv/pv2 pv/pv3 pv/pv4 pvc/pvc1 pvc/pvc2 sc/sc1 sc/sc2 csinode/kctl-worker ep/ep1 ep/ep2 "
    "endpointslice/es1 endpointslice/es2 ing/ing1 ing/ing2 ingressclass/ic1 ingressclass/ic2 netpol/np1 netpol/np2 "
    "netpol/np3 role/r1 clusterrole/cr1 clusterrole/cr2 rolebinding/rb1 rolebinding/rb2 clusterrolebinding/crb1 "
    "quota/rq1 quota/rq2 limits/lr1 hpa/hpa1 hpa/hpa2 pdb/pdb1 pdb/pdb2 cj/cj1 cj/cj2 pc/pc1 podtemplate/pt1 "
    "crd/foos.example.com servicecidr/more vac/vac1 controllerrevision/crev1 runtimeclass/rc1 "
    "csidriver/d.example.com csr/csr1 validatingwebhookconfiguration/vwc1 svc/nginx sts/db ds/agent deploy/web "
    "rs/lone rc/old job/once cm/settings secret/hidden ns/default pod/claim-user sa/default "
)

LINES = """
describe
describe nope
describe deploy nope
describe deploy we
describe deploy we --show-events=true
describe deploy -l nope=x
describe pods -n nope
describe priorityclasses
describe roles -A
describe clusterroles
describe clusterrolebindings
describe rolebindings -A
describe flowschemas
describe apiservices
describe hpa.v1.autoscaling
describe deploy,svc
describe deploy/web svc/nginx
describe deploy web --show-events=false
describe -f manifests/examples/nginx.yaml
describe validatingadmissionpolicies
describe --nope
""".strip().splitlines()


@pytest.fixture(scope="module", autouse=True)
def objects(pair: Pair) -> None:
    pair.kctl("create", "serviceaccount", "default")
    outcome = pair.kctl("apply", "-f", MANIFEST)
    assert outcome.code == 0, outcome


@pytest.mark.parametrize("line", [*(f"describe {one}" for one in OBJECTS.split()), *LINES])
def test_same_description(pair: Pair, line: str) -> None:
    pair.agree(*shlex.split(line))
