"""Two API servers on one real etcd: whatever one has answered holds with the other at once, as it does with two of Kubernetes' own."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, NAMESPACES, SERVICES, built_in
from kctl.apimachinery.status import Conflict, NotFound
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE
from kctl.daemon.control_plane import ControlPlane
from kctl.kube_apiserver.etcd_layout import KubernetesLayout
from store.etcd_cluster.address import Address
from store.etcd_cluster.store import EtcdClusterStore
from tests.contract.etcd_server import PATIENCE, shared_member
from tests.linearizability.load import History, play
from tests.linearizability.subjects import HttpSubject

pytestmark = pytest.mark.real_time
_SPACES = itertools.count()
ROLES = built_in("rbac.authorization.k8s.io/v1", "Role")
BINDINGS = built_in("rbac.authorization.k8s.io/v1", "RoleBinding")


@pytest.fixture
async def planes() -> AsyncIterator[tuple[ControlPlane, ControlPlane]]:
    space = f"/planes-{next(_SPACES)}"

    def plane(name: str) -> ControlPlane:
        address = Address.parse(f"etcd://{shared_member().address}")
        store = EtcdClusterStore(address, namespace=space, layout=KubernetesLayout(), sharing=name, patience=PATIENCE)
        return ControlPlane(store, RealClock(), components=API_SERVER_ALONE)

    left, right = plane("left"), plane("right")
    await asyncio.gather(left.start(), right.start())  # both make what a new cluster contains
    yield left, right
    await right.stop()
    await left.stop()


def config_map(name: str, **data: str) -> Object:
    return {"metadata": {"name": name}, "data": data}


async def test_reads_and_writes_are_of_one_cluster(planes: tuple[ControlPlane, ControlPlane]) -> None:
    left, right = (plane.client() for plane in planes)
    await left.create(NAMESPACES, {"metadata": {"name": "work"}})
    for number in range(20):
        made = await left.create(CONFIG_MAPS, config_map(f"m{number}", a="1"), "work")
        assert await right.get(CONFIG_MAPS, f"m{number}", "work") == made
        changed = await right.update(CONFIG_MAPS, {**made, "data": {"a": "2"}})
        with pytest.raises(Conflict):
            await left.update(CONFIG_MAPS, {**made, "data": {"a": "3"}})
        assert len((await left.list(CONFIG_MAPS, "work", resource_version=objects.resource_version(changed)))["items"]) == number + 1
    await right.delete(NAMESPACES, "work")
    assert objects.deletion_timestamp(await left.get(NAMESPACES, "work"))


async def test_no_increment_is_lost(planes: tuple[ControlPlane, ControlPlane]) -> None:
    clients = [plane.client() for plane in planes]
    await clients[0].create(CONFIG_MAPS, config_map("count", n="0"), "default")

    async def count(client: Client) -> None:
        done = 0
        while done < 15:
            present = await client.get(CONFIG_MAPS, "count", "default")
            try:
                await client.update(CONFIG_MAPS, {**present, "data": {**present["data"], "n": str(int(present["data"]["n"]) + 1)}})
                done += 1
            except Conflict:
                continue

    async def patch(client: Client, name: str) -> None:
        for turn in range(10):
            await client.patch(CONFIG_MAPS, "count", {"data": {name: str(turn)}}, "default")

    await asyncio.gather(*(count(client) for client in clients), patch(clients[0], "x"), patch(clients[1], "y"))
    assert (await clients[1].get(CONFIG_MAPS, "count", "default"))["data"] == {"n": "30", "x": "9", "y": "9"}


async def _history(planes: tuple[ControlPlane, ControlPlane], seed: int, operations: int) -> History:
    history = History()
    for episode in range(operations // 400):
        await play([HttpSubject(planes[number % 2].client()) for number in range(8)], history, episode, 400, seed)
    return history


async def test_answers_of_both_are_linearizable(planes: tuple[ControlPlane, ControlPlane]) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")
    history = await _history(planes, seed, 1200)
    assert history.problem() == ""
    assert {"create exists", "update conflict", "get missing", "delete done"} <= set(history.counts)


async def test_who_does_not_ask_etcd_is_found_to_read_the_past(
    planes: tuple[ControlPlane, ControlPlane], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hope() -> None:
        return

    for plane in planes:
        monkeypatch.setattr(plane.server.storage._store, "current", hope)
    problems = [(await _history(planes, seed, 800)).problem() for seed in (1, 2)]
    assert any("have no order that explains their answers" in problem for problem in problems)


async def test_a_watch_goes_on_with_the_other_server(planes: tuple[ControlPlane, ControlPlane]) -> None:
    left, right = (plane.client() for plane in planes)
    first = await left.create(CONFIG_MAPS, config_map("a"), "default")
    await left.create(CONFIG_MAPS, config_map("b"), "default")
    events = await right.watch(CONFIG_MAPS, "default", resource_version=objects.resource_version(first))
    told = []
    async with asyncio.timeout(30):
        async for batch in events:
            told += [(event.type, objects.name(event.object)) for event in batch if event.type != "BOOKMARK"]
            if told == [("ADDED", "b")]:
                await left.delete(CONFIG_MAPS, "b", "default")
            if len(told) == 2:
                break
    assert told == [("ADDED", "b"), ("DELETED", "b")]


async def test_a_role_holds_with_the_other_server_at_once(planes: tuple[ControlPlane, ControlPlane]) -> None:
    left = planes[0].client()
    eve = planes[1].client(User("eve", ("system:authenticated",)))
    for number in range(5):
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
        name = f"r{number}"
        await left.create(NAMESPACES, {"metadata": {"name": name}})
        await left.create(ROLES, {"metadata": {"name": name}, "rules": rules}, name)
        binding = {
            "metadata": {"name": name},
            "subjects": [{"kind": "User", "name": "eve", "apiGroup": "rbac.authorization.k8s.io"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        }
        await left.create(BINDINGS, binding, name)
        assert (await eve.list(CONFIG_MAPS, name))["items"] == []


async def test_services_get_addresses_that_no_other_has(planes: tuple[ControlPlane, ControlPlane]) -> None:
    clients = [plane.client() for plane in planes]

    def service(name: str, **spec: object) -> Object:
        return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}

    made = [await clients[number % 2].create(SERVICES, service(f"s{number}", type="NodePort"), "default") for number in range(30)]
    assert len({each["spec"]["clusterIP"] for each in made}) == len({each["spec"]["ports"][0]["nodePort"] for each in made}) == 30
    address = made[0]["spec"]["clusterIP"]
    await clients[0].delete(SERVICES, "s0", "default")
    with pytest.raises(NotFound):
        await clients[1].get(SERVICES, "s0", "default")
    again = await clients[1].create(SERVICES, service("again", clusterIP=address), "default")
    assert again["spec"]["clusterIP"] == address
