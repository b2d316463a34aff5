"""Small controllers in a whole cluster: signed cluster-info, protected VolumeAttributesClasses, old certificate requests, trust bundles."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

from controllers.kube_controller_manager.bootstrap_signer import signature
from controllers.kube_controller_manager.trust_bundle_publisher import TRUST_BUNDLES, bundle_name
from controllers.kube_controller_manager.volume_attributes_class_protection import CLASSES
from kctl.apimachinery import objects
from kctl.apimachinery.resources import CONFIG_MAPS, SECRETS
from kctl.daemon import pki
from tests.integration.storage import CLAIMS, claim_spec
from tests.integration.whole_cluster import Cluster, whole_cluster


def test_a_signature_is_the_one_that_kubeadm_expects() -> None:
    content = "Hello from the other side. I must have called a thousand times."
    expected = "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"
    assert signature(content, "joshua", "my voice is my passcode") == expected


async def token(cluster: Cluster, identity: str, **data: str) -> None:
    wanted = {"token-id": identity, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", **data}
    encoded = {name: base64.b64encode(value.encode()).decode() for name, value in wanted.items()}
    await cluster.create(SECRETS, f"bootstrap-token-{identity}", "kube-system", type="bootstrap.kubernetes.io/token", data=encoded)


async def test_cluster_info_is_signed_with_every_token_that_is_for_it() -> None:
    async with whole_cluster(nodes=0) as cluster:
        await cluster.create(CONFIG_MAPS, "cluster-info", "kube-public", data={"kubeconfig": "content"})
        await token(cluster, "abcdef")
        await token(cluster, "expire", expiration="2026-01-01T00:01:00Z")
        await token(cluster, "unused", **{"usage-bootstrap-signing": "false"})
        await cluster.settle(1)
        data = (await cluster.get(CONFIG_MAPS, "cluster-info", "kube-public"))["data"]
        assert sorted(data) == ["jws-kubeconfig-abcdef", "jws-kubeconfig-expire", "kubeconfig"]
        assert data["jws-kubeconfig-abcdef"] == signature("content", "abcdef", "0123456789abcdef")
        await cluster.settle(120)  # the token cleaner deletes one
        await cluster.merge(CONFIG_MAPS, "cluster-info", {"data": {"kubeconfig": "other"}}, "kube-public")
        await cluster.settle(1)
        data = (await cluster.get(CONFIG_MAPS, "cluster-info", "kube-public"))["data"]
        assert data == {"kubeconfig": "other", "jws-kubeconfig-abcdef": signature("other", "abcdef", "0123456789abcdef")}


async def test_a_volume_attributes_class_stays_while_a_claim_names_it() -> None:
    async with whole_cluster(nodes=0) as cluster:
        await cluster.create(CLASSES, "fast", driverName="csi.example.com", parameters={"iops": "1"})
        await cluster.create(CLAIMS, "data", spec={**claim_spec(), "volumeAttributesClassName": "fast"})
        await cluster.settle(1)
        assert objects.finalizers(await cluster.get(CLASSES, "fast")) == ["kubernetes.io/vac-protection"]
        await cluster.delete(CLASSES, "fast")
        await cluster.settle(1)
        assert await cluster.exists(CLASSES, "fast")
        await cluster.delete(CLAIMS, "data")
        await cluster.settle(1)
        assert not await cluster.exists(CLASSES, "fast")


async def test_the_authority_of_the_api_server_is_a_trust_bundle(tmp_path: Path) -> None:
    keys = pki.ensure(tmp_path / "pki", now=datetime(2026, 1, 1, tzinfo=UTC), hosts=["192.0.2.1"])
    async with whole_cluster(nodes=0, keys=keys) as cluster:
        (bundle,) = await cluster.items(TRUST_BUNDLES)
        content = keys["ca.crt"].read_text()
        assert objects.name(bundle) == bundle_name(content)
        assert objects.spec(bundle) == {"signerName": "kubernetes.io/kube-apiserver-serving", "trustBundle": content}
        await cluster.delete(TRUST_BUNDLES, bundle_name(content))
        await cluster.settle(1)
        assert await cluster.exists(TRUST_BUNDLES, bundle_name(content))
