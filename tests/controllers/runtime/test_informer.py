"""Informers: fill, follow, resume, relist, indexes, reading one's own writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from controllers.runtime.informer import Change, Informer, InformerFactory
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, PODS
from kctl.client.client import Client
from kctl.client.transport import WatchEvent
from tests.controllers.fake_api import FakeApi, turns


def pod(name: str, node: str = "", uid: str = "u") -> Object:
    meta = {"name": name, "namespace": "default", "uid": uid}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": node}}


async def started(api: FakeApi) -> Informer:
    factory = InformerFactory(Client(api), VirtualClock())
    informer = factory.informer(PODS)
    assert factory.informer(PODS) is informer
    await factory.start()
    return informer


@pytest.mark.parametrize("initial_events", [True, False], ids=["watch-list", "list-then-watch"])
async def test_fills_and_follows(initial_events: bool) -> None:
    api = FakeApi(initial_events=initial_events)
    api.put(PODS, pod("a"))
    informer = await started(api)
    assert informer.synced
    assert [objects.name(obj) for obj in informer.list()] == ["a"]
    api.put(PODS, pod("b"))
    api.put(CONFIG_MAPS, {"metadata": {"name": "x", "namespace": "default"}})
    api.remove(PODS, "default/a")
    await turns()
    assert [objects.name(obj) for obj in informer.list("default")] == ["b"]
    assert list(informer.list("other")) == []
    await informer.stop()


async def test_handlers_get_batches_of_changes_and_the_present_state_first() -> None:
    api = FakeApi()
    api.put(PODS, pod("a"))
    api.put(PODS, pod("b"))
    informer = await started(api)
    batches: list[list[Change]] = []
    informer.add_handler(lambda changes: batches.append(list(changes)))
    assert [change.old for change in batches[0]] == [None, None]
    api.put(PODS, pod("a", node="n"), "MODIFIED")
    await turns()
    [change] = batches[1]
    assert change.old is not None and change.new is not None
    assert (change.old["spec"]["nodeName"], change.new["spec"]["nodeName"]) == ("", "n")
    api.remove(PODS, "default/a")
    await turns()
    [change] = batches[2]
    assert change.new is None and change.old is not None
    await informer.stop()


async def test_one_failing_handler_does_not_keep_others_from_hearing() -> None:
    api = FakeApi()
    informer = await started(api)
    heard: list[Change] = []
    informer.add_handler(lambda changes: 1 / 0)  # type: ignore[arg-type,return-value]
    informer.add_handler(heard.extend)
    api.put(PODS, pod("a"))
    await turns()
    assert len(heard) == 1
    await informer.stop()


async def test_resumes_where_the_watch_ended() -> None:
    api = FakeApi()
    informer = await started(api)
    api.put(PODS, pod("a"))
    await turns()
    api.close_watches()
    api.put(PODS, pod("b"))
    await turns()
    assert {objects.name(obj) for obj in informer.list()} == {"a", "b"}
    watches = [request for request in api.requests if request.verb == "watch"]
    assert watches[-1].query["resourceVersion"] != ""
    assert "sendInitialEvents" not in watches[-1].query
    await informer.stop()


async def test_a_server_that_ends_every_watch_at_once_is_not_asked_without_pause() -> None:
    """As one that stops: without a pause nothing else would get a turn any more."""
    api = FakeApi()
    informer = await started(api)

    async def ended(request: object) -> AsyncIterator[Sequence[WatchEvent]]:
        return
        yield []

    api._watch = ended  # type: ignore[method-assign]
    before = len(api.requests)
    api.close_watches()
    await turns(100)
    assert len(api.requests) - before <= 2
    await informer.stop()


async def test_relists_when_its_revision_is_compacted_and_notices_what_vanished() -> None:
    api = FakeApi()
    api.put(PODS, pod("a"))
    api.put(PODS, pod("b"))
    informer = await started(api)
    changes: list[Change] = []
    informer.add_handler(changes.extend)
    changes.clear()
    for queue in list(api.watchers):
        api.watchers.discard(queue)
        queue.put_nowait(None)
    api.remove(PODS, "default/a")
    api.put(PODS, pod("c"))
    api.expire()
    await turns(40)
    assert {objects.name(obj) for obj in informer.list()} == {"b", "c"}
    assert [(change.old is None, change.new is None) for change in changes] == [(False, True), (True, False)]
    await informer.stop()


async def test_indexes_follow_changes() -> None:
    api = FakeApi()
    api.put(PODS, pod("a", node="n1"))
    informer = await started(api)
    informer.add_index("node", lambda obj: (obj["spec"]["nodeName"],))
    api.put(PODS, pod("b", node="n1"))
    await turns()
    assert len(informer.by_index("node", "n1")) == 2
    api.put(PODS, pod("a", node="n2"), "MODIFIED")
    await turns()
    assert [objects.name(obj) for obj in informer.by_index("node", "n1")] == ["b"]
    assert [objects.name(obj) for obj in informer.by_index("node", "n2")] == ["a"]
    api.remove(PODS, "default/b")
    await turns()
    assert list(informer.by_index("node", "n1")) == []
    assert list(informer.index_values("node")) == ["n2"]
    await informer.stop()


async def test_own_writes_are_read_at_once_and_reported_once() -> None:
    api = FakeApi()
    informer = await started(api)
    heard: list[Change] = []
    informer.add_handler(heard.extend)
    informer.observe([api.put(PODS, pod("a"))])
    assert informer.get("default/a") is not None
    await turns()
    assert len(heard) == 1
    old = api.items[PODS, "default/a"]
    newer = api.put(PODS, pod("a", node="n"), "MODIFIED")
    await turns()
    informer.observe([old])  # late: the watch knows better
    assert informer.get("default/a") is newer
    informer.observe_deleted("default/a", "another uid")
    assert informer.get("default/a") is newer
    informer.observe_deleted("default/a", "u")
    assert informer.get("default/a") is None
    await informer.stop()


async def test_an_object_replaced_under_its_name_is_two_changes() -> None:
    api = FakeApi()
    api.put(PODS, pod("a", uid="first"))
    informer = await started(api)
    heard: list[Change] = []
    informer.add_handler(heard.extend)
    heard.clear()
    informer.observe([api.put(PODS, pod("a", uid="second"))])
    await turns()
    assert [(objects.uid(change.old or {}), objects.uid(change.new or {})) for change in heard] == [
        ("first", ""),
        ("", "second"),
    ]
    await informer.stop()


async def test_what_was_written_while_a_list_was_on_its_way_is_not_gone() -> None:
    """Who made a pod while everything was listed anew has seen it, and must not make it again because an older list lacks it."""
    api = FakeApi()
    api.put(PODS, pod("old"))
    api.put(PODS, pod("lost"))
    informer = await started(api)
    listed = [obj for obj in informer.list() if objects.name(obj) == "old"]
    revision = max(int(obj["metadata"]["resourceVersion"]) for obj in informer.list())
    mine = pod("mine", uid="m")
    mine["metadata"]["resourceVersion"] = str(revision + 5)
    informer.observe([mine])
    informer._replace(listed, revision)
    assert sorted(objects.name(obj) for obj in informer.list()) == ["mine", "old"]
    informer._replace(listed, revision + 6)
    assert [objects.name(obj) for obj in informer.list()] == ["old"]
    await informer.stop()
