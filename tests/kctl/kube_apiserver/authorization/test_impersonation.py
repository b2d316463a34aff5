"""Acting as somebody else takes a permission for every part of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from kctl.apimachinery.user import ADMIN, User
from tests.kctl.kube_apiserver.authorization.cluster import JANE, Cluster, cluster, rule

WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})


async def ask(made: Cluster, who: User, **headers: str) -> tuple[int, dict[str, Any]]:
    named = {f"Impersonate-{name.replace('_', '-')}": value for name, value in headers.items()}
    answer = await made.server.handle_raw("POST", WHO_AM_I, {}, REVIEW, {"Content-Type": "application/json", **named}, who)
    return answer.status, orjson.loads(answer.body)


@pytest.mark.parametrize(
    ("headers", "groups"),
    [
        ({"User": "joe"}, ["system:authenticated"]),
        ({"User": "joe", "Group": "a\nb"}, ["a", "b", "system:authenticated"]),
        ({"User": "joe", "Group": "system:authenticated"}, ["system:authenticated"]),
        (
            {"User": "system:serviceaccount:ns:bot"},
            ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"],
        ),
        ({"User": "system:serviceaccount:ns:bot", "Group": "a"}, ["a", "system:authenticated"]),
    ],
)
async def test_who_one_is_then(headers: dict[str, str], groups: list[str]) -> None:
    async with cluster() as made:
        status, answer = await ask(made, ADMIN, **headers)
        assert status == 201
        assert answer["status"]["userInfo"] == {"username": headers["User"], "groups": groups}


async def test_uid_and_extra_come_along() -> None:
    async with cluster() as made:
        _, answer = await ask(made, ADMIN, User="joe", Uid="7", Extra_Scopes="a\nb", **{"Extra_acme.com%2fteam": "x"})
        user = answer["status"]["userInfo"]
        assert user["uid"] == "7" and user["extra"] == {"scopes": ["a", "b"], "acme.com/team": ["x"]}


OLD = rule("impersonate", "users serviceaccounts", names="ann")
OLD_SCOPES = [OLD, rule("impersonate", "users"), rule("impersonate", "userextras/scopes", "authentication.k8s.io", "a")]


@pytest.mark.parametrize(
    ("rules", "headers", "refused"),
    [
        (
            [OLD],
            {"User": "joe"},
            'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
        ),
        ([rule("impersonate", "users")], {"User": "joe"}, ""),
        ([OLD, rule("impersonate", "users")], {"User": "joe", "Group": "dev"}, 'groups "dev" is forbidden'),
        ([rule("impersonate", "users groups")], {"User": "joe", "Group": "dev"}, ""),
        (
            [OLD],
            {"User": "system:serviceaccount:ns:bot"},
            'serviceaccounts "bot" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API group "" '
            'in the namespace "ns"',
        ),
        ([rule("impersonate", "serviceaccounts")], {"User": "system:serviceaccount:ns:bot"}, ""),
        ([OLD, rule("impersonate", "users")], {"User": "joe", "Uid": "7"}, 'uids.authentication.k8s.io "7" is forbidden'),
        (
            OLD_SCOPES,
            {"User": "joe", "Extra_scopes": "a\nb"},
            'userextras.authentication.k8s.io "b" is forbidden: User "jane" cannot impersonate resource "userextras/scopes"',
        ),
        (OLD_SCOPES, {"User": "joe", "Extra_scopes": "a"}, ""),
    ],
)
async def test_what_the_old_way_takes(rules: list[dict[str, Any]], headers: dict[str, str], refused: str) -> None:
    """The refusal is that of the way by which one was somebody else the last time."""
    async with cluster() as made:
        await made.role("r", *rules)
        await made.bind("r", "User:jane")
        if OLD in rules:
            assert (await ask(made, JANE, User="ann"))[0] == 201
        status, answer = await ask(made, JANE, **headers)
        assert status == (403 if refused else 201), answer
        assert not refused or answer["message"].startswith(refused)


GROUP = "authentication.k8s.io"


def on(mode: str) -> dict[str, Any]:
    return rule(f"impersonate-on:{mode}:create", "selfsubjectreviews", GROUP)


def of(mode: str, resources: str, names: str = "") -> dict[str, Any]:
    return rule(f"impersonate:{mode}", resources, GROUP, names)


@pytest.mark.parametrize(
    ("rules", "headers", "refused"),
    [
        (
            [of("user-info", "users")],
            {"User": "joe"},
            'selfsubjectreviews.authentication.k8s.io is forbidden: User "jane" cannot impersonate-on:user-info:create resource '
            '"selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
        ),
        (
            [on("user-info")],
            {"User": "joe"},
            'users.authentication.k8s.io "joe" is forbidden: User "jane" cannot impersonate:user-info resource "users" in API group '
            '"authentication.k8s.io" at the cluster scope',
        ),
        ([on("user-info"), of("user-info", "users", "joe")], {"User": "joe"}, ""),
        ([on("user-info"), of("user-info", "users", "joe")], {"User": "ann"}, 'users.authentication.k8s.io "ann" is forbidden'),
        (
            [on("user-info"), of("user-info", "users")],
            {"User": "joe", "Group": "dev", "Uid": "7"},
            'uids.authentication.k8s.io "7" is forbidden',
        ),
        ([on("user-info"), of("user-info", "users groups uids")], {"User": "joe", "Group": "dev", "Uid": "7"}, ""),
        (
            [on("user-info"), of("user-info", "users groups")],
            {"User": "joe", "Group": "system:masters"},
            'groups.authentication.k8s.io "system:masters" is forbidden: User "jane" cannot impersonate:user-info resource "groups" in '
            'API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed',
        ),
        (
            [on("user-info"), of("user-info", "users groups")],
            {"User": "joe", "Group": ""},
            'groups.authentication.k8s.io is forbidden: User "jane" cannot impersonate:user-info resource "groups" in API group '
            '"authentication.k8s.io" at the cluster scope: impersonating the empty string group is not allowed',
        ),
        ([on("user-info"), of("user-info", "users"), of("user-info", "groups", "*")], {"User": "joe", "Group": "a\nb\nc\nd"}, ""),
        (
            [on("user-info"), of("user-info", "users"), of("user-info", "groups", "*")],
            {"User": "joe", "Group": "a\nb\nc"},
            'groups.authentication.k8s.io "a" is forbidden',
        ),
        (
            [on("user-info"), of("user-info", "users userextras/scopes")],
            {"User": "joe", "Extra_scopes": "a"},
            'userextras.authentication.k8s.io is forbidden: User "jane" cannot impersonate:user-info resource "userextras" in API group '
            '"authentication.k8s.io" at the cluster scope: impersonating an invalid key in extra is not allowed: extra.key: Invalid '
            'value: "scopes": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        (
            [on("user-info"), of("user-info", "users userextras/acme.io/x")],
            {"User": "joe", "Extra_acme.io%2fx": "a\n"},
            "impersonating the empty string value in extra is not allowed",
        ),
        ([on("user-info"), of("user-info", "users userextras/acme.io/x")], {"User": "joe", "Extra_acme.io%2fx": "a"}, ""),
        ([on("serviceaccount"), of("serviceaccount", "serviceaccounts", "bot")], {"User": "system:serviceaccount:ns:bot"}, ""),
        (
            [on("serviceaccount"), of("serviceaccount", "serviceaccounts"), on("user-info"), of("user-info", "users groups")],
            {"User": "system:serviceaccount:ns:bot", "Group": "a"},
            'serviceaccounts "bot" is forbidden: User "jane" cannot impersonate resource "serviceaccounts"',
        ),
        ([on("arbitrary-node"), of("arbitrary-node", "nodes", "n")], {"User": "system:node:n"}, ""),
        (
            [on("user-info"), of("user-info", "users"), on("arbitrary-node"), of("arbitrary-node", "nodes", "m")],
            {"User": "system:node:n"},
            'nodes.authentication.k8s.io "n" is forbidden: User "jane" cannot impersonate:arbitrary-node resource "nodes"',
        ),
    ],
)
async def test_what_constrained_impersonation_takes(rules: list[dict[str, Any]], headers: dict[str, str], refused: str) -> None:
    """Two permissions: for what is done as somebody else, and to be them."""
    async with cluster() as made:
        await made.role("r", *rules)
        await made.bind("r", "User:jane")
        status, answer = await ask(made, JANE, **headers)
        assert status == (403 if refused else 201), answer
        assert not refused or refused in answer["message"]


async def test_who_a_node_is() -> None:
    async with cluster() as made:
        _, answer = await ask(made, ADMIN, User="system:node:n")
        assert answer["status"]["userInfo"]["groups"] == ["system:nodes", "system:authenticated"]
        _, answer = await ask(made, ADMIN, User="system:node:n", Group="a")
        assert answer["status"]["userInfo"]["groups"] == ["a", "system:authenticated"]


async def test_an_account_may_be_the_node_its_pod_is_on() -> None:
    """And no other; which node that is plays no part in its permission."""
    space = ("system:serviceaccounts", "system:authenticated")
    async with cluster() as made:
        await made.role("r", on("associated-node"), of("associated-node", "nodes", "*"))
        await made.bind("r", "User:system:serviceaccount:ns:agent")
        for node, expected in (("n", 201), ("m", 403)):
            who = User("system:serviceaccount:ns:agent", space, "", {"authentication.kubernetes.io/node-name": (node,)})
            status, answer = await ask(made, who, User="system:node:n")
            assert status == expected, answer


@pytest.mark.parametrize(
    ("headers", "shown"),
    [
        ({"Group": "g"}, 'Name:"", UID:"", Groups:[]string{"g"}, Extra:map[string][]string(nil)'),
        ({"Uid": "7", "Extra_b": "x\ny"}, 'Name:"", UID:"7", Groups:[]string(nil), Extra:map[string][]string{"b":[]string{"x", "y"}}'),
    ],
)
async def test_nobody_is_nobody(headers: dict[str, str], shown: str) -> None:
    async with cluster() as made:
        status, answer = await ask(made, ADMIN, **headers)
        assert (status, answer["message"]) == (400, f"requested &user.DefaultInfo{{{shown}}} without impersonating a user name")
