"""The official conformance tests of AdmissionWebhook, as their text says, against webhooks that are real HTTPS servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import orjson
import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES, PODS, built_in
from kctl.apimachinery.status import ApiError, NotFound
from kctl.apimachinery.user import ADMIN
from tests.kctl.kube_apiserver.admission.conftest import Api
from tests.kctl.kube_apiserver.admission.webhook_server import Review, WebhookServer, allow, deny, patch, webhook_server

GROUP = "admissionregistration.k8s.io/v1"
MUTATING, VALIDATING = built_in(GROUP, "MutatingWebhookConfiguration"), built_in(GROUP, "ValidatingWebhookConfiguration")
DEFINITIONS = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
KINDS = {"Mutating": MUTATING, "Validating": VALIDATING}
REFUSED = "the webhook denies it"


@pytest.fixture
async def hook() -> AsyncIterator[WebhookServer]:
    async with webhook_server() as server:
        yield server


def webhook(server: WebhookServer, *resources: str, operations: tuple[str, ...] = ("CREATE",), **more: Any) -> Object:
    """`resources`: plural, or group/version/plural."""
    rules = []
    for resource in resources:
        group, version, plural = resource.split("/", 2) if resource.count("/") > 1 else ("", "v1", resource)
        rules.append({"operations": list(operations), "apiGroups": [group], "apiVersions": [version], "resources": [plural]})
    own = {"name": "w.example.com", "clientConfig": server.client_config, "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    return {**own, "rules": rules, **more}


async def configure(api: Api, kind: str, *webhooks: Object, name: str = "conf", **labels: str) -> Object:
    return await api.create(GROUP, f"{kind}WebhookConfiguration", name, metadata={"labels": labels}, webhooks=list(webhooks))


async def config_map(api: Api, name: str = "c", namespace: str = "default", **data: str) -> Object:
    return await api.create("v1", "ConfigMap", name, namespace, data=data)


async def refused(making: Awaitable[Object]) -> str:
    with pytest.raises(ApiError) as error:
        await making
    return str(error.value.status["message"])


def adds(path: str, value: Any) -> Any:
    return lambda review: patch(review, {"op": "add", "path": path, "value": value})


def denies(review: Review) -> Review:
    return deny(review, message=REFUSED)


@pytest.mark.parametrize("kind", ["Mutating", "Validating"])
async def test_listing(api: Api, hook: WebhookServer, kind: str) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing mutating webhooks should work [Conformance]
    [sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] listing validating webhooks should work [Conformance]"""
    hook.respond = adds("/data/added", "x") if kind == "Mutating" else denies
    for number in range(10):
        await configure(api, kind, webhook(hook, "configmaps"), name=f"conf-{number}", of="this-test")
    listed = await api.client.list(KINDS[kind], "", label_selector="of=this-test")
    assert len(listed["items"]) == 10
    if kind == "Mutating":
        assert (await config_map(api, a="b"))["data"] == {"a": "b", "added": "x"}
    else:
        assert REFUSED in await refused(config_map(api, a="b"))
    await api.client.delete_collection(KINDS[kind], "", label_selector="of=this-test")
    assert not (await api.client.list(KINDS[kind], "", label_selector="of=this-test"))["items"]
    assert (await config_map(api, "d", a="b"))["data"] == {"a": "b"}


@pytest.mark.parametrize("kind", ["Mutating", "Validating"])
async def test_patching_and_updating(api: Api, hook: WebhookServer, kind: str) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a mutating webhook should work [Conformance]
    [sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] patching/updating a validating webhook should work [Conformance]"""
    hook.respond = adds("/data/added", "x") if kind == "Mutating" else denies
    made = await configure(api, kind, webhook(hook, "configmaps"))
    await api.client.update(KINDS[kind], {**made, "webhooks": [webhook(hook, "configmaps", operations=("UPDATE",))]})
    assert (await config_map(api, "untouched", a="b"))["data"] == {"a": "b"}
    await api.client.patch(KINDS[kind], "conf", {"webhooks": [webhook(hook, "configmaps", operations=("CREATE",))]})
    if kind == "Mutating":
        assert (await config_map(api, a="b"))["data"] == {"a": "b", "added": "x"}
    else:
        assert REFUSED in await refused(config_map(api, a="b"))


async def test_denying_pods_and_config_maps(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny pod and configmap creation [Conformance]"""

    def answer(review: Review) -> Review:
        obj = review["request"]["object"]
        if obj["kind"] == "Pod":
            return deny(review, message="the pod contains unwanted container name")
        return denies(review) if "webhook-e2e-test" in (obj.get("data") or {}) else allow(review)

    hook.respond = answer
    exempt = {"matchExpressions": [{"key": "skip-webhook-admission", "operator": "NotIn", "values": ["yes"]}]}
    both = webhook(hook, "configmaps", "pods", operations=("CREATE", "UPDATE"), namespaceSelector=exempt)
    await configure(api, "Validating", both)
    assert "unwanted container name" in await refused(api.pod())
    assert REFUSED in await refused(config_map(api, **{"webhook-e2e-test": "webhook-disallow"}))
    made = await config_map(api, "allowed", a="b")
    bad = {"data": {"webhook-e2e-test": "webhook-disallow"}}
    assert REFUSED in await refused(api.client.update(CONFIG_MAPS, {**made, **bad}))
    assert REFUSED in await refused(api.client.patch(CONFIG_MAPS, "allowed", bad, "default"))
    await api.namespace("exempt", **{"skip-webhook-admission": "yes"})
    await config_map(api, namespace="exempt", **{"webhook-e2e-test": "webhook-disallow"})
    hook.hang = asyncio.Event()
    await api.client.delete(VALIDATING, "conf")
    await configure(api, "Validating", {**both, "timeoutSeconds": 1})
    assert "context deadline exceeded" in await refused(api.pod())
    with pytest.raises(NotFound):
        await api.get(PODS, "p")


