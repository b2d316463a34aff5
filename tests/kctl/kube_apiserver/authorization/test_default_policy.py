"""The default roles: in force from the first moment, stored soon after, mended at each start, and never against their owner's will."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, GROUP, ROLE_BINDINGS, ROLES
from kctl.apimachinery.resources import NAMESPACES, NODES, PODS, SECRETS
from kctl.apimachinery.status import Forbidden
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User, component
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.rbac.default_policy import default_roles
from store.memory import MemoryStore
from tests.kctl.kube_apiserver.authorization.cluster import Cluster, cluster, rule

SCHEDULER = component("kube-scheduler")


async def test_they_are_in_force_before_they_are_stored_and_listed_by_whoever_asks() -> None:
    async with cluster() as made:
        assert GROUP in made.server.authorization.unsettled
        assert (await made.as_user(SCHEDULER).list(PODS))["items"] == []
        with pytest.raises(Forbidden, match='User "system:kube-scheduler" cannot list resource "secrets"'):
            await made.as_user(SCHEDULER).list(SECRETS)
        assert not made.server.storage.cache_of(CLUSTER_ROLES).entries
        names = {objects.name(role) for role in (await made.admin.list(CLUSTER_ROLES))["items"]}
        assert names == {name for namespace, name in default_roles() if not namespace}
        assert GROUP not in made.server.authorization.unsettled
        assert (await made.as_user(SCHEDULER).list(PODS))["items"] == []


async def test_every_role_and_binding_is_valid_and_refers_to_what_is_there() -> None:
    async with cluster() as made:
        roles = {("ClusterRole", objects.name(role)) for role in (await made.admin.list(CLUSTER_ROLES))["items"]}
        roles |= {(f"Role in {objects.namespace(role)}", objects.name(role)) for role in (await made.admin.list(ROLES))["items"]}
        for resource in (CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS):
            for binding in (await made.admin.list(resource))["items"]:
                kind = binding["roleRef"]["kind"]
                assert (kind if kind == "ClusterRole" else f"Role in {objects.namespace(binding)}", binding["roleRef"]["name"]) in roles
        assert len(roles) == len(default_roles())
        for role in default_roles().values():
            for known in role.rules():
                assert all(values == sorted(set(values)) for values in known.values()), (role.name, known)


@pytest.mark.parametrize(
    ("who", "verb", "path", "allowed"),
    [
        (User("system:anonymous", ("system:unauthenticated",)), "get", "/healthz", True),
        (User("system:anonymous", ("system:unauthenticated",)), "get", "/version", True),
        (User("system:anonymous", ("system:unauthenticated",)), "get", "/healthz/etcd", False),
        (User("system:anonymous", ("system:unauthenticated",)), "get", "/api", False),
        (User("jane", (SYSTEM_AUTHENTICATED,)), "get", "/apis/apps/v1", True),
        (User("jane", (SYSTEM_AUTHENTICATED,)), "post", "/api", False),
        (User("jane", (SYSTEM_AUTHENTICATED,)), "get", "/metrics", False),
        (User("prometheus", ("system:monitoring",)), "get", "/metrics", True),
        (User("system:serviceaccount:a:b", ("system:serviceaccounts",)), "get", "/openid/v1/jwks", True),
        (User("root", ("system:masters",)), "delete", "/anything", True),
    ],
)
async def test_who_may_see_which_paths(who: User, verb: str, path: str, allowed: bool) -> None:
    async with cluster() as made:
        assert made.server.authorization.authorize(Attributes(who, verb, path=path)).allowed is allowed


async def _restarted(store: MemoryStore) -> None:
    """The roles are looked through."""
    async with cluster(store) as made:
        await made.admin.list(CLUSTER_ROLES)


async def test_what_was_taken_away_comes_back_and_what_was_added_stays() -> None:
    store = MemoryStore()
    await store.start()
    async with cluster(store) as made:
        role = await made.admin.get(CLUSTER_ROLES, "system:heapster")
        await made.admin.update(CLUSTER_ROLES, {**role, "rules": [rule("create", "events"), rule("get list watch", "pods nodes")]})
        binding = await made.admin.get(CLUSTER_ROLE_BINDINGS, "system:basic-user")
        more = [*binding["subjects"], {"kind": "User", "name": "jane"}]
        await made.admin.update(CLUSTER_ROLE_BINDINGS, {**binding, "subjects": more[1:]})
        await made.admin.delete(CLUSTER_ROLES, "system:discovery")
    await _restarted(store)
    async with cluster(store) as made:
        found = await made.admin.get(CLUSTER_ROLES, "system:heapster")
        assert found["rules"][:2] == [rule("create", "events"), rule("get list watch", "pods nodes")]
        added = [(known["resources"], known["verbs"], known["apiGroups"]) for known in found["rules"][2:]]
        assert (["namespaces"], ["get"], [""]) in added and (["deployments"], ["watch"], ["extensions"]) in added
        assert (["pods"], ["get"], [""]) not in added
        subjects = (await made.admin.get(CLUSTER_ROLE_BINDINGS, "system:basic-user"))["subjects"]
        assert [entry["name"] for entry in subjects] == ["jane", "system:authenticated"]
        assert await made.admin.get(CLUSTER_ROLES, "system:discovery")
        before = made.server.storage.revision
    await _restarted(store)
    async with cluster(store) as made:
        assert made.server.storage.revision == before


async def test_an_owner_who_says_so_is_let_alone() -> None:
    store = MemoryStore()
    await store.start()
    async with cluster(store) as made:
        role = await made.admin.get(CLUSTER_ROLES, "system:heapster")
        kept = objects.with_metadata({**role, "rules": []}, annotations={"rbac.authorization.kubernetes.io/autoupdate": "false"})
        await made.admin.update(CLUSTER_ROLES, kept)
    await _restarted(store)
    async with cluster(store) as made:
        assert not (await made.admin.get(CLUSTER_ROLES, "system:heapster")).get("rules")


async def test_a_role_that_was_deleted_gives_nothing_although_it_is_a_default_one() -> None:
    async with cluster() as made:
        await made.as_user(SCHEDULER).list(NODES)
        await made.admin.delete(CLUSTER_ROLES, "system:kube-scheduler")
        with pytest.raises(Forbidden, match='"system:kube-scheduler" not found'):
            await made.as_user(SCHEDULER).list(NODES)


async def test_without_rbac_there_are_none() -> None:
    async with cluster(authorization_modes=("AlwaysAllow",)) as made:
        assert (await made.admin.list(CLUSTER_ROLES))["items"] == []
        assert await _lists(made, User("nobody"))
    async with cluster(authorization_modes=("AlwaysDeny",)) as made:
        assert not await _lists(made, User("nobody"))
        assert await _lists(made, User("root", ("system:masters",)))
    with pytest.raises(ValueError, match='"Webhook" is not a valid mode'):
        async with cluster(authorization_modes=("Webhook",)):
            pass


async def _lists(made: Cluster, who: User) -> bool:
    try:
        await made.as_user(who).list(NAMESPACES)
    except Forbidden:
        return False
    return True
