"""The audit log: what a policy makes of requests, line by line."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN, User
from kctl.kube_apiserver.audit import policy
from kctl.kube_apiserver.audit.log import AuditLog
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

JANE = User("jane", ("dev", "system:authenticated"))
MAPS = "/api/v1/namespaces/default/configmaps"


def made(*rules: dict[str, Any], **more: Any) -> policy.Policy:
    return policy.parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


class Audited:
    def __init__(self, server: ApiServer, path: Path) -> None:
        self.server = server
        self.path = path

    async def ask(self, method: str, path: str, who: User = ADMIN, body: Any = None, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body).encode() if body is not None else None
        named |= {"Content-Type": "application/json"} if data else {}
        return (await self.server.handle_raw(method, path, {}, data, named, who)).status

    async def events(self) -> list[Any]:
        await asyncio.sleep(0)
        return [json.loads(line) for line in self.path.read_text().splitlines()]


Make = Callable[..., Any]


@pytest.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Make]:
    @asynccontextmanager
    async def started(*rules: dict[str, Any], **more: Any) -> AsyncIterator[Audited]:
        store = MemoryStore()
        await store.start()
        path = tmp_path / "audit.log"
        config = ApiServerConfig(audit_policy=made(*rules, **more), audit_log_path=str(path))
        server = ApiServer(store, clock=RealClock(), randomness=random.Random(1), config=config)
        await server.start()
        try:
            yield Audited(server, path)
        finally:
            await server.stop()
            await store.close()

    yield started


async def test_stages_and_what_they_say(audited: Make) -> None:
    async with audited({"level": "Metadata"}) as server:
        assert await server.ask("GET", f"{MAPS}?limit=5", JANE, User_Agent="kubectl/v1", Audit_ID="seven") == 403
        received, complete = await server.events()
    assert (received["stage"], complete["stage"]) == ("RequestReceived", "ResponseComplete")
    assert received["auditID"] == complete["auditID"] == "seven"
    assert "responseStatus" not in received
    assert complete["level"] == "Metadata" and complete["verb"] == "list"
    assert complete["requestURI"] == f"{MAPS}?limit=5" and complete["userAgent"] == "kubectl/v1"
    assert complete["user"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
    assert complete["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    status = complete["responseStatus"]
    assert (status["code"], status["reason"], status["status"]) == (403, "Forbidden", "Failure")
    assert complete["annotations"] == {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}
    assert received["requestReceivedTimestamp"] == complete["requestReceivedTimestamp"] <= complete["stageTimestamp"]


async def test_objects_by_level(audited: Make) -> None:
    rules = [
        {"level": "RequestResponse", "resources": [{"group": "", "resources": ["configmaps"]}], "omitManagedFields": True},
        {"level": "Request", "verbs": ["create"]},
        {"level": "None"},
    ]
    async with audited(*rules, omitStages=["RequestReceived"]) as server:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
        assert await server.ask("POST", MAPS, body=body) == 201
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        assert await server.ask("POST", "/api/v1/namespaces/default/secrets", body=secret) == 201
        assert await server.ask("GET", "/api/v1/namespaces/default/secrets") == 200
        first, second = await server.events()
    assert first["requestObject"] == body
    assert first["responseObject"]["metadata"]["uid"] and "managedFields" not in first["responseObject"]["metadata"]
    assert first["objectRef"]["name"] == "a"
    assert second["requestObject"] == secret and "responseObject" not in second


async def test_who_really_asks_is_the_user_whoever_is_impersonated(audited: Make) -> None:
    async with audited({"level": "Metadata", "users": ["kubernetes-admin"]}) as server:
        assert await server.ask("GET", MAPS, Impersonate_User="jane") == 403
        assert await server.ask("GET", MAPS, JANE) == 403
        _, event = await server.events()
    assert event["user"]["username"] == "kubernetes-admin"
    assert event["impersonatedUser"] == {"username": "jane", "groups": ["system:authenticated"]}


RESOURCE = Attributes(JANE, "get", "apps", "v1", "deployments", "scale", "default", "web")
PATH = Attributes(JANE, "get", path="/healthz/etcd")


@pytest.mark.parametrize(
    ("rule", "asked", "matches"),
    [
        ({}, RESOURCE, True),
        ({}, PATH, True),
        ({"users": ["joe"]}, RESOURCE, False),
        ({"userGroups": ["ops", "dev"]}, RESOURCE, True),
        ({"verbs": ["list"]}, RESOURCE, False),
        ({"namespaces": ["default"]}, RESOURCE, True),
        ({"namespaces": [""]}, RESOURCE, False),
        ({"namespaces": ["default"]}, PATH, False),
        ({"resources": [{"group": "apps"}]}, RESOURCE, True),
        ({"resources": [{"group": ""}]}, RESOURCE, False),
        ({"resources": [{"group": "apps", "resources": ["deployments"]}]}, RESOURCE, False),
        ({"resources": [{"group": "apps", "resources": ["deployments/scale"]}]}, RESOURCE, True),
        ({"resources": [{"group": "apps", "resources": ["deployments/*"]}]}, RESOURCE, True),
        ({"resources": [{"group": "apps", "resources": ["*/scale"]}]}, RESOURCE, True),
        ({"resources": [{"group": "apps", "resources": ["*"], "resourceNames": ["other"]}]}, RESOURCE, False),
        ({"nonResourceURLs": ["/healthz*"]}, PATH, True),
        ({"nonResourceURLs": ["/healthz"]}, PATH, False),
        ({"nonResourceURLs": ["*"]}, RESOURCE, False),
    ],
)
def test_which_requests_a_rule_is_about(rule: dict[str, Any], asked: Attributes, matches: bool) -> None:
    assert (made({"level": "Metadata", **rule}).rule_for(asked) is not None) is matches


def test_the_first_rule_that_matches_decides() -> None:
    found = made({"level": "None", "users": ["jane"]}, {"level": "Metadata"})
    assert found.rule_for(PATH) is None
    assert found.rule_for(Attributes(ADMIN, "get", path="/")) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules: []", "it must be a Policy of audit.k8s.io/v1"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy}", "loaded illegal policy with 0 rules"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{}]}", "rules[0].level: Required value"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: All}]}", 'rules[0].level: Unsupported value: "All"'),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, verbs: get}]}", "rules[0].verbs: must be a list of strings"),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None, user: [a]}]}", 'rules[0]: unknown field "user"'),
        ("{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [Never], rules: [{level: None}]}", 'omitStages: Invalid value: "Never"'),
        ("a: [", ""),
    ],
)
def test_a_policy_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(policy.InvalidPolicy) as refused:
        policy.load(path)
    assert str(refused.value).startswith(f"failed to load audit policy file {str(path)!r}: {why}")
    with pytest.raises(policy.InvalidPolicy, match="failed to read file path"):
        policy.load(tmp_path / "nope.yaml")


async def test_a_log_that_is_large_is_put_aside(tmp_path: Path) -> None:
    log = AuditLog(str(tmp_path / "audit.log"), RealClock(), maximum_bytes=20)
    log.open()
    for number in range(3):
        log.write(b"x" * 15 + str(number).encode())
        log.flush()
    log.close()
    _check_logs(tmp_path)


def _check_logs(folder: Path) -> None:
    assert list(folder.glob("audit-*.log"))
    assert (folder / "audit.log").read_bytes() == b"x" * 15 + b"2"
    assert (folder / "audit.log").stat().st_mode & 0o777 == 0o600
