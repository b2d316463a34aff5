"""Admission webhooks against real HTTPS servers: who is asked, what with, and what becomes of the answer, in upstream's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, built_in
from kctl.apimachinery.status import ApiError, BadRequest
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.client.transport import ApiRequest
from tests.kctl.kube_apiserver.admission.conftest import Api
from tests.kctl.kube_apiserver.admission.webhook_server import Review, WebhookServer, allow, deny, patch, webhook_server

MUTATING = built_in("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")
VALIDATING = built_in("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
HPA_V1 = built_in("autoscaling/v1", "HorizontalPodAutoscaler")
RULE = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}


@pytest.fixture
async def hook() -> AsyncIterator[WebhookServer]:
    async with webhook_server("svc.default.svc") as server:
        yield server


def webhook(server: WebhookServer, name: str = "w.example.com", **more: Any) -> Object:
    return {
        "name": name,
        "clientConfig": server.client_config,
        "rules": [RULE],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


async def configure(api: Api, *webhooks: Object, kind: str = "Validating", name: str = "conf") -> None:
    await api.create("admissionregistration.k8s.io/v1", f"{kind}WebhookConfiguration", name, webhooks=list(webhooks))


async def config_map(api: Api, name: str = "c", namespace: str = "default", **parts: Any) -> Object:
    return await api.create("v1", "ConfigMap", name, namespace, **parts)


async def failure(making: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        await making
    return error.value.http_status, str(error.value.status["message"])


# ---- what a webhook is asked


async def test_the_question_has_everything(api: Api, hook: WebhookServer) -> None:
    await configure(api, webhook(hook))
    await config_map(api, data={"a": "1"})
    await api.client.patch(CONFIG_MAPS, "c", {"data": {"a": "2"}}, "default")
    await api.client.delete(CONFIG_MAPS, "c", "default", grace_period_seconds=5)
    created, updated, deleted = hook.requests
    kind = {"group": "", "version": "v1", "kind": "ConfigMap"}
    resource = {"group": "", "version": "v1", "resource": "configmaps"}
    for request in hook.requests:
        assert request["kind"] == request["requestKind"] == kind and request["resource"] == request["requestResource"] == resource
        assert (request["name"], request["namespace"], request["dryRun"]) == ("c", "default", False)
        assert request["userInfo"] == {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}
    assert (created["operation"], created["object"]["data"], created["oldObject"]) == ("CREATE", {"a": "1"}, None)
    assert (updated["object"]["data"], updated["oldObject"]["data"]) == ({"a": "2"}, {"a": "1"})
    assert (deleted["operation"], deleted["object"], deleted["oldObject"]["data"]) == ("DELETE", None, {"a": "2"})
    assert deleted["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "gracePeriodSeconds": 5}
    assert created["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
    assert hook.queries == ["timeout=10s"] * 3


RULES = [
    ({"resources": ["*"]}, True),
    ({"resources": ["*/*"]}, True),
    ({"resources": ["configmaps/*"]}, True),
    ({"resources": ["configmaps/status"]}, False),
    ({"resources": ["secrets"]}, False),
    ({"operations": ["UPDATE", "CREATE"]}, True),
    ({"operations": ["DELETE"]}, False),
    ({"apiGroups": ["*"]}, True),
    ({"apiGroups": ["apps"]}, False),
    ({"apiVersions": ["v2"]}, False),
    ({"scope": "Namespaced"}, True),
    ({"scope": "Cluster"}, False),
]


@pytest.mark.parametrize(("rule", "asked"), RULES)
async def test_rules(api: Api, hook: WebhookServer, rule: Object, asked: bool) -> None:
    await configure(api, webhook(hook, rules=[{**RULE, **rule}]))
    await config_map(api)
    assert bool(hook.requests) is asked


async def test_selectors_of_namespace_and_object(api: Api, hook: WebhookServer) -> None:
    await api.namespace("free", team="a")
    chosen = {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}}
    await configure(api, webhook(hook, **chosen, objectSelector={"matchLabels": {"x": "y"}}))
    await config_map(api, "a")
    await config_map(api, "b", metadata={"labels": {"x": "y"}})
    await config_map(api, "c", "free", metadata={"labels": {"x": "y"}})
    await api.client.patch(CONFIG_MAPS, "b", {"metadata": {"labels": None}}, "default")  # the old object is still selected
    assert [(request["operation"], request["name"]) for request in hook.requests] == [("CREATE", "b"), ("UPDATE", "b")]


async def test_namespaces_are_selected_by_their_own_labels_and_are_of_the_cluster(api: Api, hook: WebhookServer) -> None:
    rule = {**RULE, "resources": ["namespaces"], "scope": "Cluster"}
    await configure(api, webhook(hook, rules=[rule], namespaceSelector={"matchLabels": {"x": "y"}}))
    await api.create("v1", "Namespace", "n")
    await api.create("v1", "Namespace", "m", metadata={"labels": {"x": "y"}})
    assert [(request["name"], request["namespace"]) for request in hook.requests] == [("m", "m")]
    await api.client.delete(NAMESPACES, "m")
    assert len(hook.requests) == 2


async def test_equivalent_versions_are_converted(api: Api, hook: WebhookServer) -> None:
    rule = {"operations": ["CREATE"], "apiGroups": ["autoscaling"], "apiVersions": ["v2"], "resources": ["horizontalpodautoscalers"]}
    await configure(api, webhook(hook, rules=[rule]))
    await configure(api, webhook(hook, "exact.example.com", rules=[rule], matchPolicy="Exact"), name="exact")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    body = {"metadata": {"name": "h"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50}}
    await api.client.create(HPA_V1, body, "default")
    (request,) = hook.requests
    assert request["requestKind"]["version"] == "v1" and request["kind"]["version"] == "v2"
    assert request["object"]["apiVersion"] == "autoscaling/v2"
    assert request["object"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 50


async def test_configurations_of_webhooks_are_never_asked_about(api: Api, hook: WebhookServer) -> None:
    everything = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]}
    hook.respond = deny
    await configure(api, webhook(hook, rules=[everything]))
    await configure(api, webhook(hook, rules=[everything]), name="other", kind="Mutating")
    assert (await failure(config_map(api)))[0] == 400
    for resource, name in ((MUTATING, "other"), (VALIDATING, "conf")):
        await api.client.delete(resource, name)
    await config_map(api)


async def test_status_and_subresources(api: Api, hook: WebhookServer) -> None:
    rule = {
        "operations": ["*"],
        "apiGroups": ["", "apps"],
        "apiVersions": ["v1"],
        "resources": ["pods/binding", "pods/eviction", "deployments/status"],
    }
    await configure(api, webhook(hook, rules=[rule]))
    await api.pod()
    await api.client.bind("default", "p", "n")
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = await api.create("apps/v1", "Deployment", "d", spec={"selector": {"matchLabels": labels}, "template": template})
    await Client(api.server.component_transport(ADMIN)).update_status(DEPLOYMENTS, objects.with_status(made, replicas=1))
    assert [(request["subResource"], request["kind"]["kind"]) for request in hook.requests] == [
        ("binding", "Binding"),
        ("status", "Deployment"),
    ]


# ---- what it answers


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        ({"message": "no such luck", "code": 418}, 418, 'admission webhook "w.example.com" denied the request: no such luck'),
        ({"reason": "BadThing"}, 400, 'admission webhook "w.example.com" denied the request: BadThing'),
        ({"code": 200}, 400, 'admission webhook "w.example.com" denied the request without explanation'),
        ({}, 400, 'admission webhook "w.example.com" denied the request without explanation'),
    ],
)
@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
async def test_a_refusal_says_who_and_why(api: Api, hook: WebhookServer, kind: str, status: Object, code: int, text: str) -> None:
    hook.respond = lambda review: deny(review, **status)
    await configure(api, webhook(hook), kind=kind)
    assert await failure(config_map(api)) == (code, text)


async def test_warnings_reach_the_client(api: Api, hook: WebhookServer) -> None:
    hook.respond = lambda review: allow(review, warnings=["think again"])
    await configure(api, webhook(hook))
    answer = await api.client.transport.request(ApiRequest("create", CONFIG_MAPS, "default", body={"metadata": {"name": "c"}}))
    assert list(answer.warnings) == ["think again"]


async def test_each_sees_what_the_ones_before_made_and_defaults_follow(api: Api, hook: WebhookServer) -> None:
    def respond(review: Review) -> Review:
        data = review["request"]["object"].get("data") or {}
        if "first" not in data:
            return patch(review, {"op": "add", "path": "/data", "value": {"first": "1"}})
        return patch(review, {"op": "add", "path": "/data/second", "value": "2"})

    hook.respond = respond
    await configure(api, webhook(hook, "a.example.com"), webhook(hook, "b.example.com"), kind="Mutating")
    assert (await config_map(api))["data"] == {"first": "1", "second": "2"}
    init = {"op": "add", "path": "/spec/initContainers", "value": [{"name": "i", "image": "x"}]}
    hook.respond = lambda review: patch(review, init)
    await configure(api, webhook(hook, rules=[{**RULE, "resources": ["pods"]}]), kind="Mutating", name="pods")
    made = await api.pod()
    assert objects.spec(made)["initContainers"][0]["terminationMessagePolicy"] == "File"
    # The server's own plugins have seen it too: the token is mounted in what the webhook added.
    assert objects.spec(made)["initContainers"][0]["volumeMounts"][0]["mountPath"].endswith("serviceaccount")


async def test_configurations_are_called_by_name(api: Api, hook: WebhookServer) -> None:
    for name in ("b", "a", "c"):
        await configure(api, webhook(hook, f"{name}.example.com"), kind="Mutating", name=name)
    seen: list[str] = []

    def respond(review: Review) -> Review:
        seen.append(str(len(seen)))
        data = review["request"]["object"].get("data") or {}
        return patch(review, {"op": "add", "path": "/data", "value": {**data, seen[-1]: ""}})

    hook.respond = respond
    assert (await config_map(api))["data"] == {"0": "", "1": "", "2": ""}


@pytest.mark.parametrize(("policy", "calls"), [("Never", 1), ("IfNeeded", 2)])
async def test_who_wants_to_is_asked_again_when_a_later_one_changed_something(api: Api, policy: str, calls: int) -> None:
    async with webhook_server() as first, webhook_server() as second:
        second.respond = lambda review: patch(review, {"op": "add", "path": "/data", "value": {"a": "b"}})
        await configure(api, webhook(first, "a.example.com", reinvocationPolicy=policy), webhook(second, "b.example.com"), kind="Mutating")
        await config_map(api)
        assert (len(first.requests), len(second.requests)) == (calls, 1)
        assert first.requests[-1]["object"].get("data") == ({"a": "b"} if calls == 2 else None)


async def test_pods_of_one_template_are_each_asked_about(api: Api, hook: WebhookServer) -> None:
    client = Client(api.server.component_transport(ADMIN))
    spec = {"containers": [{"name": "c", "image": "i"}]}

    async def make(name: str) -> Object:
        return await client.create(
            PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}, "default"
        )

    await make("a")
    hook.respond = lambda review: patch(review, {"op": "add", "path": "/metadata/labels", "value": {"of": review["request"]["name"]}})
    await configure(api, webhook(hook, rules=[{**RULE, "resources": ["pods"]}]), kind="Mutating")
    assert [objects.labels(await make(name)) for name in "bc"] == [{"of": "b"}, {"of": "c"}]
    await api.client.delete(MUTATING, "conf")
    assert objects.labels(await make("d")) == {}
    assert len(hook.requests) == 2


async def test_a_change_of_the_rules_counts_at_once(api: Api, hook: WebhookServer) -> None:
    hook.respond = deny
    await configure(api, webhook(hook, rules=[{**RULE, "operations": ["UPDATE"]}]))
    await config_map(api, "a")
    await api.client.patch(
        VALIDATING,
        "conf",
        [{"op": "add", "path": "/webhooks/0/rules/0/operations/-", "value": "CREATE"}],
        patch_type="application/json-patch+json",
    )
    assert (await failure(config_map(api, "b")))[0] == 400


# ---- what goes wrong


def raw(status: int, body: str) -> Any:
    return lambda request: web.Response(status=status, text=body, content_type="application/json")


UNUSABLE = [
    (raw(500, "broken"), 'failed to call webhook: an error on the server ("broken") has prevented the request from succeeding'),
    (raw(404, ""), "failed to call webhook: the server could not find the requested resource"),
    (
        raw(200, "{}"),
        "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
    ),
    (
        raw(200, '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}'),
        "received invalid webhook response: webhook response was absent",
    ),
]


@pytest.mark.parametrize(("answer", "text"), UNUSABLE)
async def test_answers_that_cannot_be_used(api: Api, hook: WebhookServer, answer: Any, text: str) -> None:
    hook.raw = answer
    await configure(api, webhook(hook))
    assert await failure(config_map(api)) == (500, f'Internal error occurred: failed calling webhook "w.example.com": {text}')
    await configure(api, webhook(hook, failurePolicy="Ignore"), name="conf2")
    await api.client.delete(VALIDATING, "conf")
    await config_map(api)


REVIEWS = [
    (lambda review: allow(review, uid="other"), 'expected response.uid="<uid>", got "other"'),
    (lambda review: allow(review, patch="W10="), "webhook returned response.patch but not response.patchType"),
    (lambda review: allow(review, patchType="JSONPatch"), "webhook returned response.patchType but not response.patch"),
]


@pytest.mark.parametrize(("respond", "text"), REVIEWS)
async def test_reviews_that_contradict_themselves(api: Api, hook: WebhookServer, respond: Any, text: str) -> None:
    hook.respond = respond
    await configure(api, webhook(hook), kind="Mutating")
    _, message = await failure(config_map(api))
    expected = f'Internal error occurred: failed calling webhook "w.example.com": received invalid webhook response: {text}'
    assert message == expected.replace("<uid>", hook.requests[0]["uid"])


async def test_a_validating_webhook_may_not_change_anything(api: Api, hook: WebhookServer) -> None:
    hook.respond = lambda review: patch(review, {"op": "add", "path": "/data", "value": {"a": "b"}})
    await configure(api, webhook(hook))
    assert "validating webhook may not return response.patch" in (await failure(config_map(api)))[1]


async def test_patches_that_do_not_apply(api: Api, hook: WebhookServer) -> None:
    hook.respond = lambda review: patch(review, {"op": "remove", "path": "/data/a"})
    await configure(api, webhook(hook), kind="Mutating")
    code, text = await failure(config_map(api))
    assert code == 500 and text.startswith("Internal error occurred: ")
    await api.client.patch(MUTATING, "conf", {"webhooks": [webhook(hook, rules=[{**RULE, "operations": ["DELETE"]}])]})
    await config_map(api)
    code, text = await failure(api.client.delete(CONFIG_MAPS, "c", "default"))
    why = 'admission webhook "w.example.com" attempted to modify the object, which is not supported for this operation'
    assert (code, text) == (500, f"Internal error occurred: {why}")


async def test_a_webhook_that_hangs(api: Api, hook: WebhookServer) -> None:
    hook.hang = asyncio.Event()
    await configure(api, webhook(hook, timeoutSeconds=1))
    code, text = await failure(config_map(api))
    url = f"https://127.0.0.1:{hook.port}/hook?timeout=1s"
    assert (code, text) == (
        500,
        f'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "{url}": context deadline exceeded',
    )


async def test_a_webhook_that_is_not_there(api: Api, hook: WebhookServer) -> None:
    config = {"url": "https://127.0.0.1:1/hook"}
    await configure(api, webhook(hook, clientConfig=config))
    assert (await failure(config_map(api)))[1] == (
        'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post '
        '"https://127.0.0.1:1/hook?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused'
    )


async def test_a_certificate_of_an_unknown_authority(api: Api, hook: WebhookServer) -> None:
    await configure(api, webhook(hook, clientConfig={"url": hook.client_config["url"]}))
    assert (await failure(config_map(api)))[1].endswith("tls: failed to verify certificate: x509: certificate signed by unknown authority")


async def test_a_service_is_reached_by_its_endpoints_under_its_own_name(api: Api, hook: WebhookServer) -> None:
    service = {"name": "svc", "namespace": "default", "path": "/check", "port": 8443}
    await configure(api, webhook(hook, clientConfig={"service": service, "caBundle": hook.ca_bundle}))
    failed = 'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook'
    prefix = f'{failed}: Post "https://svc.default.svc:8443/check?timeout=10s": '
    assert (await failure(config_map(api)))[1] == prefix + 'service "svc" not found'
    await api.create("v1", "Service", "svc", spec={"ports": [{"port": 8443}]})
    assert (await failure(config_map(api)))[1] == prefix + 'no endpoints available for service "svc"'
    made = {
        "metadata": {"name": "svc-1", "labels": {"kubernetes.io/service-name": "svc"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"]}],
        "ports": [{"name": "", "port": hook.port}],
    }
    await without_validation(api, made)
    await config_map(api)
    assert hook.hosts == ["svc.default.svc:8443"]


async def without_validation(api: Api, endpoint_slice: Object) -> None:
    """Slices may not have addresses on loopback, where the test's webhook is."""
    from kctl.apimachinery.user import APISERVER
    from kctl.kube_apiserver.caller import CANONICAL, Caller

    resource = built_in("discovery.k8s.io/v1", "EndpointSlice")
    body = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", **endpoint_slice}
    await api.server.registry.endpoint(resource).create("default", body, Caller(APISERVER, body=CANONICAL, validates=False))


