"""RBAC: who may do what, role by request; and the index against rules applied one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES, PODS
from kctl.apimachinery.status import Forbidden
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.attributes import Attributes
from tests.kctl.kube_apiserver.authorization.cluster import JANE, Cluster, cluster, rule

READ_PODS = rule("get list", "pods")
CASES: list[tuple[str, dict[str, Any], tuple[str, str, str, str, str, str], bool]] = [
    # rule; verb, group, resource, subresource, namespace, name; allowed
    ("verb", READ_PODS, ("get", "", "pods", "", "a", "x"), True),
    ("other verb", READ_PODS, ("watch", "", "pods", "", "a", "x"), False),
    ("any verb", rule("*", "pods"), ("anything", "", "pods", "", "a", ""), True),
    ("subresource is another resource", READ_PODS, ("get", "", "pods", "log", "a", "x"), False),
    ("subresource", rule("get", "pods/log"), ("get", "", "pods", "log", "a", "x"), True),
    ("not the parent", rule("get", "pods/log"), ("get", "", "pods", "", "a", "x"), False),
    ("subresource of all", rule("get", "*/scale", "apps"), ("get", "apps", "deployments", "scale", "a", "x"), True),
    ("not all of that resource", rule("get", "*/scale", "apps"), ("get", "apps", "deployments", "", "a", "x"), False),
    ("all resources have all subresources", rule("get", "*"), ("get", "", "pods", "log", "a", "x"), True),
    ("group", rule("get", "deployments", "apps"), ("get", "", "deployments", "", "a", "x"), False),
    ("any group", rule("get", "deployments", "*"), ("get", "extensions", "deployments", "", "a", "x"), True),
    ("name", rule("get", "pods", names="x y"), ("get", "", "pods", "", "a", "y"), True),
    ("other name", rule("get", "pods", names="x y"), ("get", "", "pods", "", "a", "z"), False),
    ("no name", rule("list", "pods", names="x y"), ("list", "", "pods", "", "a", ""), False),
    ("case counts", rule("get", "Pods"), ("get", "", "pods", "", "a", "x"), False),
]


@pytest.mark.parametrize(("given", "asked", "allowed"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_what_a_rule_allows(given: dict[str, Any], asked: tuple[str, str, str, str, str, str], allowed: bool) -> None:
    verb, group, resource, subresource, namespace, name = asked
    async with cluster(bootstrap=False) as made:
        await made.role("r", given)
        await made.bind("r", "User:jane")
        verdict = made.server.authorization.authorize(Attributes(JANE, verb, group, "v1", resource, subresource, namespace, name))
        assert verdict.allowed is allowed


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/metrics", "/metrics", True),
        ("/metrics", "/metrics/slis", False),
        ("/metrics/*", "/metrics/slis", True),
        ("/metrics/*", "/metrics", False),
        ("/met*", "/metrics", True),
        ("*", "/anything", True),
    ],
)
async def test_which_paths_a_rule_allows(pattern: str, path: str, allowed: bool) -> None:
    async with cluster(bootstrap=False) as made:
        await made.role("r", {"verbs": ["get"], "nonResourceURLs": [pattern]})
        await made.bind("r", "Group:dev")
        assert made.server.authorization.authorize(Attributes(JANE, "get", path=path)).allowed is allowed


@pytest.mark.parametrize(
    ("subject", "who", "allowed"),
    [
        ("User:jane", JANE, True),
        ("User:dev", JANE, False),
        ("Group:dev", JANE, True),
        ("Group:jane", JANE, False),
        ("ServiceAccount:a/bot", User("system:serviceaccount:a:bot"), True),
        ("ServiceAccount:b/bot", User("system:serviceaccount:a:bot"), False),
        ("Group:system:serviceaccounts:a", User("system:serviceaccount:a:bot", ("system:serviceaccounts:a",)), True),
    ],
)
async def test_whom_a_binding_concerns(subject: str, who: User, allowed: bool) -> None:
    async with cluster(bootstrap=False) as made:
        await made.role("r", READ_PODS)
        await made.bind("r", subject)
        assert made.server.authorization.authorize(Attributes(who, "get", "", "v1", "pods", "", "a", "x")).allowed is allowed


async def test_a_role_binding_gives_a_cluster_role_in_its_namespace_only() -> None:
    async with cluster() as made:
        await made.admin.create(NAMESPACES, {"metadata": {"name": "a"}})
        await made.role("r", READ_PODS)
        await made.bind("r", "User:jane", namespace="a")
        jane = made.as_user(JANE)
        assert (await jane.list(PODS, "a"))["items"] == []
        for namespace, where in (("default", 'in the namespace "default"'), ("", "at the cluster scope")):
            with pytest.raises(Forbidden) as refused:
                await jane.list(PODS, namespace)
            assert refused.value.message == (f'pods is forbidden: User "jane" cannot list resource "pods" in API group "" {where}')
            assert refused.value.details == {"kind": "pods"}


async def test_a_change_is_in_force_at_once_in_both_directions() -> None:
    """What was decided before is forgotten with every change of a role or binding."""
    async with cluster() as made:
        jane = made.as_user(JANE)
        for _ in range(2):
            with pytest.raises(Forbidden):
                await jane.list(PODS, "default")
            await made.role("r", READ_PODS)
            await made.bind("r", "User:jane")
            await jane.list(PODS, "default")
            await jane.list(PODS, "default")
            role = await made.admin.get(CLUSTER_ROLES, "r")
            await made.admin.update(CLUSTER_ROLES, {**role, "rules": [rule("get", "pods")]})
            with pytest.raises(Forbidden):
                await jane.list(PODS, "default")
            await made.admin.delete(CLUSTER_ROLES, "r")
            with pytest.raises(Forbidden) as refused:
                await jane.list(PODS, "default")
            assert refused.value.message.endswith('RBAC: clusterrole.rbac.authorization.k8s.io "r" not found')
            await made.admin.delete(CLUSTER_ROLE_BINDINGS, "r")


async def test_a_namespace_is_in_itself() -> None:
    async with cluster() as made:
        await made.bind("view", "User:jane", namespace="default")
        await made.role("reads", rule("get", "namespaces"))
        await made.bind("reads", "User:jane", namespace="default")
        assert (await made.as_user(JANE).get(NAMESPACES, "default"))["kind"] == "Namespace"
        with pytest.raises(Forbidden, match='cannot get resource "namespaces" in API group "" in the namespace "kube-system"'):
            await made.as_user(JANE).get(NAMESPACES, "kube-system")


async def test_a_list_of_one_name_is_a_request_for_it() -> None:
    async with cluster() as made:
        await made.role("r", rule("list", "configmaps", names="a"), namespace="default")
        await made.bind("r", "User:jane", namespace="default", kind="Role")
        jane = made.as_user(JANE)
        assert (await jane.list(CONFIG_MAPS, "default", field_selector="metadata.name=a"))["items"] == []
        for selector in ("metadata.name=b", "metadata.name!=a", ""):
            with pytest.raises(Forbidden):
                await jane.list(CONFIG_MAPS, "default", field_selector=selector)


# ---- the index against a reference

_NAMES = st.sampled_from(["jane", "joe", "dev"])
_VERBS = st.lists(st.sampled_from(["get", "list", "*"]), min_size=1, max_size=2)
_RULES = st.fixed_dictionaries(
    {
        "verbs": _VERBS,
        "apiGroups": st.lists(st.sampled_from(["", "apps", "*"]), min_size=1, max_size=2),
        "resources": st.lists(st.sampled_from(["pods", "pods/log", "*/log", "*"]), min_size=1, max_size=2),
    },
    optional={"resourceNames": st.lists(st.sampled_from(["x", "y"]), max_size=1)},
)
_SUBJECTS = st.lists(st.builds(lambda kind, name: f"{kind}:{name}", st.sampled_from(["User", "Group"]), _NAMES), max_size=2)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("role"), st.sampled_from(["r", "s"]), st.lists(_RULES, max_size=2)),
        st.tuples(st.just("bind"), st.sampled_from(["r", "s"]), st.sampled_from(["", "default"]), _SUBJECTS),
        st.tuples(st.just("unbind"), st.sampled_from(["r", "s"]), st.sampled_from(["", "default"])),
        st.tuples(st.just("drop"), st.sampled_from(["r", "s"])),
    ),
    max_size=8,
)
_ASKED = [
    (User(name, groups), verb, group, subresource, namespace, object_name)
    for name, groups in (("jane", ("dev",)), ("joe", ()))
    for verb in ("get", "list")
    for group in ("", "apps")
    for subresource in ("", "log")
    for namespace in ("", "default")
    for object_name in ("", "x")
]


def reference(roles: dict[str, list[Any]], bindings: dict[tuple[str, str], list[str]], asked: tuple[Any, ...]) -> bool:
    """Every binding, every rule, as the documentation says it."""
    who, verb, group, subresource, namespace, name = asked
    resource = f"pods/{subresource}" if subresource else "pods"
    for (role, where), subjects in bindings.items():
        if where not in ("", namespace) or not any(text in (f"User:{who.name}", *(f"Group:{g}" for g in who.groups)) for text in subjects):
            continue
        for known in roles.get(role, ()):
            resources = known["resources"]
            if (
                {verb, "*"} & set(known["verbs"])
                and {group, "*"} & set(known["apiGroups"])
                and ("*" in resources or resource in resources or (subresource and f"*/{subresource}" in resources))
                and (not known.get("resourceNames") or name in known["resourceNames"])
            ):
                return True
    return False


async def _play(made: Cluster, step: tuple[Any, ...], roles: dict[str, list[Any]], bindings: dict[tuple[str, str], list[str]]) -> None:
    kind, role, *rest = step
    if kind == "role":
        roles[role] = rest[0]
        obj = {"metadata": {"name": role}, "rules": rest[0]}
        await made.admin.update(CLUSTER_ROLES, obj)
    elif kind == "drop" and roles.pop(role, None) is not None:
        await made.admin.delete(CLUSTER_ROLES, role)
    elif kind == "bind" and (role, rest[0]) not in bindings:
        bindings[role, rest[0]] = rest[1]
        await made.bind(role, *rest[1], namespace=rest[0])
    elif kind == "unbind" and bindings.pop((role, rest[0]), None) is not None:
        await made.admin.delete(ROLE_BINDINGS if rest[0] else CLUSTER_ROLE_BINDINGS, role, rest[0])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_STEPS)
def test_decisions_are_those_of_the_rules_one_by_one(steps: list[tuple[Any, ...]]) -> None:
    """After every change, and through what is remembered of decisions before it."""

    async def run() -> None:
        roles: dict[str, list[Any]] = {}
        bindings: dict[tuple[str, str], list[str]] = {}
        async with cluster(bootstrap=False) as made:
            await made.admin.create(NAMESPACES, {"metadata": {"name": "default"}})
            authorization = made.server.authorization
            for step in steps:
                await _play(made, step, roles, bindings)
                for asked in _ASKED:
                    who, verb, group, subresource, namespace, name = asked
                    wanted = reference(roles, bindings, asked)
                    found = authorization.allows(Attributes(who, verb, group, "v1", "pods", subresource, namespace, name))
                    assert found is wanted, (step, asked)
                    key = (who.name, who.groups, verb, group, "pods", subresource, namespace)
                    if key in authorization.permitted or authorization.permits(who, verb, group, "pods", subresource, namespace):
                        assert wanted, (step, asked)

    asyncio.run(run())
