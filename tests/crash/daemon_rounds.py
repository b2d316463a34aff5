"""Rounds of SIGKILL against a whole daemon: after a restart everything acknowledged is there, and watches go on where they were.

Clients write through HTTPS while controllers, scheduler and kubelets work on a Deployment in the same process. What a client was told
is compared with what the restarted cluster lists, and with what watches tell that resume from revisions of before the kill: each
later change, deletions too, once and in order, or 410. At the end the Deployment must come to rest with all its pods.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from dataclasses import dataclass, field
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from kctl.apimachinery.status import ApiError
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from tests.crash.daemon_process import Daemon
from tests.crash.figures import Figures

_WRITERS = 8
_RESUMED = 6
"""Watches for each round."""
_PATIENCE_SECONDS = 600


class Change(NamedTuple):
    """As a watch tells it. Of a deletion the revision is not in the answer: 0."""

    type: str
    value: str
    revision: int


@dataclass(slots=True)
class Ledger:
    """What clients were told: the present ConfigMaps, this round's changes by name, and what was sent but not answered."""

    present: dict[str, str] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    under_way: dict[str, Change] = field(default_factory=dict)
    acknowledged: int = 0

    def begin_round(self) -> None:
        self.changes, self.under_way = {}, {}

    def revisions(self) -> list[int]:
        return sorted(change.revision for changes in self.changes.values() for change in changes if change.revision)

    def sent(self, name: str, type_: str, value: str) -> None:
        self.under_way[name] = Change(type_, value, 0)

    def answered(self, name: str, revision: int) -> None:
        change = self.under_way.pop(name)._replace(revision=revision)
        self.changes.setdefault(name, []).append(change)
        self._apply(name, change)
        self.acknowledged += 1

    def _apply(self, name: str, change: Change) -> None:
        if change.type == "DELETED":
            del self.present[name]
        else:
            self.present[name] = change.value

    def settle(self, told: list[tuple[str, Change]]) -> int:
        """`told` is all that happened since the round began. Checks it against what was acknowledged; how much of what was under way is
        in it."""
        by_name: dict[str, list[Change]] = {}
        for name, change in told:
            by_name.setdefault(name, []).append(change)
        stored = 0
        for name in {*by_name, *self.changes}:
            acknowledged, found = self.changes.get(name, []), by_name.get(name, [])
            assert [known(change, like) for change, like in zip(found, acknowledged, strict=False)] == acknowledged, name
            for change in found[len(acknowledged) :]:
                assert change._replace(revision=0) == self.under_way.pop(name), name
                self._apply(name, change)
                stored += 1
        return stored


def known(change: Change, like: Change) -> Change:
    return change if like.revision else change._replace(revision=0)


def _config_map(name: str, value: str) -> Object:
    data = dict.fromkeys(("first", "second", "third"), value)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _value(obj: Object) -> str:
    (value,) = set(obj["data"].values())  # else a write was half applied
    return str(value)


async def _write(client: Client, ledger: Ledger, number: int, round_number: int) -> None:
    """Creates, patches and updates its ConfigMaps, deletes each second one, and makes some of these again."""
    for step in itertools.count():
        name = f"map-{round_number}-{number}-{step // 12}"
        value = f"{round_number}.{number}.{step}"
        if name not in ledger.present:
            ledger.sent(name, "ADDED", value)
            answer = await client.create(CONFIG_MAPS, _config_map(name, value), "default")
        elif step % 6 == 5 and step % 24 < 12:
            ledger.sent(name, "DELETED", ledger.present[name])
            await client.delete(CONFIG_MAPS, name, "default")
            ledger.answered(name, 0)
            continue
        else:
            ledger.sent(name, "MODIFIED", value)
            answer = await client.patch(CONFIG_MAPS, name, {"data": _config_map(name, value)["data"]}, "default")
        ledger.answered(name, int(objects.resource_version(answer)))


async def _scale(client: Client, randomness: random.Random) -> None:
    while True:
        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": randomness.randint(1, 30)}}, "default")
        await asyncio.sleep(0.02)


