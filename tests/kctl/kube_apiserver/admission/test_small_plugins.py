"""Plugins of a page each: default classes, claims that grow, nodes that are new, topology labels, service accounts, certificates."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, built_in
from kctl.apimachinery.status import Forbidden
from tests.kctl.kube_apiserver.admission.conftest import Api

CLAIMS = built_in("v1", "PersistentVolumeClaim")
ACCOUNTS = built_in("v1", "ServiceAccount")


async def claim(api: Api, name: str, **spec: Any) -> Object:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return await api.create("v1", "PersistentVolumeClaim", name, spec=body)


async def storage_class(api: Api, name: str, made: str = "", **parts: Any) -> None:
    marks = {"storageclass.kubernetes.io/is-default-class": "true"} if made else {}
    metadata: Object = {"annotations": marks}
    await api.create("storage.k8s.io/v1", "StorageClass", name, provisioner="p", metadata=metadata, **parts)


async def test_a_claim_gets_the_default_class_unless_it_says_something(api: Api) -> None:
    assert "storageClassName" not in objects.spec(await claim(api, "none"))
    await storage_class(api, "plain")
    await storage_class(api, "b", "now")
    await storage_class(api, "a", "now")
    made = objects.spec(await claim(api, "given"))["storageClassName"]
    assert made in ("a", "b")  # made in the same second: the first by name; else the newer
    assert objects.spec(await claim(api, "empty", storageClassName=""))["storageClassName"] == ""
    assert objects.spec(await claim(api, "own", storageClassName="plain"))["storageClassName"] == "plain"


async def test_an_ingress_gets_the_default_class_unless_it_says_something(api: Api) -> None:
    await api.create(
        "networking.k8s.io/v1",
        "IngressClass",
        "main",
        metadata={"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        spec={"controller": "example.com/c"},
    )
    backend = {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}
    made = await api.create("networking.k8s.io/v1", "Ingress", "a", spec=backend)
    assert objects.spec(made)["ingressClassName"] == "main"
    old = {"annotations": {"kubernetes.io/ingress.class": "nginx"}}
    assert "ingressClassName" not in objects.spec(await api.create("networking.k8s.io/v1", "Ingress", "b", spec=backend, metadata=old))


async def test_claims_grow_where_their_class_lets_them(api: Api) -> None:
    await storage_class(api, "fixed")
    await storage_class(api, "elastic", allowVolumeExpansion=True)

    async def grow(name: str) -> None:
        await api.client.patch(CLAIMS, name, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}, "default")

    for name in ("fixed", "elastic"):
        made = await claim(api, name, storageClassName=name)
        await api.client.update_status(CLAIMS, objects.with_status(made, phase="Bound", capacity={"storage": "1Gi"}))
    with pytest.raises(Forbidden) as error:
        await grow("fixed")
    assert str(error.value) == (
        'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that '
        "provisions the pvc must support resize"
    )
    await grow("elastic")


async def test_a_new_node_takes_no_pods_yet(api: Api) -> None:
    made = await api.create("v1", "Node", "n", spec={"taints": [{"key": "a", "effect": "NoExecute"}]})
    assert [taint["key"] for taint in objects.spec(made)["taints"]] == ["a", "node.kubernetes.io/not-ready"]
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    assert objects.spec(await api.create("v1", "Node", "m", spec={"taints": [taint]}))["taints"] == [taint]


async def test_a_pod_gets_zone_and_region_of_its_node(api: Api) -> None:
    labels = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "o"}
    await api.create("v1", "Node", "n", metadata={"labels": labels})
    expected = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r"}
    await api.create("v1", "Pod", "bound", metadata={"labels": {"a": "b"}}, spec={"containers": [{"name": "c", "image": "i"}]})
    await api.client.bind("default", "bound", "n")
    bound = await api.get(PODS, "bound")
    assert objects.labels(bound) == {"a": "b", **expected} and objects.spec(bound)["nodeName"] == "n"
    assert objects.labels(await api.pod("placed", nodeName="n")) == expected
    assert objects.labels(await api.pod("elsewhere", nodeName="unknown")) == {}


# ---- service accounts


async def test_a_pod_waits_a_moment_for_the_account_of_a_new_namespace(api: Api) -> None:
    await api.create("v1", "Namespace", "new")
    making = asyncio.create_task(api.pod(namespace="new"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not making.done()
    await api.create("v1", "ServiceAccount", "default", "new", automountServiceAccountToken=False)
    made = await making
    assert objects.spec(made)["serviceAccountName"] == "default" and "volumes" not in objects.spec(made)


async def test_other_accounts_are_not_waited_for(api: Api) -> None:
    with pytest.raises(Forbidden, match='error looking up service account default/nope: serviceaccount "nope" not found'):
        await asyncio.wait_for(api.pod(serviceAccountName="nope"), 1)


async def test_a_token_volume_that_is_there_is_used(api: Api) -> None:
    volume = {"name": "kube-api-access-mine", "emptyDir": {}}
    spec = objects.spec(await api.pod(volumes=[volume]))
    assert spec["volumes"] == [volume] and spec["containers"][0]["volumeMounts"][0]["name"] == "kube-api-access-mine"


SECRETS = [
    ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, 'volume with secret.secretName="s" is not allowed because'),
    (
        {"containers": [{"name": "c", "image": "i", "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]},
        'container c with envVar E referencing secret.secretName="s" is not allowed because',
    ),
    ({"imagePullSecrets": [{"name": "s"}]}, 'imagePullSecrets[0].name="s" is not allowed because'),
]


@pytest.mark.parametrize(("spec", "text"), SECRETS)
async def test_an_account_may_limit_the_secrets_of_its_pods(api: Api, spec: Object, text: str) -> None:
    marked = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    await api.create("v1", "ServiceAccount", "limited", metadata=marked, secrets=[{"name": "other"}])
    with pytest.raises(Forbidden) as error:
        await api.pod(serviceAccountName="limited", **spec)
    assert text in str(error.value)
    await api.pod("free", **spec)


async def test_a_mirror_pod_has_nothing_of_the_api(api: Api) -> None:
    mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
    for spec, what in (
        ({"serviceAccountName": "default"}, "a mirror pod may not reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ):
        body = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n", **spec}
        with pytest.raises(Forbidden, match=what):
            await api.create("v1", "Pod", "m", metadata=mirror, spec=body)


# ---- certificates


def request(organization: str) -> str:
    subject = x509.Name(
        [x509.NameAttribute(x509.NameOID.COMMON_NAME, "jane"), x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization)]
    )
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


async def test_nobody_gets_a_client_certificate_of_the_masters(api: Api) -> None:
    async def ask(name: str, organization: str, signer: str) -> Object:
        spec = {"request": request(organization), "signerName": signer, "usages": ["client auth"]}
        return await api.create("certificates.k8s.io/v1", "CertificateSigningRequest", name, spec=spec)

    with pytest.raises(Forbidden) as error:
        await ask("a", "system:masters", "kubernetes.io/kube-apiserver-client")
    assert str(error.value) == (
        'certificatesigningrequests.certificates.k8s.io "a" is forbidden: use of kubernetes.io/kube-apiserver-client signer with '
        "system:masters group is not allowed"
    )
    await ask("b", "developers", "kubernetes.io/kube-apiserver-client")
    await ask("c", "system:masters", "example.com/other")
