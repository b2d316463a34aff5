"""CertificateSigningRequests: approved by whom it may concern, signed by the cluster's authority, cleaned away; bootstrap tokens expire."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from controllers.kube_controller_manager.certificate_cleaning import ends_at
from controllers.kubelet.node_config import NodeConfig
from kctl.apimachinery import objects
from kctl.apimachinery.clock import NEW_YEAR, VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SECRETS, built_in
from kctl.apimachinery.times import rfc3339
from kctl.daemon.control_plane import ControlPlane
from kctl.kube_apiserver.config import ApiServerConfig
from store.memory import MemoryStore
from tests.integration.whole_cluster import Cluster

REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
CLIENT, KUBELET, SERVING = (
    f"kubernetes.io/{name}" for name in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving")
)


@cache
def authority() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(NEW_YEAR - timedelta(days=1)).not_valid_after(NEW_YEAR + timedelta(days=3650))
    made = builder.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM), pem


@contextlib.asynccontextmanager
async def signing_cluster() -> AsyncIterator[Cluster]:
    certificate, key = authority()
    config = ApiServerConfig(cluster_ca=certificate, cluster_signing_key=key)
    clock = VirtualClock()
    plane = ControlPlane(MemoryStore(), clock, 1, [NodeConfig("node-0")], config=config)
    async with plane:
        await clock.step(2)
        yield Cluster(plane, clock)


def request(common_name: str, organizations: Sequence[str] = (), dns: Sequence[str] = ()) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in dns]), critical=False)
    return base64.b64encode(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()


async def ask(cluster: Cluster, name: str, signer: str, asked: str, *usages: str, **more: Any) -> None:
    wanted = list(usages) or ["client auth", "digital signature"]
    await cluster.create(REQUESTS, name, spec={"request": asked, "signerName": signer, "usages": wanted, **more})
    await cluster.settle(1)


async def decide(cluster: Cluster, name: str, kind: str = "Approved") -> Object:
    condition = {"type": kind, "status": "True", "reason": "Test", "message": "by hand"}
    present = await cluster.get(REQUESTS, name)
    await cluster.client.update(REQUESTS, objects.with_status(present, conditions=[condition]), subresource="approval")
    await cluster.settle(1)
    return await cluster.get(REQUESTS, name)


def certificate_of(signed: Object) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(objects.status(signed)["certificate"]))


async def test_an_approved_request_is_signed_by_the_cluster_s_authority() -> None:
    async with signing_cluster() as cluster:
        await ask(cluster, "jane", CLIENT, request("jane", ["dev"]), expirationSeconds=86_400)
        assert not objects.status(await cluster.get(REQUESTS, "jane")).get("certificate")
        made = certificate_of(await decide(cluster, "jane"))
        made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()[0]))
        assert made.subject.rfc4514_string() == "CN=jane,O=dev"
        assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=1)
        assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.digital_signature and not usage.key_cert_sign
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_what_is_denied_or_not_ours_is_not_signed() -> None:
    async with signing_cluster() as cluster:
        await ask(cluster, "denied", CLIENT, request("x"))
        assert not objects.status(await decide(cluster, "denied", "Denied")).get("certificate")
        await ask(cluster, "theirs", "example.com/signer", request("x"))
        assert not objects.status(await decide(cluster, "theirs")).get("certificate")


@pytest.mark.parametrize(
    ("signer", "asked", "usages", "why"),
    [
        (KUBELET, ("system:node:a", ["dev"]), (), "subject organization is not system:nodes"),
        (KUBELET, ("a", ["system:nodes"]), (), "subject common name does not begin with system:node:"),
        (KUBELET, ("system:node:a", ["system:nodes"], ["a"]), (), "DNS subjectAltNames are not allowed"),
        (SERVING, ("system:node:a", ["system:nodes"]), ("server auth", "digital signature"), "DNS or IP subjectAltName is required"),
        (SERVING, ("system:node:a", ["system:nodes"], ["a"]), (), "usages did not match [digital signature server auth]"),
    ],
)
async def test_signers_say_what_they_do_not_sign(signer: str, asked: tuple[Any, ...], usages: tuple[str, ...], why: str) -> None:
    async with signing_cluster() as cluster:
        await ask(cluster, "r", signer, request(*asked), *usages)
        present = await cluster.get(REQUESTS, "r")
        if not objects.is_condition_true(present, "Approved"):
            present = await decide(cluster, "r")
        failed = objects.condition(present, "Failed")
        assert failed is not None and (failed["reason"], failed["message"]) == ("SignerValidationFailure", why)


async def test_a_kubelet_s_own_certificate_is_approved_without_anybody() -> None:
    async with signing_cluster() as cluster:
        await ask(cluster, "node", KUBELET, request("system:node:a", ["system:nodes"]))
        signed = await cluster.get(REQUESTS, "node")
        approved = objects.condition(signed, "Approved")
        message = "Auto approving kubelet client certificate after SubjectAccessReview."
        assert approved is not None and (approved["reason"], approved["message"]) == ("AutoApproved", message)
        assert certificate_of(signed).subject.rfc4514_string() == "CN=system:node:a,O=system:nodes"


async def test_requests_go_when_nobody_needs_them_any_more() -> None:
    async with signing_cluster() as cluster:
        for name in ("signed", "denied", "open"):
            await ask(cluster, name, CLIENT, request(name))
        await decide(cluster, "signed")
        await decide(cluster, "denied", "Denied")
        await cluster.settle(3500)
        assert len(await cluster.items(REQUESTS)) == 3
        await cluster.settle(200)
        assert [objects.name(each) for each in await cluster.items(REQUESTS)] == ["open"]
        (waiting,) = await cluster.items(REQUESTS)
        assert ends_at(waiting) == NEW_YEAR.replace(day=2) + timedelta(seconds=4)


async def test_bootstrap_tokens_expire() -> None:
    async with signing_cluster() as cluster:
        for name, seconds in (("soon", 60), ("later", 600)):
            ends = rfc3339(cluster.clock.now() + timedelta(seconds=seconds))
            data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "expiration": ends}
            await cluster.create(SECRETS, name, "kube-system", type="bootstrap.kubernetes.io/token", stringData=data)
        await cluster.create(SECRETS, "endless", "kube-system", type="bootstrap.kubernetes.io/token", stringData={"token-id": "abcdee"})
        await cluster.settle(61)
        assert not await cluster.exists(SECRETS, "soon", "kube-system") and await cluster.exists(SECRETS, "later", "kube-system")
        await cluster.settle(600)
        assert not await cluster.exists(SECRETS, "later", "kube-system") and await cluster.exists(SECRETS, "endless", "kube-system")
