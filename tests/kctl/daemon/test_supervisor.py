"""Components start in order, stop in reverse, and one crash stops the cluster with its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kctl.apimachinery.clock import FakeClock
from kctl.daemon.supervisor import ComponentCrashed, Supervisor


class Recorder:
    """A component that writes down what happens to it; `fails`: before ready, or later when `explode` is set."""

    def __init__(self, name: str, journal: list[str], *dependencies: str, fails: bool = False) -> None:
        self.name = name
        self.dependencies = dependencies
        self._journal = journal
        self._fails = fails
        self.explode = asyncio.Event()

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        self._journal.append(f"start {self.name}")
        if self._fails:
            raise RuntimeError("no disk")
        ready()
        exploding = asyncio.create_task(self.explode.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({exploding, stopping}, return_when=asyncio.FIRST_COMPLETED)
        exploding.cancel()
        stopping.cancel()
        self._journal.append(f"stop {self.name}")
        if self.explode.is_set():
            raise RuntimeError("boom")


async def test_order_of_start_and_stop() -> None:
    journal: list[str] = []
    supervisor = Supervisor([Recorder("etcd", journal), Recorder("kube-apiserver", journal, "etcd")], FakeClock())
    await supervisor.start()
    assert all(state.ready for state in supervisor.states.values())
    await supervisor.stop()
    assert journal == ["start etcd", "start kube-apiserver", "stop kube-apiserver", "stop etcd"]
    assert not any(state.ready for state in supervisor.states.values())


def test_a_dependency_must_come_first() -> None:
    with pytest.raises(ValueError, match="kube-apiserver depends on etcd"):
        Supervisor([Recorder("kube-apiserver", [], "etcd")], FakeClock())


async def test_a_failed_start_stops_the_others_and_names_the_culprit() -> None:
    journal: list[str] = []
    components = [Recorder("etcd", journal), Recorder("kube-apiserver", journal, "etcd", fails=True)]
    with pytest.raises(ComponentCrashed, match="kube-apiserver stopped: RuntimeError: no disk"):
        await Supervisor(components, FakeClock()).start()
    assert journal == ["start etcd", "start kube-apiserver", "stop etcd"]


async def test_a_crash_later_stops_the_cluster() -> None:
    journal: list[str] = []
    scheduler = Recorder("kube-scheduler", journal)
    supervisor = Supervisor([Recorder("etcd", journal), scheduler], FakeClock())
    await supervisor.start()
    scheduler.explode.set()
    with pytest.raises(ComponentCrashed) as caught:
        await supervisor.wait(asyncio.Event())
    assert caught.value.name == "kube-scheduler"
    assert supervisor.states["kube-scheduler"].error == "RuntimeError: boom"
    assert journal[-1] == "stop etcd"
