"""Nobody gives what they do not have, unless they may `escalate` or `bind`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, GROUP, ROLE_BINDINGS, ROLES
from kctl.apimachinery.status import Forbidden, NotFound
from tests.kctl.kube_apiserver.authorization.cluster import JANE, Cluster, cluster, rule, subject

EDITOR = rule("get create update patch delete", "roles rolebindings clusterroles clusterrolebindings", GROUP)


@pytest.fixture
async def made() -> AsyncIterator[Cluster]:
    """jane may write roles and bindings everywhere, and read pods and the ConfigMap a."""
    async with cluster() as made:
        await made.role("editor", EDITOR, rule("get list", "pods"), rule("get", "configmaps", names="a"))
        await made.bind("editor", "User:jane")
        yield made


def binding(role: str, kind: str = "ClusterRole") -> dict[str, Any]:
    return {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": [subject("User:joe")],
    }


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([rule("get", "pods")], ""),
        ([rule("list get", "pods", names="x")], ""),
        ([rule("get", "configmaps", names="a")], ""),
        ([rule("get", "configmaps")], '{APIGroups:[""], Resources:["configmaps"], Verbs:["get"]}'),
        ([rule("get", "configmaps", names="a b")], '{APIGroups:[""], Resources:["configmaps"], ResourceNames:["b"], Verbs:["get"]}'),
        ([rule("get", "pods/log")], '{APIGroups:[""], Resources:["pods/log"], Verbs:["get"]}'),
        ([rule("*", "pods")], '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}'),
        (
            [rule("watch delete get", "pods nodes")],
            '{APIGroups:[""], Resources:["nodes"], Verbs:["watch" "delete" "get"]}\n'
            '{APIGroups:[""], Resources:["pods"], Verbs:["watch" "delete"]}',
        ),
    ],
)
async def test_a_role_holds_no_more_than_its_author(made: Cluster, rules: list[dict[str, Any]], missing: str) -> None:
    jane, role = made.as_user(JANE), {"metadata": {"name": "r"}, "rules": rules}
    if not missing:
        assert await jane.create(ROLES, role, "default")
        return
    with pytest.raises(Forbidden) as refused:
        await jane.create(ROLES, role, "default")
    assert refused.value.message == (
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "jane" (groups=["dev" "system:authenticated"]) '
        f"is attempting to grant RBAC permissions not currently held:\n{missing}"
    )
    assert refused.value.details == {"name": "r", "group": GROUP, "kind": "roles"}


async def test_an_update_is_checked_as_a_whole_but_the_collectors_changes_are_not(made: Cluster) -> None:
    jane = made.as_user(JANE)
    role = await made.role("r", rule("get", "secrets"), namespace="default")
    with pytest.raises(Forbidden):
        await jane.update(ROLES, objects.with_metadata(role, labels={"a": "b"}))
    assert await jane.update(ROLES, objects.with_metadata(role, finalizers=["x.io/y"]))


async def test_escalate_and_bind_are_permissions_of_their_own(made: Cluster) -> None:
    jane = made.as_user(JANE)
    with pytest.raises(Forbidden):
        await jane.create(ROLE_BINDINGS, binding("cluster-admin"), "default")
    await made.role("binds", rule("bind", "clusterroles", GROUP, "cluster-admin"))
    await made.bind("binds", "User:jane", namespace="default")
    assert await jane.create(ROLE_BINDINGS, binding("cluster-admin"), "default")
    for resource, role, space in ((CLUSTER_ROLE_BINDINGS, "cluster-admin", ""), (ROLE_BINDINGS, "system:aggregate-to-view", "default")):
        with pytest.raises(Forbidden):
            await jane.create(resource, {**binding(role), "metadata": {"name": "other"}}, space)
    await made.role("escalates", rule("escalate", "roles", GROUP))
    await made.bind("escalates", "User:jane", namespace="default")
    assert await jane.create(ROLES, {"metadata": {"name": "any"}, "rules": [rule("*", "*")]}, "default")
    with pytest.raises(Forbidden):
        await jane.create(CLUSTER_ROLES, {"metadata": {"name": "any"}, "rules": [rule("*", "*")]})


async def test_a_binding_to_a_role_that_is_not_there(made: Cluster) -> None:
    with pytest.raises(NotFound) as missing:
        await made.as_user(JANE).create(ROLE_BINDINGS, binding("nope", "Role"), "default")
    assert missing.value.message == 'rolebindings.rbac.authorization.k8s.io "nope" not found'
    assert await made.admin.create(ROLE_BINDINGS, binding("nope", "Role"), "default")


async def test_gathering_rules_takes_all_of_them(made: Cluster) -> None:
    """An aggregated role gets what others put into theirs later."""
    role = {"metadata": {"name": "r"}, "rules": [], "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}}
    with pytest.raises(Forbidden, match="must have cluster-admin privileges to use an aggregationRule"):
        await made.as_user(JANE).create(CLUSTER_ROLES, role)
    await made.bind("cluster-admin", "User:jane", name="root")
    assert await made.as_user(JANE).create(CLUSTER_ROLES, role)


async def test_rules_of_endless_product_are_refused_soon(made: Cluster) -> None:
    many = [f"r{number}" for number in range(2000)]
    huge = {"verbs": many, "apiGroups": many, "resources": many, "resourceNames": many}
    with pytest.raises(Forbidden, match="too many to be compared"):
        await made.as_user(JANE).create(ROLES, {"metadata": {"name": "r"}, "rules": [huge]}, "default")
