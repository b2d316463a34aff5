"""The official conformance tests of AdmissionWebhook about match conditions, custom resources and attaching, against a real webhook."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.api import Api, api
from tests.conformance.custom_resources import DEFINITIONS, custom_object, define, definition, objects_path, version
from tests.kctl.kube_apiserver.admission.webhook_server import Review, WebhookServer, allow, deny, patch, webhook_server

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
MAPS = "/api/v1/namespaces/default/configmaps"
KINDS = ("mutating", "validating")
DATA = {"type": "object", "properties": {"data": {"type": "object", "additionalProperties": {"type": "string"}}}}


@pytest.fixture
async def hook() -> AsyncIterator[WebhookServer]:
    async with webhook_server() as server:
        yield server


@pytest.fixture
async def made() -> AsyncIterator[Api]:
    async with api() as running:
        yield running


def rule(group: str, version_name: str, plural: str, *operations: str) -> Any:
    return {"apiGroups": [group], "apiVersions": [version_name], "resources": [plural], "operations": list(operations or ("CREATE",))}


def webhook(server: WebhookServer, *rules: Any, name: str = "w.example.com", **more: Any) -> Any:
    own = {"name": name, "clientConfig": server.client_config, "sideEffects": "None", "admissionReviewVersions": ["v1", "v1beta1"]}
    return {**own, "rules": list(rules), **more}


async def configure(made: Api, kind: str, *webhooks: Any) -> Any:
    return await made.create(CONFIGURATIONS.format(kind), {"metadata": {"name": "conf"}, "webhooks": list(webhooks)})


ON_MAPS = rule("", "v1", "configmaps")
CONDITIONS = [{"name": "expression-1", "expression": "object.metadata.namespace == 'production'"}]
OTHER_CONDITIONS = [
    {"name": "expression-1", "expression": "object.metadata.namespace == 'production'"},
    {"name": "expression-2", "expression": "object.metadata.namespace == 'staging'"},
]


@pytest.mark.parametrize("kind", KINDS)
async def test_match_conditions_are_kept(made: Api, hook: WebhookServer, kind: str) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update mutating webhook configurations
    with match conditions [Conformance]
    [sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to create and update validating webhook configurations
    with match conditions [Conformance]"""
    await configure(made, kind, webhook(hook, ON_MAPS, matchConditions=CONDITIONS))
    path = f"{CONFIGURATIONS.format(kind)}/conf"
    present = await made.get(path)
    assert present["webhooks"][0]["matchConditions"] == CONDITIONS
    present["webhooks"][0]["matchConditions"] = OTHER_CONDITIONS
    await made.update(path, present)
    assert (await made.get(path))["webhooks"][0]["matchConditions"] == OTHER_CONDITIONS