async def test_fail_closed(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should unconditionally reject operations on fail closed webhook
    [Conformance]"""
    unknown = {"url": hook.client_config["url"]}
    await configure(api, "Validating", webhook(hook, "configmaps", clientConfig=unknown, failurePolicy="Fail"))
    message = await refused(config_map(api))
    assert 'failed calling webhook "w.example.com"' in message and "x509" in message
    assert not hook.requests


async def test_a_webhook_that_is_slow(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should honor timeout [Conformance]"""
    hook.hang = asyncio.Event()
    for failure_policy, timeout in (("Fail", 1), ("Ignore", 1), ("Ignore", 10), ("Fail", None)):
        more = {"timeoutSeconds": timeout} if timeout else {}
        await configure(api, "Validating", webhook(hook, "configmaps", failurePolicy=failure_policy, **more))
        if timeout == 1 and failure_policy == "Fail":
            assert "context deadline exceeded" in await refused(config_map(api))
        elif timeout == 1:
            await config_map(api, "ignored")
        else:
            asyncio.get_running_loop().call_later(0.05, hook.hang.set)
            await config_map(api, f"waits-{failure_policy.lower()}")
        await api.client.delete(VALIDATING, "conf")


async def test_discovery(api: Api) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should include webhook resources in discovery documents
    [Conformance]"""

    async def document(path: str) -> Object:
        answer = await api.server.handle_raw("GET", path, {}, None, {"accept": "application/json"}, ADMIN)
        found: Object = orjson.loads(answer.body)
        return found

    group = next(each for each in (await document("/apis"))["groups"] if each["name"] == "admissionregistration.k8s.io")
    assert GROUP in [version["groupVersion"] for version in group["versions"]]
    assert GROUP in [version["groupVersion"] for version in (await document("/apis/admissionregistration.k8s.io"))["versions"]]
    names = {resource["name"] for resource in (await document(f"/apis/{GROUP}"))["resources"]}
    assert {"mutatingwebhookconfigurations", "validatingwebhookconfigurations"} <= names


async def test_mutations_are_ordered(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate configmap [Conformance]"""

    def answer(review: Review) -> Review:
        data = review["request"]["object"].get("data") or {}
        if data.get("mutation-start") == "yes" and "mutation-stage-1" not in data:
            return adds("/data/mutation-stage-1", "yes")(review)
        return adds("/data/mutation-stage-2", "yes")(review) if data.get("mutation-stage-1") == "yes" else allow(review)

    hook.respond = answer
    first, second = webhook(hook, "configmaps"), webhook(hook, "configmaps", name="second.example.com")
    await configure(api, "Mutating", first, second)
    made = await config_map(api, **{"mutation-start": "yes"})
    assert made["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}


async def test_defaults_are_applied_after_mutation(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate pod and apply defaults after mutation [Conformance]"""
    hook.respond = adds("/spec/initContainers", [{"name": "webhook-added-init-container", "image": "webhook-added-image"}])
    await configure(api, "Mutating", webhook(hook, "pods"))
    (added,) = objects.spec(await api.pod())["initContainers"]
    assert added["name"] == "webhook-added-init-container"
    assert added["terminationMessagePolicy"] == "File"


async def test_configurations_of_webhooks_are_left_alone(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should not be able to mutate or prevent deletion of webhook
    configuration objects [Conformance]"""
    hook.respond = lambda review: (
        denies(review) if review["request"]["operation"] == "DELETE" else adds("/metadata/labels", {"changed": "yes"})(review)
    )
    about = [f"admissionregistration.k8s.io/*/{kind.lower()}webhookconfigurations" for kind in KINDS]
    await configure(api, "Validating", webhook(hook, *about, operations=("DELETE",)), name="denies")
    await configure(api, "Mutating", webhook(hook, *about), name="mutates")
    for kind in KINDS:
        made = await configure(api, kind, webhook(hook, "nothing"), name="dummy")
        assert "labels" not in made["metadata"]
        await api.client.delete(KINDS[kind], "dummy")
        with pytest.raises(NotFound):
            await api.get(KINDS[kind], "dummy")
    assert not hook.requests


async def test_denying_definitions(api: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should deny crd creation [Conformance]"""
    hook.respond = denies
    await configure(api, "Validating", webhook(hook, "apiextensions.k8s.io/*/customresourcedefinitions"))
    names = {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    assert REFUSED in await refused(api.create("apiextensions.k8s.io/v1", "CustomResourceDefinition", "things.example.com", spec=spec))
    with pytest.raises(NotFound):
        await api.get(DEFINITIONS, "things.example.com")


async def test_namespaces_are_seen_like_everything_else(api: Api, hook: WebhookServer) -> None:
    hook.respond = denies
    await configure(api, "Validating", webhook(hook, "namespaces"))
    assert REFUSED in await refused(api.create("v1", "Namespace", "n"))
    with pytest.raises(NotFound):
        await api.get(NAMESPACES, "n")