async def test_dry_runs_are_only_shown_to_who_has_no_side_effects(api: Api, hook: WebhookServer) -> None:
    body = {"metadata": {"name": "c"}}
    await configure(api, webhook(hook, sideEffects="NoneOnDryRun"))
    await api.client.create(CONFIG_MAPS, body, "default", dry_run=True)
    assert hook.requests[0]["dryRun"] is True and hook.requests[0]["options"]["dryRun"] == ["All"]
    await api.client.delete(VALIDATING, "conf")
    made = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "some"}}
    await store_as_it_is(api, {**made, "webhooks": [webhook(hook, sideEffects="Some")]})
    with pytest.raises(BadRequest, match=r'admission webhook "w\.example\.com" does not support dry run'):
        await api.client.create(CONFIG_MAPS, body, "default", dry_run=True)


async def store_as_it_is(api: Api, configuration: Object) -> None:
    """As of an old version that allowed what no longer is."""
    from kctl.apimachinery.user import APISERVER
    from kctl.kube_apiserver.caller import CANONICAL, Caller

    await api.server.registry.endpoint(VALIDATING).create("", configuration, Caller(APISERVER, body=CANONICAL, validates=False))


async def test_the_older_review_version(api: Api, hook: WebhookServer) -> None:
    def respond(review: Review) -> Review:
        assert review["apiVersion"] == "admission.k8s.io/v1beta1"
        return {"response": {"allowed": False, "status": {"message": "old"}}}

    hook.respond = respond
    await configure(api, webhook(hook, admissionReviewVersions=["v2", "v1beta1", "v1"]))
    assert (await failure(config_map(api)))[1] == 'admission webhook "w.example.com" denied the request: old'