@pytest.mark.parametrize("kind", KINDS)
async def test_match_conditions_that_do_not_compile(made: Api, hook: WebhookServer, kind: str) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject mutating webhook configurations with invalid match
    conditions [Conformance]
    [sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should reject validating webhook configurations with invalid match
    conditions [Conformance]"""
    bad = [{"name": "invalid-expression-1", "expression": "... [] bad expression"}]
    body = {"metadata": {"name": "conf"}, "webhooks": [webhook(hook, ON_MAPS, matchConditions=bad)]}
    status, told = await made.ask("POST", CONFIGURATIONS.format(kind), body)
    assert status == 422 and "compilation failed" in told["message"]


async def test_all_config_maps_but_one_are_mutated(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate everything except 'skip-me' configmaps [Conformance]"""
    hook.respond = lambda review: patch(review, {"op": "add", "path": "/data/mutation-stage-1", "value": "yes"})
    skip = [{"name": "skip-me", "expression": "object.metadata.name != 'skip-me'"}]
    await configure(made, "mutating", webhook(hook, ON_MAPS, matchConditions=skip))
    data = {"mutation-start": "yes"}
    assert (await made.create(MAPS, {"metadata": {"name": "skip-me"}, "data": data}))["data"] == data
    mutated = await made.create(MAPS, {"metadata": {"name": "not-skip-me"}, "data": data})
    assert mutated["data"] == {**data, "mutation-stage-1": "yes"}


def judges_data(review: Review) -> Review:
    """As the official webhook of custom resources does."""
    request = review["request"]
    value = ((request["oldObject"] if request["operation"] == "DELETE" else request["object"]).get("data") or {}).get("webhook-e2e-test")
    if request["operation"] == "DELETE" and value == "webhook-nondeletable":
        return deny(review, message="the custom resource cannot be deleted because it contains unwanted key and value")
    if request["operation"] != "DELETE" and value == "webhook-disallow":
        return deny(review, message="the custom resource contains unwanted data")
    return allow(review)


async def test_custom_resources_are_denied(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny custom resource creation, update and deletion
    [Conformance]"""
    hook.respond = judges_data
    obj = definition(version("v1", DATA), scope="Namespaced")
    await define(made, obj)
    await configure(made, "validating", webhook(hook, rule("mygroup.example.com", "v1", "foos", "CREATE", "UPDATE", "DELETE")))
    path = objects_path(obj, namespace="default")

    def with_data(value: str) -> Any:
        return custom_object(obj, "cr-instance-1", data={"webhook-e2e-test": value})

    status, told = await made.ask("POST", path, with_data("webhook-disallow"))
    assert status == 400 and "the custom resource contains unwanted data" in told["message"]
    created = await made.create(path, with_data("webhook-nondeletable"))
    status, told = await made.ask("PUT", f"{path}/cr-instance-1", {**created, "data": {"webhook-e2e-test": "webhook-disallow"}})
    assert status == 400 and "the custom resource contains unwanted data" in told["message"]
    status, told = await made.ask("DELETE", f"{path}/cr-instance-1")
    assert status == 400 and "the custom resource cannot be deleted because it contains unwanted key and value" in told["message"]
    await made.patch(f"{path}/cr-instance-1", {"data": {"webhook-e2e-test": "webhook-allow"}})
    await made.delete(f"{path}/cr-instance-1")


def adds_stages(review: Review) -> Review:
    """The first stage where the mutation starts, the second after the first: two webhooks of one configuration ask for them in turn."""
    data = review["request"]["object"].get("data") or {}
    if "mutation-stage-1" in data:
        return patch(review, {"op": "add", "path": "/data/mutation-stage-2", "value": "yes"})
    if "mutation-start" in data:
        return patch(review, {"op": "add", "path": "/data/mutation-stage-1", "value": "yes"})
    return allow(review)


async def two_stages(made: Api, hook: WebhookServer, *operations: str) -> None:
    hook.respond = adds_stages
    on_foos = rule("mygroup.example.com", "v1", "foos", *operations)
    await configure(made, "mutating", *(webhook(hook, on_foos, name=f"stage-{number}.example.com") for number in (1, 2)))


async def test_custom_resources_are_mutated(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource [Conformance]"""
    obj = definition(version("v1", DATA), scope="Namespaced")
    await define(made, obj)
    await two_stages(made, hook)
    mutated = await made.create(objects_path(obj, namespace="default"), custom_object(obj, "cr-1", data={"mutation-start": "yes"}))
    assert mutated["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}


async def test_what_is_mutated_is_pruned(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with pruning [Conformance]"""
    text = {"type": "string"}
    known = {"type": "object", "properties": {"mutation-start": text, "mutation-stage-1": text}}
    obj = definition(version("v1", {"type": "object", "properties": {"data": known}}), scope="Namespaced")
    await define(made, obj)
    await two_stages(made, hook)
    mutated = await made.create(objects_path(obj, namespace="default"), custom_object(obj, "cr-1", data={"mutation-start": "yes"}))
    assert mutated["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes"}


async def test_another_version_is_stored_meanwhile(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should mutate custom resource with different stored version
    [Conformance]"""
    open_data = {**DATA, "x-kubernetes-preserve-unknown-fields": True}
    obj = definition(version("v1", open_data), version("v2", open_data, storage=False), scope="Namespaced")
    await define(made, obj)
    await two_stages(made, hook, "CREATE", "UPDATE")
    path = objects_path(obj, namespace="default")
    await made.create(path, custom_object(obj, "cr-1", data={"mutation-start": "yes"}))
    versions = [{**each, "storage": each["name"] == "v2"} for each in obj["spec"]["versions"]]
    await made.patch(f"{DEFINITIONS}/foos.mygroup.example.com", {"spec": {"versions": versions}})
    patched = await made.patch(f"{path}/cr-1", {"dummy": "test"})
    assert patched["dummy"] == "test" and patched["data"]["mutation-stage-2"] == "yes"
    assert (await made.get(f"{objects_path(obj, 'v2', 'default')}/cr-1"))["dummy"] == "test"


async def test_attaching_is_denied(made: Api, hook: WebhookServer) -> None:
    """[sig-api-machinery] AdmissionWebhook [Privileged:ClusterAdmin] should be able to deny attaching pod [Conformance]"""
    hook.respond = lambda review: deny(review, message="attaching to pod 'to-be-attached-pod' is not allowed")
    await configure(made, "validating", webhook(hook, rule("", "v1", "pods/attach", "CONNECT")))
    await made.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    pods = "/api/v1/namespaces/default/pods"
    await made.create(pods, {"metadata": {"name": "to-be-attached-pod"}, "spec": {"containers": [{"name": "c1", "image": "i"}]}})
    for method in ("POST", "GET"):
        status, told = await made.ask(method, f"{pods}/to-be-attached-pod/attach?container=c1&stdin=true&stdout=true")
        assert status == 400 and "attaching to pod 'to-be-attached-pod' is not allowed" in told["message"]
    request = hook.requests[0]
    assert (request["operation"], request["subResource"], request["name"]) == ("CONNECT", "attach", "to-be-attached-pod")
    assert request["object"]["kind"] == "PodAttachOptions"
