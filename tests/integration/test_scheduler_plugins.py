"""Plugins from outside, installed as a package is: the documented example, every extension point, pods that wait for a permit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controllers.kube_scheduler.config import guests
from controllers.kube_scheduler.config.decode import InvalidConfiguration
from controllers.kube_scheduler.config.load import parse
from controllers.kube_scheduler.framework import Code, Status, Wait, unschedulable
from controllers.kube_scheduler.main import KubeScheduler
from kctl.apimachinery.resources import PODS
from kctl.daemon.components import KubeSchedulerComponent

from .test_scheduler_profiles import HEAD, add_node, create, message, scheduling, where

DOCUMENT = Path(__file__).parents[2] / "docs" / "scheduling.md"
NONE: Any = None


def enabled(name: str, args: str = "{}") -> str:
    return f"profiles: [{{plugins: {{multiPoint: {{enabled: [{{name: {name}}}]}}}}, pluginConfig: [{{name: {name}, args: {args}}}]}}]\n"


class Packages:
    """Makes packages that can be imported, with entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, **entries: str) -> None:
        (self.folder / f"{name}.py").write_text(source)
        info = self.folder / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{entry} = {target}\n" for entry, target in entries.items())
        (info / "entry_points.txt").write_text(f"[{guests.GROUP}]\n{lines}")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(str(tmp_path))
    guests.factory.cache_clear()
    yield Packages(tmp_path)
    guests.factory.cache_clear()


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Installs a class as the plugin Guest, without a package."""

    def install(made: Any) -> None:
        monkeypatch.setattr(guests, "factory", lambda name: made if name == "Guest" else None)

    yield install


async def test_the_documented_example(packages: Packages) -> None:
    text = DOCUMENT.read_text()
    source, configuration = (re.search(rf"```{kind}\n(.*?)```", text, re.S).group(1) for kind in ("python", "yaml"))  # type: ignore[union-attr]
    packages.install("quiet", source, Quiet="quiet:Quiet")
    async with scheduling(configuration.removeprefix(HEAD), 2, **{"example.com/decibels": "55"}) as (plane, clock):
        client = plane.client()
        await add_node(client, "n2", **{"example.com/decibels": "40"})
        for number in range(3):
            await create(client, f"p{number}")
        await create(client, "picky", nodeSelector={"example.com/decibels": "55"})
        await clock.step()
        assert set(await where(client, "p0", "p1", "p2")) == {"n1"}
        assert (await message(client, "picky")).startswith("0/3 nodes are available: 1 node(s) were too loud, 2 node(s) didn't match Pod's")
        labels = {"example.com/team": "t", "example.com/team-size": "2"}
        container = {"name": "c", "image": "i"}
        for name in ("one", "two"):
            await client.create(PODS, {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}, "default")
            await clock.step(1)
            assert all(await where(client, "one", "two")) if name == "two" else (await where(client, "one")) == [""]


async def test_a_plugin_at_every_extension_point(plugin: Any) -> None:
    log: list[str] = []

    class Guest:
        def __init__(self, args: Any, handle: Any) -> None:
            self.args, self.client = args, handle.client

        def pre_enqueue(self, pod: Any) -> Status | None:
            log.append("PreEnqueue")
            return None

        def pre_filter(self, state: Any, pod: Any, cache: Any) -> Any:
            log.append("PreFilter")
            return frozenset(["n1", "n2"])

        def filter(self, state: Any, pod: Any, node: Any) -> Status | None:
            log.append(f"Filter {node.name}")
            return unschedulable("", "no") if node.name == "n2" else None

        def post_filter(self, *arguments: Any) -> str:
            log.append("PostFilter")
            return ""

        def pre_score(self, state: Any, pod: Any, nodes: Any) -> None:
            log.append(f"PreScore {[node.name for node in nodes]}")

        def score(self, state: Any, pod: Any, node: Any) -> int:
            log.append("Score")
            return 1

        def normalize_score(self, state: Any, pod: Any, scores: Any) -> Any:
            log.append("NormalizeScore")
            return dict.fromkeys(scores, 100)

        def reserve(self, state: Any, pod: Any, node: str) -> None:
            log.append("Reserve")

        def unreserve(self, state: Any, pod: Any, node: str) -> None:
            log.append("Unreserve")

        def permit(self, state: Any, pod: Any, node: str) -> None:
            log.append("Permit")

        async def pre_bind(self, state: Any, pod: Any, node: str) -> None:
            log.append("PreBind")

        async def bind(self, state: Any, pod: Any, node: str) -> Status | None:
            log.append("Bind")
            return Status(Code.SKIP, ())

        def post_bind(self, state: Any, pod: Any, node: str) -> None:
            log.append("PostBind")

    plugin(Guest)
    first = "profiles: [{plugins: {multiPoint: {enabled: [{name: Guest}]}, bind: {enabled: [{name: Guest}, {name: DefaultBinder}]}}}]\n"
    async with scheduling(first) as (plane, clock):
        client = plane.client()
        await create(client, "p")
        await clock.step()
        assert await where(client, "p") == ["n1"]
        assert log == [
            *("PreEnqueue", "PreFilter", "Filter n1", "Filter n2", "PreScore ['n1']", "Score", "NormalizeScore"),
            *("Reserve", "Permit", "PreBind", "Bind", "PostBind"),
        ]
        log.clear()
        await create(client, "large", cpu="9")
        await clock.step()
        assert log[:3] == ["PreEnqueue", "PreFilter", "PostFilter"]
        scheduler = plane.component(KubeSchedulerComponent).scheduler.scheduler
        assert scheduler.queue.waiting() == 1


@pytest.mark.parametrize("word", ["allow", "reject", "timeout", "delete"])
async def test_a_pod_that_waits_for_a_permit(plugin: Any, word: str) -> None:
    handles: list[Any] = []

    class Guest:
        def __init__(self, args: Any, handle: Any) -> None:
            handles.append(handle)

        def permit(self, state: Any, pod: Any, node: str) -> Wait | None:
            return Wait(20) if not pod.pod["metadata"].get("annotations") else None

    plugin(Guest)
    async with scheduling(enabled("Guest"), 1) as (plane, clock):
        client, (handle,) = plane.client(), handles
        await create(client, "p", cpu="4")
        await clock.step(10)
        (waiting,) = handle.waiting_pods
        assert (waiting.node, await where(client, "p"), len(handle.waiting_pods)) == ("n0", [""], 1)
        if word == "allow":
            waiting.allow("Guest")
        elif word == "reject":
            waiting.reject("Guest", "not now")
        elif word == "delete":
            await client.delete(PODS, "p", "default", grace_period_seconds=0)
        await clock.step(11 if word == "timeout" else 0.5)
        assert waiting not in handle.waiting_pods
        if word == "delete":
            await create(client, "next", cpu="4")
            await clock.step()
            assert [each.pod.key for each in handle.waiting_pods] == ["default/next"]  # the node was given back
        else:
            said = {"allow": "", "reject": "not now", "timeout": "rejected due to timeout after waiting 20s at plugin Guest"}
            assert await where(client, "p") == ["n0" if word == "allow" else ""]
            assert await message(client, "p") == said[word]


async def test_a_pod_that_is_held_back_until_the_plugin_lets_it_in(plugin: Any) -> None:
    made: list[Any] = []

    class Guest:
        def __init__(self, args: Any, handle: Any) -> None:
            self.handle, self.open = handle, False
            made.append(self)

        def pre_enqueue(self, pod: Any) -> Status | None:
            return None if self.open else unschedulable("Guest", "not yet")

    plugin(Guest)
    async with scheduling(enabled("Guest"), 1) as (plane, clock):
        client, (guest,) = plane.client(), made
        await create(client, "p")
        await clock.step(1)
        assert await where(client, "p") == [""]
        guest.open = True
        guest.handle.activate("default/p", "default/gone")
        await clock.step()
        assert await where(client, "p") == ["n0"]


async def test_a_plugin_that_fails_says_where(plugin: Any) -> None:
    class Guest:
        def __init__(self, args: Any, handle: Any) -> None:
            self.point = args["point"]

        def filter(self, state: Any, pod: Any, node: Any) -> None:
            if pod.pod["metadata"]["name"] == "filter":
                raise KeyError("boom")

        def score(self, state: Any, pod: Any, node: Any) -> int:
            return 101

    plugin(Guest)
    async with scheduling(enabled("Guest", "{point: filter}")) as (plane, clock):
        client = plane.client()
        for name in ("filter", "score"):
            await create(client, name)
        await clock.step()
        assert await message(client, "filter") == "running \"Guest\" filter plugin: KeyError: 'boom'"
        assert await message(client, "score") == (
            'running Score plugins: plugin "Guest" returns an invalid score 101, it should in the range of [0, 100] after normalizing'
        )


def test_plugins_that_cannot_be_made(packages: Packages) -> None:
    packages.install("broken_one", "import nowhere_to_be_found\n", Broken="broken_one:Plugin")
    with pytest.raises(InvalidConfiguration, match='initializing plugin "Broken": ModuleNotFoundError'):
        parse(HEAD + enabled("Broken"))
    packages.install(
        "broken_two",
        "class P:\n    def __init__(self, args, handle): raise ValueError('no')\n    def filter(self): ...\n",
        Two="broken_two:P",
    )
    with pytest.raises(InvalidConfiguration, match='initializing plugin "Two": ValueError: no'):
        KubeScheduler(NONE, _Informers(), NONE, NONE, parse(HEAD + enabled("Two")))  # type: ignore[arg-type]


class _Informers:
    def informer(self, resource: Any) -> None:
        return None
