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


@pytest.mark.parametrize(
    ("rules", "headers", "refused"),
    [
        (
            [],
            {"User": "joe"},
            'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
        ),
        ([rule("impersonate", "users")], {"User": "joe"}, ""),
        ([rule("impersonate", "users", names="ann")], {"User": "joe"}, 'users "joe" is forbidden'),
        ([rule("impersonate", "users")], {"User": "joe", "Group": "dev"}, 'groups "dev" is forbidden'),
        ([rule("impersonate", "users groups")], {"User": "joe", "Group": "dev"}, ""),
        (
            [rule("impersonate", "users")],
            {"User": "system:serviceaccount:ns:bot"},
            'serviceaccounts "bot" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API group "" '
            'in the namespace "ns"',
        ),
        ([rule("impersonate", "serviceaccounts")], {"User": "system:serviceaccount:ns:bot"}, ""),
        ([rule("impersonate", "users")], {"User": "joe", "Uid": "7"}, 'uids.authentication.k8s.io "7" is forbidden'),
        (
            [rule("impersonate", "users"), rule("impersonate", "userextras/scopes", "authentication.k8s.io", "a")],
            {"User": "joe", "Extra_scopes": "a\nb"},
            'userextras.authentication.k8s.io "b" is forbidden: User "jane" cannot impersonate resource "userextras/scopes"',
        ),
        (
            [rule("impersonate", "users"), rule("impersonate", "userextras/scopes", "authentication.k8s.io", "a")],
            {"User": "joe", "Extra_scopes": "a"},
            "",
        ),
    ],
)
async def test_what_it_takes(rules: list[dict[str, Any]], headers: dict[str, str], refused: str) -> None:
    async with cluster() as made:
        await made.role("r", *rules)
        await made.bind("r", "User:jane")
        status, answer = await ask(made, JANE, **headers)
        assert status == (403 if refused else 201), answer
        assert not refused or answer["message"].startswith(refused)


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
