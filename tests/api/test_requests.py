"""What the API conventions promise of requests that are wrong, conditional, paged, defaulted or about a part of an object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.serving import Answer, Api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MERGE = "application/merge-patch+json"
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}, "data": {"a": "1"}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def causes(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 422 and answer.body["reason"] == "Invalid", answer.body
    return [(cause["field"], cause["reason"]) for cause in answer.body["details"]["causes"]]


@pytest.mark.parametrize(
    ("method", "path", "code", "reason"),
    [
        ("GET", "/api/v1/nonsense", 404, "NotFound"),
        ("GET", "/apis/no.such.group/v1/things", 404, None),
        ("GET", "/api/v1/namespaces/default/pods/none", 404, "NotFound"),
        ("POST", "/api/v1/namespaces/default/pods/none", 405, "MethodNotAllowed"),
        ("PUT", "/api/v1/namespaces/default/pods", 405, "MethodNotAllowed"),
        ("POST", "/api/v1/pods", 405, "MethodNotAllowed"),
        ("GET", f"{CONFIG_MAPS}?limit=x", 400, "BadRequest"),
        ("GET", f"{CONFIG_MAPS}?continue=nonsense", 400, "BadRequest"),
        ("GET", f"{CONFIG_MAPS}?resourceVersion=x", 400, "BadRequest"),
        ("GET", f"{CONFIG_MAPS}?resourceVersionMatch=Exact", 422, "Invalid"),
        ("GET", f"{CONFIG_MAPS}?fieldSelector=spec.x%3D1", 400, "BadRequest"),
        ("POST", f"{CONFIG_MAPS}?dryRun=Some", 422, "Invalid"),
    ],
)
def test_wrong_requests(api: Api, method: str, path: str, code: int, reason: str | None) -> None:
    answer = api(method, path, config_map("x") if method in ("POST", "PUT") else None)
    assert answer.status == code, answer.body
    if reason is not None:
        assert answer.body["kind"] == "Status" and answer.body["reason"] == reason


def test_who_asks_without_a_token_or_with_a_wrong_one(api: Api) -> None:
    answer = api("GET", CONFIG_MAPS, token="wrong")
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (401, "Unauthorized", "Unauthorized")
    answer = api("GET", CONFIG_MAPS, token="")
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"].startswith('configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps"')
    assert api("GET", "/livez", token="").body == "ok"
    assert api("GET", "/version", token="").body["major"] == "1"


def test_media_types(api: Api) -> None:
    assert api("GET", CONFIG_MAPS, accept="text/html").status == 406
    assert api("GET", CONFIG_MAPS, accept="text/html, */*;q=0.1").status == 200
    refused = api("POST", CONFIG_MAPS, "x", content_type="text/plain")
    assert (refused.status, refused.body["reason"]) == (415, "UnsupportedMediaType")
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {on: 'yes'}\n"
    made = api("POST", CONFIG_MAPS, text, content_type="application/yaml", accept="application/yaml")
    assert made.status == 201 and made.headers["content-type"] == "application/yaml" and "name: from-yaml" in made.body


def test_pages_are_of_one_moment(api: Api) -> None:
    for number in range(7):
        api("POST", CONFIG_MAPS, config_map(f"page-{number}", labels={"set": "pages"}))
    query = f"{CONFIG_MAPS}?labelSelector=set%3Dpages&limit=3"
    first = api("GET", query).body
    token = first["metadata"]["continue"]
    assert api("DELETE", f"{CONFIG_MAPS}/page-4").status == 200
    second = api("GET", f"{query}&continue={token}").body
    third = api("GET", f"{query}&continue={second['metadata']['continue']}").body
    names = [item["metadata"]["name"] for page in (first, second, third) for item in page["items"]]
    assert names == [f"page-{number}" for number in range(7)]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert "continue" not in third["metadata"]
    plain = api("GET", f"{CONFIG_MAPS}?limit=1").body
    assert plain["metadata"]["remainingItemCount"] == len(api("GET", CONFIG_MAPS).body["items"]) - 1


def test_generated_names(api: Api) -> None:
    body = config_map("")
    body["metadata"] = {"generateName": "run-"}
    made = [api("POST", CONFIG_MAPS, body).body["metadata"] for _ in range(3)]
    assert len({meta["name"] for meta in made}) == 3
    assert all(meta["name"].startswith("run-") and len(meta["name"]) == 9 and meta["generateName"] == "run-" for meta in made)
    del body["metadata"]["generateName"]
    assert causes(api("POST", CONFIG_MAPS, body)) == [("metadata.name", "FieldValueRequired")]


def test_finalizers_hold_an_object_until_they_are_gone(api: Api) -> None:
    path = f"{CONFIG_MAPS}/held"
    api("POST", CONFIG_MAPS, config_map("held", finalizers=["example.com/hold"]))
    assert api("DELETE", path).status == 200
    held = api("GET", path).body
    assert held["metadata"]["deletionTimestamp"] and held["metadata"]["deletionGracePeriodSeconds"] == 0
    added = api("PATCH", path, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}, content_type=MERGE)
    assert added.status == 422 and "no new finalizers can be added if the object is being deleted" in added.body["message"]
    assert api("PATCH", path, {"metadata": {"finalizers": None}}, content_type=MERGE).status == 200
    assert api("GET", path).status == 404


def test_spec_and_status_are_written_apart(api: Api) -> None:
    path = f"{DEPLOYMENTS}/parts"
    made = api("POST", DEPLOYMENTS, {**deployment("parts"), "status": {"replicas": 9}}).body
    assert made["metadata"]["generation"] == 1 and not made["status"].get("replicas")
    both = {"spec": {"replicas": 3}, "status": {"replicas": 2}}
    spec = api("PATCH", path, both, content_type=MERGE).body
    assert (spec["spec"]["replicas"], spec["metadata"]["generation"], spec["status"].get("replicas")) == (3, 2, None)
    both["spec"]["replicas"] = 5
    status = api("PATCH", f"{path}/status", both, content_type=MERGE).body
    assert (status["spec"]["replicas"], status["metadata"]["generation"], status["status"]["replicas"]) == (3, 2, 2)


def test_scale(api: Api) -> None:
    api("POST", DEPLOYMENTS, deployment("wide", replicas=2))
    path = f"{DEPLOYMENTS}/wide/scale"
    scale = api("GET", path).body
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["status"] == {"replicas": 0, "selector": "app=x"}
    changed = api("PUT", path, {**scale, "spec": {"replicas": 4}})
    assert changed.status == 200 and api("GET", f"{DEPLOYMENTS}/wide").body["spec"]["replicas"] == 4
    assert causes(api("PUT", path, {**scale, "metadata": changed.body["metadata"], "spec": {"replicas": -1}})) == [
        ("spec.replicas", "FieldValueInvalid")
    ]


def test_defaults_of_the_most_used_kinds(api: Api) -> None:
    spec = api("POST", DEPLOYMENTS, deployment("defaults")).body["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    inner = spec["template"]["spec"]
    assert (inner["restartPolicy"], inner["dnsPolicy"], inner["terminationGracePeriodSeconds"]) == ("Always", "ClusterFirst", 30)
    assert (inner["schedulerName"], inner["securityContext"]) == ("default-scheduler", {})
    container = inner["containers"][0]
    assert (container["imagePullPolicy"], container["terminationMessagePath"]) == ("IfNotPresent", "/dev/termination-log")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    made = api("POST", "/api/v1/namespaces/default/services", service).body["spec"]
    assert made["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]
    assert (made["type"], made["sessionAffinity"], made["internalTrafficPolicy"]) == ("ClusterIP", "None", "Cluster")
    assert made["clusterIP"].startswith("10.96.") and made["clusterIPs"] == [made["clusterIP"]] and made["ipFamilies"] == ["IPv4"]
    latest = pod("latest")
    latest["spec"]["containers"][0]["image"] = "i:latest"
    assert api("POST", PODS, latest).body["spec"]["containers"][0]["imagePullPolicy"] == "Always"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (pod("bad", containers=[]), [("spec.containers", "FieldValueRequired")]),
        (pod("bad", containers=[{"name": "A_b", "image": "i"}]), [("spec.containers[0].name", "FieldValueInvalid")]),
        (pod("bad", containers=[{"name": "a"}]), [("spec.containers[0].image", "FieldValueRequired")]),
        (
            pod("bad", containers=[{"name": "a", "image": "i"}, {"name": "a", "image": "i"}]),
            [("spec.containers[1].name", "FieldValueDuplicate")],
        ),
        (pod("bad", restartPolicy="Sometimes"), [("spec.restartPolicy", "FieldValueNotSupported")]),
        (
            pod("bad", containers=[{"name": "a", "image": "i", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}]),
            [("spec.containers[0].resources.requests", "FieldValueInvalid")],
        ),
        (
            pod("bad", containers=[{"name": "a", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]),
            [("spec.containers[0].volumeMounts[0].name", "FieldValueNotFound")],
        ),
    ],
    ids=["no containers", "name", "image", "duplicate", "policy", "request over limit", "no such volume"],
)
def test_pods_that_cannot_be(api: Api, body: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert causes(api("POST", PODS, body)) == expected
    assert api("GET", f"{PODS}/bad").status == 404


def test_what_may_not_change(api: Api) -> None:
    api("POST", DEPLOYMENTS, deployment("fixed"))
    other = {"selector": {"matchLabels": {"app": "y"}}, "template": {"metadata": {"labels": {"app": "y"}}}}
    refused = api("PATCH", f"{DEPLOYMENTS}/fixed", {"spec": other}, content_type=MERGE)
    assert causes(refused) == [("spec.selector", "FieldValueInvalid")] and "field is immutable" in refused.body["message"]
    api("POST", CONFIG_MAPS, {**config_map("fixed"), "immutable": True})
    assert causes(api("PATCH", f"{CONFIG_MAPS}/fixed", {"data": {"a": "2"}}, content_type=MERGE)) == [("data", "FieldValueForbidden")]
    api("POST", PODS, pod("fixed"))
    assert causes(api("PATCH", f"{PODS}/fixed", {"spec": {"hostNetwork": True}}, content_type=MERGE)) == [("spec", "FieldValueForbidden")]
    renamed = api("PUT", f"{CONFIG_MAPS}/fixed", config_map("other"))
    assert renamed.status == 400 and "does not match the name on the URL" in renamed.body["message"]


def test_bindings_and_evictions(api: Api) -> None:
    api("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
    api("POST", PODS, pod("placed"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "placed"}, "target": {"kind": "Node", "name": "n1"}}
    assert api("POST", f"{PODS}/placed/binding", binding).status == 201
    bound = api("GET", f"{PODS}/placed").body
    assert bound["spec"]["nodeName"] == "n1"
    assert ("PodScheduled", "True") in [(entry["type"], entry["status"]) for entry in bound["status"]["conditions"]]
    assert api("POST", f"{PODS}/placed/binding", binding).status == 409
    selected = api("GET", f"{PODS}?fieldSelector=spec.nodeName%3Dn1").body["items"]
    assert [item["metadata"]["name"] for item in selected] == ["placed"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "placed"}}
    assert api("POST", f"{PODS}/placed/eviction", eviction).status == 201
    left = api("GET", f"{PODS}/placed")
    assert left.status == 404 or left.body["metadata"]["deletionTimestamp"]


def test_tokens_of_service_accounts_authenticate_as_them(api: Api) -> None:
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    answer = api("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", asked)
    assert answer.status == 201 and answer.body["status"]["expirationTimestamp"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    token = answer.body["status"]["token"]
    who = api("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, token=token).body["status"]["userInfo"]
    assert who["username"] == "system:serviceaccount:default:default" and "system:serviceaccounts:default" in who["groups"]


def test_collections_are_deleted_by_selector(api: Api) -> None:
    for number in range(4):
        api("POST", CONFIG_MAPS, config_map(f"many-{number}", labels={"set": f"many-{number % 2}"}))
    assert api("DELETE", f"{CONFIG_MAPS}?labelSelector=set%3Dmany-1").status == 200
    left = api("GET", f"{CONFIG_MAPS}?labelSelector=set+in+(many-0,many-1)").body["items"]
    assert [item["metadata"]["name"] for item in left] == ["many-0", "many-2"]


def test_discovery_names_what_is_served(api: Api) -> None:
    assert "v1" in api("GET", "/api").body["versions"]
    assert {"apps", "batch", "networking.k8s.io"} <= {group["name"] for group in api("GET", "/apis").body["groups"]}
    found = {entry["name"]: entry for entry in api("GET", "/api/v1").body["resources"]}
    assert found["pods"]["shortNames"] == ["po"] and found["pods"]["namespaced"] and found["pods"]["categories"] == ["all"]
    assert "pods/log" in found and "nodes/status" in found
    paths = json.loads(api("GET", "/openapi/v3").body)["paths"]  # served as text/plain, as the real one does
    assert {"api/v1", "apis/apps/v1"} <= set(paths)
    document = api("GET", paths["apis/apps/v1"]["serverRelativeURL"]).body
    assert document["openapi"].startswith("3.") and "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