async def _watched(client: Client, since: int, until: int) -> list[tuple[str, Change]] | None:
    """The changes of our ConfigMaps after revision `since`, up to `until`, which must be a ConfigMap's; None after 410."""
    told: list[tuple[str, Change]] = []
    stream = await client.watch(CONFIG_MAPS, "default", resource_version=str(since))
    try:
        async for batch in stream:
            for event in batch:
                if event.type == "ERROR":
                    assert event.object["code"] == 410 and not told, event.object
                    return None
                revision = int(objects.resource_version(event.object))
                if event.type != "BOOKMARK" and revision < until and objects.name(event.object).startswith("map-"):
                    told.append((objects.name(event.object), Change(event.type, _value(event.object), revision)))
                if revision >= until:
                    return told
    finally:
        await stream.aclose()  # type: ignore[attr-defined]
    raise AssertionError("the watch ended")


class DaemonRounds:
    """The same cluster lives through all rounds."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        self._randomness = random.Random(seed)
        self._ledger = Ledger()
        self._since = 0
        self.figures = Figures()

    async def begin(self) -> None:
        await asyncio.to_thread(self._daemon.start)
        client = self._daemon.client()
        made = await client.create(DEPLOYMENTS, DEPLOYMENT, "default")
        self._since = int(objects.resource_version(made))
        await client.close()

    async def round(self, number: int) -> None:
        await self._load_until_killed(number)
        await asyncio.to_thread(self._daemon.start)
        client = self._daemon.client()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            later = await client.create(CONFIG_MAPS, _config_map(f"after-{number}", "later"), "default")
            newest = int(objects.resource_version(later))
            assert newest > max(self._ledger.revisions(), default=0)
            await self._check(client, newest)
            await client.delete(CONFIG_MAPS, f"after-{number}", "default")
        await client.close()
        self._since = newest
        self.figures.kills += 1
        self.figures.acknowledged = self._ledger.acknowledged

    async def _load_until_killed(self, number: int) -> None:
        ledger, client = self._ledger, self._daemon.client()
        ledger.begin_round()
        writers = [_write(client, ledger, writer, number) for writer in range(_WRITERS)]
        tasks = [asyncio.create_task(work) for work in (*writers, _scale(client, self._randomness))]
        moment = ledger.acknowledged + self._randomness.randint(40, 400)  # answers, not seconds: a busy machine answers few in one
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                if ledger.acknowledged >= moment or any(task.done() for task in tasks):
                    break
                await asyncio.sleep(0.002)
        await asyncio.to_thread(self._daemon.kill)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, (ConnectionFailed, ApiError)), result
        with contextlib.suppress(ConnectionFailed):
            await client.close()

    async def _check(self, client: Client, newest: int) -> None:
        ledger, figures = self._ledger, self.figures
        told = await _watched(client, self._since, newest)
        assert told is not None, "the restarted cluster has forgotten a revision that is seconds old"
        revisions = [change.revision for _, change in told]
        assert revisions == sorted(set(revisions))
        figures.unanswered += len(ledger.under_way)
        figures.unanswered_stored += ledger.settle(told)
        answer = await client.list(CONFIG_MAPS, "default")
        found = {objects.name(one): _value(one) for one in answer["items"] if objects.name(one).startswith("map-")}
        assert found == ledger.present
        chosen = self._randomness.sample(ledger.revisions(), k=min(_RESUMED - 1, len(ledger.revisions())))
        for since in (ledger.revisions()[-1], *chosen):
            resumed = await _watched(client, since, newest)
            figures.watches += 1
            if resumed is None:
                figures.expired += 1
                continue
            assert resumed == [entry for entry in told if entry[1].revision > since]
            figures.deletions_told += sum(change.type == "DELETED" for _, change in resumed)

    async def comes_to_rest(self, replicas: int) -> None:
        client = self._daemon.client()
        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": replicas}}, "default")
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                status = (await client.get(DEPLOYMENTS, "web", "default")).get("status") or {}
                pods = (await client.list(PODS, "default", label_selector="app=web"))["items"]
                if status.get("availableReplicas") == replicas == len(pods):
                    break
                await asyncio.sleep(0.05)
        assert all(objects.is_condition_true(pod, "Ready") for pod in pods)
        assert len({pod["status"]["podIP"] for pod in pods}) == replicas
        await client.close()


DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "web:1"}]},
        },
    },
}
