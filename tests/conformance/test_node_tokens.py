"""The official conformance tests of ServiceAccount tokens that a program reads in its container."""

from __future__ import annotations

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.running import agnhost, busybox, execute, matches, once, phase_is
from tests.conformance.suite import CORE, NAMESPACE, PODS, suite

pytestmark = pytest.mark.virtual_time
MOUNTED_AT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN = r"[A-Za-z0-9-_=]+\.[A-Za-z0-9-_=]+\.?[A-Za-z0-9-_.+/=]*"


async def test_a_token_is_mounted() -> None:
    """[sig-auth] ServiceAccounts should mount an API token into pods [Conformance]"""
    async with suite(1) as e2e:
        await e2e.create(f"{CORE}/serviceaccounts", {"metadata": {"name": "mount-test"}})
        made = once("p", busybox("test", "sleep", "100000"), serviceAccountName="mount-test", terminationGracePeriodSeconds=0)
        await e2e.create(PODS, made)
        await e2e.until(f"{PODS}/p", phase_is("Running"))
        files: dict[str, str] = {}
        for name in ("token", "ca.crt", "namespace"):
            code, files[name] = await execute(e2e, "p", "cat", f"{MOUNTED_AT}/{name}", container="test")
            assert code == 0
        bundle = await e2e.get(f"{CORE}/configmaps/kube-root-ca.crt")
        assert (files["ca.crt"], files["namespace"]) == (bundle["data"]["ca.crt"], NAMESPACE)
        review = await e2e.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": files["token"]}})
        assert review["status"]["authenticated"] is True and not review["status"].get("error")
        user: Object = review["status"]["user"]
        assert user["username"] == f"system:serviceaccount:{NAMESPACE}:mount-test"
        assert {"system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}"} <= set(user["groups"])


async def test_a_projected_token() -> None:
    """[sig-auth] ServiceAccounts should mount projected service account token [Conformance]"""
    async with suite(1) as e2e:
        source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}
        mounts = [{"name": "test-volume", "mountPath": "/test-volume", "readOnly": True}]
        made = agnhost("agnhost-container", "mounttest", "--file_content=/test-volume/token", volumeMounts=mounts)
        volumes = [{"name": "test-volume", "projected": {"sources": [source]}}]
        await matches(e2e, once("test-pod", made, volumes=volumes), f'content of file "/test-volume/token": {TOKEN}')
