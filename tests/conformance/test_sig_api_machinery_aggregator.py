"""The official conformance test of the aggregator: an extension API server in a pod, with its own etcd, and what it is asked through
kube-apiserver. Beside it what such a server believes of whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.user import ADMIN, SYSTEM_AUTHENTICATED, User
from kctl.daemon import pki
from tests.conformance.extension_server import API_SERVICES, GROUP, NAME, ROOT, VERSION, extended
from tests.conformance.suite import CORE, NAMESPACE, STRATEGIC, Suite, selected, suite

pytestmark = pytest.mark.virtual_time
FLUNDERS = f"{ROOT}/namespaces/default/flunders"
OWN = f"{ROOT}/namespaces/{NAMESPACE}/flunders"
SERVICE = f"{API_SERVICES}/{NAME}"
JANE = User("jane", (SYSTEM_AUTHENTICATED,))


@pytest.fixture
async def e2e(tmp_path: Path) -> AsyncIterator[Suite]:
    keys = pki.ensure(tmp_path / "pki", now=datetime.now(UTC), hosts=[])
    async with suite(keys=keys) as made:
        await extended(made)
        yield made


def flunder(name: str, **more: Any) -> Any:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Flunder", "metadata": {"name": name, "labels": {"sample-label": "true"}}, **more}


def reasons(api_service: Any) -> set[tuple[str, str]]:
    return {(each["type"], each.get("message", "")) for each in objects.status(api_service)["conditions"]}


async def told(e2e: Suite, kind: str) -> list[Any]:
    """Its conditions with one more."""
    present = objects.status(await e2e.get(f"{SERVICE}/status"))["conditions"]
    return [*present, {"type": kind, "status": "True", "reason": "E2E", "message": "Set from e2e test"}]


async def test_a_sample_api_server_is_served(e2e: Suite) -> None:
    """[sig-api-machinery] Aggregator Should be able to support the 1.17 Sample API Server using the current Aggregator [LinuxOnly]
    [Conformance]"""
    made = await e2e.create(FLUNDERS, {**flunder("rest-flunder"), "metadata": {"name": "rest-flunder", "namespace": "default"}})
    assert (made["apiVersion"], made["kind"], objects.name(made)) == (f"{GROUP}/{VERSION}", "Flunder", "rest-flunder")
    assert await e2e.names(FLUNDERS) == ["rest-flunder"]
    await e2e.delete(f"{FLUNDERS}/rest-flunder")
    assert await e2e.names(FLUNDERS) == []

    resources = (await e2e.get(ROOT))["resources"]
    assert any((each["name"], each["kind"], each["namespaced"]) == ("flunders", "Flunder", True) for each in resources)
    assert GROUP in [each["name"] for each in (await e2e.get("/apis"))["groups"]]
    await e2e.create(OWN, flunder("dynamic-flunder"))
    assert await e2e.names(OWN) == ["dynamic-flunder"]

    assert objects.status(await e2e.get(f"{SERVICE}/status"))["conditions"][0]["message"] == "all checks passed"
    assert (await e2e.patch(SERVICE, {"spec": {"versionPriority": 400}}))["spec"]["versionPriority"] == 400
    assert NAME in await e2e.names(API_SERVICES)
    patched = await e2e.patch(SERVICE, {"metadata": {"labels": {"e2e-apiservice": "patched"}}}, STRATEGIC)
    assert objects.labels(patched) == {"e2e-apiservice": "patched"}
    conditions = await told(e2e, "StatusUpdated")
    await e2e.update_until(f"{SERVICE}/status", lambda obj: objects.with_status(obj, conditions=conditions))
    assert ("StatusUpdated", "Set from e2e test") in reasons(await e2e.get(f"{SERVICE}/status"))
    replaced = await e2e.update_until(SERVICE, lambda obj: {**obj, "metadata": {**obj["metadata"], "labels": {NAME: "updated"}}})
    assert objects.labels(replaced) == {NAME: "updated"}

    await e2e.delete(f"{OWN}/dynamic-flunder")
    assert await e2e.names(OWN) == []
    await e2e.create(OWN, flunder("dynamic-flunder"))
    assert await e2e.names(OWN) == ["dynamic-flunder"]
    await e2e.patch(f"{SERVICE}/status", {"status": {"conditions": await told(e2e, "StatusPatched")}})
    assert ("StatusPatched", "Set from e2e test") in reasons(await e2e.get(f"{SERVICE}/status"))

    await e2e.delete(selected(API_SERVICES, f"{NAME}=updated"))
    await e2e.empty(API_SERVICES, f"{NAME}=updated")
    assert (await e2e.server.handle_raw("GET", OWN, {}, None, {}, ADMIN)).status == 404


async def test_it_is_told_who_asks_and_asks_what_they_may(e2e: Suite) -> None:
    status, answer = await e2e.ask("GET", FLUNDERS, user=JANE)
    assert status == 403
    assert answer["message"] == (
        f'flunders.{GROUP} is forbidden: User "jane" cannot list resource "flunders" in API group "{GROUP}" in the namespace "default"'
    )
    rule = {"apiGroups": [GROUP], "resources": ["flunders"], "verbs": ["list"]}
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    await e2e.create(f"{rbac}/roles", {"metadata": {"name": "lister"}, "rules": [rule]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lister"}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"}
    await e2e.create(f"{rbac}/rolebindings", {"metadata": {"name": "lister"}, "roleRef": role, "subjects": [subject]})
    assert (await e2e.ask("GET", FLUNDERS, user=JANE))[0] == 200
    assert (await e2e.ask("POST", FLUNDERS, flunder("hers"), user=JANE))[0] == 403


async def test_objects_live_as_in_any_api(e2e: Suite) -> None:
    made = await e2e.create(FLUNDERS, flunder("a", spec={"referenceType": "Flunder", "flunderReference": "b"}))
    assert (await e2e.ask("POST", FLUNDERS, flunder("a")))[1]["message"] == f'flunders.{GROUP} "a" already exists'
    changed = await e2e.patch(f"{FLUNDERS}/a", {"metadata": {"labels": {"more": "x"}}})
    assert changed["metadata"]["uid"] == made["metadata"]["uid"] and changed["spec"] == made["spec"]
    assert (await e2e.ask("PUT", f"{FLUNDERS}/a", made))[0] == 409
    assert [(kind, objects.name(obj)) for kind, obj in await e2e.watched(FLUNDERS, made)] == [("MODIFIED", "a")]
    assert await e2e.names(FLUNDERS, "more=x") == ["a"] and await e2e.names(FLUNDERS, "more=y") == []
    message = await e2e.refused("POST", FLUNDERS, flunder("c", spec={"referenceType": "Fischer"}), status=422)
    assert message == f'Flunder.{GROUP} "c" is invalid: spec.fischerReference: Required value'
    missing = await e2e.refused("POST", f"{ROOT}/namespaces/nowhere/flunders", flunder("c"), status=404)
    assert missing == 'namespaces "nowhere" not found'
    await e2e.create(f"{ROOT}/fischers", {"metadata": {"name": "ban"}, "disallowedFlunders": ["banned"]})
    why = "this name may not be used, please change the resource name"
    assert await e2e.refused("POST", FLUNDERS, flunder("banned"), status=403) == f'flunders.{GROUP} "banned" is forbidden: {why}'
    await e2e.patch(f"{FLUNDERS}/a", {"metadata": {"finalizers": ["example.com/wait"]}})
    await e2e.delete(f"{FLUNDERS}/a")
    assert objects.deletion_timestamp(await e2e.get(f"{FLUNDERS}/a"))
    await e2e.patch(f"{FLUNDERS}/a", {"metadata": {"finalizers": None}})
    await e2e.gone(f"{FLUNDERS}/a", 1)


async def test_controllers_see_its_objects(e2e: Suite) -> None:
    """Namespaces are emptied of them, the garbage collector follows their owners, quotas count them; and a namespace waits while it
    is not known whether there are some."""
    quota = f"{CORE}/resourcequotas"
    await e2e.create(quota, {"metadata": {"name": "q"}, "spec": {"hard": {f"count/flunders.{GROUP}": "5"}}})
    owner = await e2e.create(f"{CORE}/configmaps", {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": objects.uid(owner)}
    await e2e.create(OWN, flunder("free"))
    await e2e.create(OWN, {**flunder("owned"), "metadata": {"name": "owned", "ownerReferences": [reference]}})
    await e2e.patch(f"{quota}/q", {"metadata": {"labels": {"look": "again"}}})
    await e2e.until(f"{quota}/q", lambda found: objects.status(found).get("used") == {f"count/flunders.{GROUP}": "2"}, 320)
    await e2e.delete(f"{CORE}/configmaps/owner")
    await e2e.gone(f"{OWN}/owned", 60)
    await e2e.until(f"{quota}/q", lambda found: objects.status(found).get("used") == {f"count/flunders.{GROUP}": "1"}, 60)

    await e2e.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    there = f"{ROOT}/namespaces/other/flunders"
    await e2e.create(there, flunder("left"))
    await e2e.patch(f"{there}/left", {"metadata": {"finalizers": ["example.com/wait"]}})
    await e2e.delete("/api/v1/namespaces/other")
    remaining = f"Some resources are remaining: flunders.{GROUP} has 1 resource instances"

    def told(kind: str) -> Any:
        return lambda found: (objects.condition(found, kind) or {}).get("message")

    await e2e.until("/api/v1/namespaces/other", lambda found: told("NamespaceContentRemaining")(found) == remaining, 30)
    await e2e.patch(f"{there}/left", {"metadata": {"finalizers": None}})
    await e2e.gone("/api/v1/namespaces/other", 30)

    await e2e.create("/api/v1/namespaces", {"metadata": {"name": "third"}})
    await e2e.patch(f"{CORE}/services/sample-api", {"spec": {"selector": {"apiserver": "none"}}})
    await e2e.until(SERVICE, lambda found: not objects.is_condition_true(found, "Available"), 60)
    await e2e.delete("/api/v1/namespaces/third")
    version = f"{GROUP}/{VERSION}"
    why = f"unable to retrieve the complete list of server APIs: {version}: stale GroupVersion discovery: {version}"
    unknown = f"Discovery failed for some groups, 1 failing: {why}"
    await e2e.until("/api/v1/namespaces/third", lambda found: told("NamespaceDeletionDiscoveryFailure")(found) == unknown, 30)
    await e2e.delete(SERVICE)
    await e2e.gone("/api/v1/namespaces/third", 30)
