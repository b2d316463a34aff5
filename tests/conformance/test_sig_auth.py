"""What the official conformance tests of sig-auth do through the API."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kctl.apimachinery.user import User
from tests.conformance.api import Api, api

CORE = "/api/v1/namespaces/default"
ACCOUNTS = f"{CORE}/serviceaccounts"
AUTHENTICATION = "/apis/authentication.k8s.io/v1"
AUTHORIZATION = "/apis/authorization.k8s.io/v1"
MOUNTED_AT = "/var/run/secrets/kubernetes.io/serviceaccount"


async def account(made: Api, name: str, **more: Any) -> Any:
    return await made.create(ACCOUNTS, {"metadata": {"name": name}, **more})


async def token(made: Api, name: str, **spec: Any) -> str:
    return str((await made.create(f"{ACCOUNTS}/{name}/token", {"spec": spec}))["status"]["token"])


async def test_accounts_live() -> None:
    """[sig-auth] ServiceAccounts should run through the lifecycle of a ServiceAccount [Conformance]"""
    async with api() as made:
        chosen = f"{ACCOUNTS}?labelSelector=test-serviceaccount-static%3Dtrue"
        before = await made.get(chosen)
        await made.create(ACCOUNTS, {"metadata": {"name": "testserviceaccount", "labels": {"test-serviceaccount-static": "true"}}})
        ((kind, seen),) = await made.watched(chosen, before)
        assert kind == "ADDED" and seen["metadata"]["name"] == "testserviceaccount"
        patched = await made.patch(f"{ACCOUNTS}/testserviceaccount", {"automountServiceAccountToken": False})
        assert patched["automountServiceAccountToken"] is False
        (listed,) = (await made.get("/api/v1/serviceaccounts?labelSelector=test-serviceaccount-static%3Dtrue"))["items"]
        assert listed["metadata"]["name"] == "testserviceaccount" and listed["automountServiceAccountToken"] is False
        status, _ = await made.ask("DELETE", chosen)
        assert status == 200
        assert [kind for kind, _ in await made.watched(chosen, patched)] == ["DELETED"]


async def test_accounts_are_updated() -> None:
    """[sig-auth] ServiceAccounts should update a ServiceAccount [Conformance]"""
    async with api() as made:
        created = await account(made, "e2e-sa")
        assert "automountServiceAccountToken" not in created
        updated = await made.update(f"{ACCOUNTS}/e2e-sa", {**created, "automountServiceAccountToken": True})
        assert updated["automountServiceAccountToken"] is True
        assert (await made.get(f"{ACCOUNTS}/e2e-sa"))["automountServiceAccountToken"] is True


async def test_a_token_is_reviewed() -> None:
    """[sig-auth] ServiceAccounts should create a serviceAccountToken and ensure a successful TokenReview [Conformance]"""
    async with api() as made:
        await account(made, "e2e-sa")
        text = await token(made, "e2e-sa")
        assert text
        review = await made.create(f"{AUTHENTICATION}/tokenreviews", {"spec": {"token": text}})
        assert review["status"]["authenticated"] is True and "error" not in review["status"]
        assert review["status"]["user"]["username"] == "system:serviceaccount:default:e2e-sa"


PODS_SAY, ACCOUNTS_SAY = (None, True, False), (None, True, False)


@pytest.mark.parametrize("account_says", ACCOUNTS_SAY)
@pytest.mark.parametrize("pod_says", PODS_SAY)
async def test_a_token_is_mounted_unless_one_says_no(pod_says: bool | None, account_says: bool | None) -> None:
    """[sig-auth] ServiceAccounts should allow opting out of API token automount [Conformance]"""
    async with api() as made:
        await account(made, "mount", **({} if account_says is None else {"automountServiceAccountToken": account_says}))
        spec = {"serviceAccountName": "mount", "containers": [{"name": "token-test", "image": "agnhost"}]}
        if pod_says is not None:
            spec["automountServiceAccountToken"] = pod_says
        pod = await made.create(f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
        mounts = [mount["mountPath"] for mount in pod["spec"]["containers"][0].get("volumeMounts", [])]
        wanted = pod_says if pod_says is not None else account_says is not False
        assert mounts == ([MOUNTED_AT] if wanted else [])


async def test_others_verify_a_token_by_discovery() -> None:
    """[sig-auth] ServiceAccounts ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer [Conformance]

    As upstream's pod does: with its own token it asks where the keys are, and with these it verifies the token.
    """
    async with api() as made:
        await account(made, "verifier")
        spec = {"serviceAccountName": "verifier", "containers": [{"name": "oidc-discovery-validator", "image": "agnhost"}]}
        pod = await made.create(f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
        bound = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]}
        text = await token(made, "verifier", audiences=["oidc-discovery-test"], boundObjectRef=bound)
        asking = await token(made, "verifier", boundObjectRef=bound)
        status, document = await made.by_token("GET", "/.well-known/openid-configuration", asking)
        assert status == 200 and document["issuer"] == jwt.decode(text, options={"verify_signature": False})["iss"]
        status, keys = await made.by_token("GET", "/openid/v1/jwks", asking)
        assert status == 200 and document["jwks_uri"].endswith("/openid/v1/jwks")
        header = jwt.get_unverified_header(text)
        (key,) = (key for key in jwt.PyJWKSet.from_dict(keys).keys if key.key_id == header["kid"])
        assert header["alg"] in document["id_token_signing_alg_values_supported"]
        claims = jwt.decode(text, key.key, [header["alg"]], audience="oidc-discovery-test", issuer=document["issuer"], leeway=5)
        assert claims["sub"] == "system:serviceaccount:default:verifier"
        assert claims["kubernetes.io"]["pod"] == {"name": "p", "uid": pod["metadata"]["uid"]}
        assert (await made.ask("GET", "/openid/v1/jwks", user=User("jane", ("system:authenticated",))))[0] == 403


@pytest.mark.parametrize("may", [True, False])
async def test_what_subject_reviews_say_is_so(may: bool) -> None:
    """[sig-auth] SubjectReview should support SubjectReview API operations [Conformance]"""
    async with api() as made:
        created = await account(made, "e2e")
        name = "system:serviceaccount:default:e2e"
        if may:
            rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
            rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
            await made.create(f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": rules})
            reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
            subject = {"kind": "ServiceAccount", "name": "e2e", "namespace": "default"}
            await made.create(f"{rbac}/rolebindings", {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]})
        asked = {"verb": "list", "resource": "configmaps", "namespace": "default", "version": "core"}
        spec = {"resourceAttributes": asked, "user": name, "groups": ["system:authenticated"], "uid": created["metadata"]["uid"]}
        review = await made.create(f"{AUTHORIZATION}/subjectaccessreviews", {"spec": spec})
        impersonated = {
            "Impersonate_User": name,
            "Impersonate_Uid": created["metadata"]["uid"],
            "Impersonate_Group": "system:authenticated",
        }
        status, answer = await made.ask("GET", f"{CORE}/configmaps", **impersonated)
        assert review["status"]["allowed"] is may and status == (200 if may else 403)
        assert may or answer["reason"] == "Forbidden"
        local = await made.create(f"{AUTHORIZATION}/namespaces/default/localsubjectaccessreviews", {"spec": spec})
        assert local["status"]["allowed"] is may


def signing_request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "e2e.example.com")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


async def test_certificates_have_every_operation() -> None:
    """[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]"""
    root = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    labels = {"special-label": "chosen"}
    spec = {"request": signing_request(), "signerName": "example.com/e2e", "expirationSeconds": 3600}
    spec["usages"] = ["digital signature", "key encipherment", "server auth"]
    template = {"metadata": {"generateName": "e2e-example-csr-", "labels": labels}, "spec": spec}
    async with api() as made:
        groups = (await made.get("/apis"))["groups"]
        assert "certificates.k8s.io/v1" in [version["groupVersion"] for group in groups for version in group["versions"]]
        assert "certificates.k8s.io/v1" in [
            version["groupVersion"] for version in (await made.get("/apis/certificates.k8s.io"))["versions"]
        ]
        served = {resource["name"] for resource in (await made.get("/apis/certificates.k8s.io/v1"))["resources"]}
        kind = "certificatesigningrequests"
        assert {kind, f"{kind}/approval", f"{kind}/status"} <= served

        for _ in range(2):
            await made.create(root, template)
        created = await made.create(root, template)
        path = f"{root}/{created['metadata']['name']}"
        got = await made.get(path)
        assert got["metadata"]["uid"] == created["metadata"]["uid"] and got["spec"]["expirationSeconds"] == 3600
        chosen = f"{root}?labelSelector=special-label%3Dchosen"
        assert len((await made.get(chosen))["items"]) == 3

        patched = await made.patch(path, {"metadata": {"annotations": {"patched": "true"}}})
        assert patched["metadata"]["annotations"]["patched"] == "true"
        patched["metadata"]["annotations"]["updated"] = "true"
        updated = await made.update(path, patched)
        assert updated["metadata"]["annotations"]["updated"] == "true"
        seen = await made.watched(chosen, created)
        assert [(kind, sorted(obj["metadata"]["annotations"])) for kind, obj in seen] == [
            ("MODIFIED", ["patched"]),
            ("MODIFIED", ["patched", "updated"]),
        ]
        await check_approval(made, path)
        await check_status(made, path)

        await made.delete(path)
        assert (await made.ask("GET", path))[0] == 404
        assert len((await made.get(chosen))["items"]) == 2
        assert (await made.ask("DELETE", chosen))[0] == 200
        assert (await made.get(chosen))["items"] == []


async def check_approval(made: Api, path: str) -> None:
    got = await made.get(f"{path}/approval")
    assert got["kind"] == "CertificateSigningRequest"
    condition = {"type": "ApprovalPatch", "status": "True", "reason": "e2e"}
    patch = {"metadata": {"annotations": {"patchedapproval": "true"}}, "status": {"conditions": [condition]}}
    patched = await made.patch(f"{path}/approval", patch)
    assert [known["type"] for known in patched["status"]["conditions"]] == ["ApprovalPatch"]
    assert patched["metadata"]["annotations"]["patchedapproval"] == "true"
    patched["status"]["conditions"].append({"type": "Approved", "status": "True", "reason": "E2E", "message": "Set from an e2e test"})
    updated = await made.update(f"{path}/approval", patched)
    assert [known["type"] for known in updated["status"]["conditions"]] == ["ApprovalPatch", "Approved"]


async def check_status(made: Api, path: str) -> None:
    got = await made.get(f"{path}/status")
    assert got["kind"] == "CertificateSigningRequest"
    patch = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": {"certificate": certificate()}}
    patched = await made.patch(f"{path}/status", patch)
    assert patched["status"]["certificate"] == patch["status"]["certificate"]
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    patched["status"]["conditions"].append({"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from an e2e test"})
    updated = await made.update(f"{path}/status", patched)
    assert [known["type"] for known in updated["status"]["conditions"]][-1] == "StatusUpdate"


def certificate() -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "e2e")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now).not_valid_after(now.replace(year=2036))
    return base64.b64encode(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)).decode()
