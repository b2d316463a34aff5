"""What declared sources make of batches of changes: which keys, each once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from controllers.runtime import sources
from controllers.runtime.controller import Controller
from controllers.runtime.informer import Change, InformerFactory
from controllers.runtime.sources import Follows, For, Owns, OwnStatus, Source, Watches
from kctl.apimachinery import objects
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, REPLICA_SETS
from kctl.client.client import Client

from ..fake_api import FakeApi, turns


def replica_set(name: str, owner: str = "", *, kind: str = "Deployment", api: str = "apps/v1", revision: int = 1) -> Object:
    meta: Object = {"name": name, "namespace": "n", "uid": name, "resourceVersion": str(revision)}
    if owner:
        meta["ownerReferences"] = [{"apiVersion": api, "kind": kind, "name": owner, "uid": owner, "controller": True}]
    return {"metadata": meta, "spec": {}}


class Wakes:
    """The keys a source gives for batches shown to the informer of its resource."""

    def __init__(self, source: Source) -> None:
        clock = FakeClock()
        self.informers = InformerFactory(Client(FakeApi()), clock)
        self.informer = self.informers.informer(source.resource)
        self.keys: list[str] = []
        source.attach(self.informers, self.keys.append)

    def by(self, *changes: Change) -> list[str]:
        self.keys.clear()
        self.informer._deliver(changes)
        return list(self.keys)


def test_an_object_wakes_its_own_key_once_in_a_batch() -> None:
    wakes = Wakes(For(REPLICA_SETS))
    first, second = replica_set("a"), replica_set("b")
    assert wakes.by(Change(None, first), Change(first, first), Change(None, second)) == ["n/a", "n/b"]


def test_owned_objects_wake_their_owner_before_and_after() -> None:
    wakes = Wakes(Owns(REPLICA_SETS, by=DEPLOYMENTS))
    assert wakes.by(Change(None, replica_set("a", "web")), Change(None, replica_set("b", "web"))) == ["n/web"]
    assert wakes.by(Change(replica_set("a", "web"), replica_set("a", "api"))) == ["n/web", "n/api"]
    assert wakes.by(Change(replica_set("a", "web"), None)) == ["n/web"]
    assert wakes.by(Change(None, replica_set("a"))) == []


@pytest.mark.parametrize(("kind", "api"), [("StatefulSet", "apps/v1"), ("Deployment", "example.com/v1")])
def test_owners_of_another_kind_or_group_are_not_meant(kind: str, api: str) -> None:
    assert Wakes(Owns(REPLICA_SETS, by=DEPLOYMENTS)).by(Change(None, replica_set("a", "web", kind=kind, api=api))) == []


def test_orphans_wake_who_may_adopt_them() -> None:
    wakes = Wakes(Owns(REPLICA_SETS, by=DEPLOYMENTS, orphans=lambda obj: ["n/candidate"]))
    assert wakes.by(Change(None, replica_set("a"))) == ["n/candidate"]
    assert wakes.by(Change(None, replica_set("a", "web"))) == ["n/web"]
    assert wakes.by(Change(replica_set("a"), None)) == []


def test_predicates_choose_among_changes() -> None:
    old, new = replica_set("a"), replica_set("a")
    cases = [
        (sources.created, [True, False, False]),
        (sources.exists, [True, True, False]),
        (sources.deleted, [False, False, True]),
        (sources.created_or_deleted, [True, False, True]),
        (sources.changed_or_deleted, [False, True, True]),
        (sources.not_own_status, [True, False, True]),
        (sources.named("a"), [True, True, True]),
        (sources.named("b"), [False, False, False]),
    ]
    for when, expected in cases:
        wakes = Wakes(For(REPLICA_SETS, when=when))
        found = [bool(wakes.by(change)) for change in (Change(None, new), Change(old, new), Change(old, None))]
        assert found == expected, when


def test_own_status_is_told_from_spec_labels_and_deletion() -> None:
    old = replica_set("a")
    assert not sources.not_own_status(old, objects.with_status(old, replicas=1))
    assert sources.not_own_status(old, objects.replace(old, spec={"replicas": 1}))
    assert sources.not_own_status(old, objects.with_metadata(old, labels={"a": "b"}))
    assert sources.not_own_status(old, objects.with_metadata(old, deletionTimestamp="2026-01-01T00:00:00Z"))


def test_a_mapping_is_asked_for_both_sides_and_each_key_comes_once() -> None:
    wakes = Wakes(Watches(CONFIG_MAPS, to=lambda obj: [objects.labels(obj)["for"], "all"]))
    one = {"metadata": {"name": "c", "labels": {"for": "x"}}}
    other = {"metadata": {"name": "c", "labels": {"for": "y"}}}
    assert wakes.by(Change(one, other), Change(None, one)) == ["x", "all", "y"]


def test_followers_get_the_batch_as_a_whole() -> None:
    seen: list[int] = []

    def count(changes: Sequence[Change]) -> list[str]:
        seen.append(len(changes))
        return ["k"]

    wakes = Wakes(Follows(NAMESPACES, count))
    space = {"metadata": {"name": "n"}}
    assert wakes.by(Change(None, space), Change(space, space)) == ["k"]
    assert seen == [2]


async def test_a_thousand_changes_of_one_batch_are_one_reconcile() -> None:
    class Counting:
        calls = 0

        async def reconcile(self, key: str) -> None:
            self.calls += 1

    counting = Counting()
    loop = Controller("c", counting, FakeClock())
    informers = InformerFactory(Client(FakeApi()), FakeClock())
    Owns(REPLICA_SETS, by=DEPLOYMENTS).attach(informers, loop.enqueue)
    loop.start()
    informers.informer(REPLICA_SETS)._deliver([Change(None, replica_set(f"rs-{n}", "web")) for n in range(1000)])
    await turns()
    assert counting.calls == 1
    await loop.stop()


def test_own_writes_of_a_status_wake_nobody_and_those_of_others_do() -> None:
    own = OwnStatus()
    before = {**replica_set("rs"), "status": {"replicas": 1}}
    written = own.in_place(before, {"replicas": 2})
    assert not own.not_mine(before, written)
    foreign = objects.replace(written, status={"replicas": 3})
    assert own.not_mine(written, foreign)
    assert not own.not_mine(foreign, own.in_place(foreign, {"replicas": 2}))
    assert not own.not_mine(foreign, objects.with_metadata(foreign, managedFields=[]))
    assert own.not_mine(None, foreign) and own.not_mine(written, objects.replace(written, spec={"replicas": 5}))
    assert own.not_mine(written, None) and own.not_mine(before, written)
