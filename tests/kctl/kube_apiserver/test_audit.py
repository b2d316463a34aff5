"""The audit log: what a policy makes of requests, line by line."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN, ANONYMOUS, User
from kctl.kube_apiserver.audit import policy
from kctl.kube_apiserver.audit.log import AuditLog, Rotation
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


HEAD = "apiVersion: audit.k8s.io/v1, kind: Policy"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{rules: []}", """failed decoding: Object 'Kind' is missing in '{"rules":[]}'"""),
        ("{kind: Policy}", """failed decoding: Object 'apiVersion' is missing in '{"kind":"Policy"}'"""),
        ("{apiVersion: v1, kind: Pod}", 'failed decoding: no kind "Pod" is registered for version "v1"'),
        (f"{{{HEAD}}}", "loaded illegal policy with 0 rules"),
        (f"{{{HEAD}, rules: [{{}}]}}", "rules[0].level: Required value"),
        (
            f"{{{HEAD}, rules: [{{level: All}}]}}",
            'rules[0].level: Unsupported value: "All": supported values: "None", "Metadata", "Request", "RequestResponse"',
        ),
        (
            f"{{{HEAD}, rules: [{{level: None, verbs: get}}]}}",
            "failed decoding: json: cannot unmarshal string into Go struct field PolicyRule.rules.verbs of type []string",
        ),
        (
            f"{{{HEAD}, rules: [{{level: None}}, {{level: None, omitStages: [Never], nonResourceURLs: [healthz, /a*b, '*']}}]}}",
            """[rules[1].nonResourceURLs[0]: Invalid value: "healthz": non-resource URL rules must begin with a '/' character, """
            """rules[1].nonResourceURLs[1]: Invalid value: "/a*b": non-resource URL wildcards '*' must be the final character of the """
            """rule, rules[1].omitStages[0]: Invalid value: "Never": allowed stages are """
            "RequestReceived,ResponseStarted,ResponseComplete,Panic]",
        ),
        (
            f"{{{HEAD}, rules: [{{level: None, namespaces: [a], nonResourceURLs: [/x]}}]}}",
            'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
        ),
        (
            f"{{{HEAD}, rules: [{{level: None, resources: [{{group: a/v1}}]}}]}}",
            'rules[0].resources.group: Invalid value: "a/v1": a lowercase RFC 1123 subdomain must consist of',
        ),
        (
            f"{{{HEAD}, rules: [{{level: None, resources: [{{resourceNames: [a]}}]}}]}}",
            'rules[0].resources.resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource',
        ),
        ("a: [", "failed decoding: "),
        ("[]", "failed decoding: couldn't get version/kind; json parse error: json: cannot unmarshal array"),
    ],
)
def test_a_policy_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(policy.InvalidPolicy) as refused:
        policy.load(path)
    assert str(refused.value).startswith(why)
    assert str(refused.value).endswith(f": from file {path}")


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nope.yaml"
    with pytest.raises(policy.InvalidPolicy) as refused:
        policy.load(path)
    assert str(refused.value) == f'failed to read file path "{path}": open {path}: no such file or directory'


def test_what_a_policy_says_that_nobody_knows_is_ignored_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert made({"level": "Metadata", "user": ["a"]}, omit=["x"]).rule_for(PATH) is not None
    assert 'unknown field "omit", unknown field "rules[0].user"' in caplog.text


FIELDS = (
    "kind apiVersion level auditID stage requestURI verb user impersonatedUser authenticationMetadata userAgent objectRef responseStatus "
    "requestObject responseObject requestReceivedTimestamp stageTimestamp annotations"
)


async def test_the_order_of_fields_is_upstream_s(audited: Make) -> None:
    async with audited({"level": "RequestResponse"}) as server:
        body = {"metadata": {"name": "A", "labels": {"b": "c"}}, "data": {"text": "<&>"}, "kind": "ConfigMap", "apiVersion": "v1"}
        may = {
            "metadata": {"name": "jane"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admins"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
        }
        roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
        rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        assert await server.ask("POST", roles, body={"metadata": {"name": "admins"}, "rules": [rule]}) == 201
        bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings"
        assert await server.ask("POST", bindings, body=may) == 201
        jane = {"Impersonate_User": "jane", "User_Agent": "k" * 2000}
        assert await server.ask("POST", f"{MAPS}?fieldManager=a&x=y", body=body, **jane) == 422
        await server.events()
        lines = server.path.read_text().splitlines()[-2:]
    received, complete = (json.loads(line) for line in lines)
    assert list(complete) == FIELDS.split()
    later = ("impersonatedUser", "authenticationMetadata", "responseStatus", "requestObject", "responseObject", "annotations")
    assert list(received) == [field for field in FIELDS.split() if field not in later]
    assert received["stageTimestamp"] == received["requestReceivedTimestamp"]
    assert received["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert list(complete["objectRef"].items())[:3] == [("resource", "configmaps"), ("namespace", "default"), ("name", "A")]
    assert complete["authenticationMetadata"] == {"impersonationConstraint": "impersonate:user-info"}
    assert list(complete["responseStatus"]) == ["metadata", "status", "message", "reason", "details", "code"]
    assert complete["responseObject"]["kind"] == "Status" and complete["requestObject"] == body
    assert len(complete["userAgent"]) == 1024 + len("...TRUNCATED")
    assert "\\u003c\\u0026\\u003e" in lines[1] and "x=y" in complete["requestURI"]
    assert complete["annotations"]["authorization.k8s.io/decision"] == "allow"


async def test_the_body_of_who_may_not_is_not_read(audited: Make) -> None:
    """Upstream decodes, and notes, what comes after authorization."""
    async with audited({"level": "RequestResponse"}) as server:
        assert await server.ask("POST", MAPS, JANE, body={"metadata": {"name": "a"}}) == 403
        _, complete = await server.events()
    assert complete["responseObject"]["kind"] == "Status" and "requestObject" not in complete and "name" not in complete["objectRef"]


async def test_why_it_was_allowed(audited: Make) -> None:
    """Also where that was decided before: the reason is remembered until a role changes."""
    roles = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    role = {"metadata": {"name": "r"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane"}
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [subject],
    }
    async with audited({"level": "Metadata", "users": ["jane"]}, omitStages=["RequestReceived"]) as server:
        assert await server.ask("POST", f"{roles}/roles", body=role) == 201
        assert await server.ask("POST", f"{roles}/rolebindings", body=binding) == 201
        assert [await server.ask("GET", MAPS, JANE) for _ in range(2)] == [200, 200]
        assert await server.ask("DELETE", f"{roles}/rolebindings/b") == 200
        assert await server.ask("GET", MAPS, JANE) == 403
        events = await server.events()
    reason = 'RBAC: allowed by RoleBinding "b/default" of Role "r" to User "jane"'
    allowed = {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": reason}
    forbidden = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": ""}
    assert [event["annotations"] for event in events] == [allowed, allowed, forbidden]
    assert [event["responseStatus"]["code"] for event in events] == [200, 200, 403]
    assert events[0]["responseStatus"] == {"metadata": {}, "code": 200}


async def test_who_may_not_impersonate_got_no_decision(audited: Make) -> None:
    async with audited({"level": "Metadata"}) as server:
        assert await server.ask("GET", MAPS, JANE, Impersonate_User="joe") == 403
        _, event = await server.events()
    assert "annotations" not in event and "impersonatedUser" not in event
    assert "impersonate-on:user-info:list" in event["responseStatus"]["message"]


async def test_a_watch_begins_and_ends(audited: Make) -> None:
    async with audited({"level": "RequestResponse"}) as server:
        assert await server.ask("GET", f"{MAPS}?watch=true&timeoutSeconds=1") == 200
        events = await server.events()
    assert [event["stage"] for event in events] == ["RequestReceived", "ResponseStarted", "ResponseComplete"]
    assert events[1]["responseStatus"] == events[2]["responseStatus"] == {"metadata": {}, "code": 200}


async def test_wrong_credentials_are_logged_as_nobody_s(audited: Make) -> None:
    async with audited({"level": "None", "userGroups": ["system:authenticated"]}, {"level": "Metadata"}) as server:
        headers = {"Authorization": "Bearer x", "X_Forwarded_For": "10.0.0.1, no address", "X_Real_Ip": "10.0.0.2"}
        assert await server.ask("GET", MAPS, ANONYMOUS, **headers) == 401
        (event,) = await server.events()
    assert event["stage"] == "ResponseStarted" and event["user"] == {} and event["sourceIPs"] == ["10.0.0.1", "10.0.0.2"]
    expected = {"metadata": {}, "status": "Failure", "message": "Unauthorized", "reason": "Unauthorized", "code": 401}
    assert event["responseStatus"] == expected


async def test_what_is_shown_is_what_is_logged(audited: Make) -> None:
    async with audited({"level": "RequestResponse", "omitManagedFields": True}, omitStages=["RequestReceived"]) as server:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
        assert await server.ask("POST", MAPS, body=body) == 201
        assert await server.ask("GET", MAPS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io") == 200
        assert await server.ask("DELETE", f"{MAPS}/a", body={"kind": "DeleteOptions", "apiVersion": "v1"}) == 200
        made, table, deleted = await server.events()
    assert "managedFields" not in made["responseObject"]["metadata"]
    assert table["responseObject"]["kind"] == "Table" and "managedFields" not in table["responseObject"]["rows"][0]["object"]["metadata"]
    assert deleted["requestObject"] == {"kind": "DeleteOptions", "apiVersion": "v1"}
    assert list(deleted["responseStatus"]) == ["metadata", "status", "details", "code"]


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


def test_what_was_put_aside_is_kept_as_long_as_wanted(tmp_path: Path) -> None:
    """By the times in the names, whatever else lies there."""
    names = [f"audit-2026-01-0{day}T00-00-00.000.log" for day in (1, 2, 3, 4)]
    for name in (*names, "audit-notes.log", "other.log"):
        (tmp_path / name).write_text(name)
    path, now = str(tmp_path / "audit.log"), datetime(2026, 1, 4, 12, tzinfo=UTC)
    AuditLog(path, RealClock(), Rotation(backups=3)).tidy(now)
    assert not (tmp_path / names[0]).exists() and (tmp_path / names[1]).exists()
    AuditLog(path, RealClock(), Rotation(days=2, compress=True)).tidy(now)
    assert {file.name for file in tmp_path.iterdir()} == {f"{names[2]}.gz", f"{names[3]}.gz", "audit-notes.log", "other.log"}
    assert gzip.decompress((tmp_path / f"{names[3]}.gz").read_bytes()).decode() == names[3]
    assert (tmp_path / f"{names[3]}.gz").stat().st_mode & 0o777 == 0o600


def test_a_log_is_put_aside_at_100_megabytes_or_as_said() -> None:
    assert (Rotation().maximum_bytes, Rotation(megabytes=5).maximum_bytes) == (100 << 20, 5 << 20)