async def test_all_validating_webhooks_are_asked_at_once(api: Api) -> None:
    async with webhook_server() as first, webhook_server() as second:
        first.hang = asyncio.Event()
        second.respond = lambda review: (first.hang.set() if first.hang else None) or allow(review)
        await configure(api, webhook(first, "a.example.com"), webhook(second, "b.example.com"))
        await asyncio.wait_for(config_map(api), 5)


async def test_metrics_tell_of_every_call(api: Api, hook: WebhookServer) -> None:
    hook.respond = deny
    await configure(api, webhook(hook))
    await failure(config_map(api))
    text = await api.server.metrics.text()
    labels = 'name="w.example.com",operation="CREATE",type="validating"'
    assert f'apiserver_admission_webhook_request_total{{code="400",{labels},rejected="true"}} 1' in text
    assert f'apiserver_admission_webhook_rejection_count{{error_type="no_error",{labels},rejection_code="400"}} 1' in text
    assert f'apiserver_admission_webhook_admission_duration_seconds_count{{{labels},rejected="true"}} 1' in text


async def test_a_cluster_without_webhooks_loads_nothing_of_them(api: Api) -> None:
    await config_map(api)
    steps = {step.module: step.plugin for step in api.server.registry.shared.admission.steps}
    assert steps["mutating_admission_webhook"] is None and steps["validating_admission_webhook"] is None


async def test_match_conditions(api: Api, hook: WebhookServer) -> None:
    """A false one decides; one that cannot be told is as the failure policy says."""
    conditions = [{"name": "named", "expression": "object.metadata.name != 'skip-me'"}]
    await configure(api, webhook(hook, matchConditions=conditions))
    await config_map(api, "skip-me")
    assert hook.requests == []
    await config_map(api)
    assert [request["name"] for request in hook.requests] == ["c"]
    broken = [{"name": "broken", "expression": "object.data.x == 'y'"}, *conditions]
    await api.client.patch(VALIDATING, "conf", {"webhooks": [webhook(hook, matchConditions=broken)]})
    code, text = await failure(config_map(api, "d"))
    assert (code, text) == (403, "configmaps \"d\" is forbidden: expression 'object.data.x == 'y'' resulted in error: no such key: data")
    await config_map(api, "skip-me", "kube-public")
    await api.client.patch(VALIDATING, "conf", {"webhooks": [webhook(hook, matchConditions=broken, failurePolicy="Ignore")]})
    await config_map(api, "d")
    assert len(hook.requests) == 1
