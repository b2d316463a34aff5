"""The official conformance tests of events, of both API groups, step by step."""

from __future__ import annotations

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.suite import CORE, NAMESPACE, STRATEGIC, selected, suite

pytestmark = pytest.mark.virtual_time
EVENTS, NEW_EVENTS = f"{CORE}/events", f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
SERIES_TIME = "2026-01-01T00:00:07.000000Z"


def core_event(name: str, labels: Object) -> Object:
    regarding = {"namespace": NAMESPACE, "kind": "Pod", "name": "pod-1"}
    told = {"message": "This is a test event", "reason": "Test", "type": "Normal", "count": 1}
    return {"metadata": {"name": name, "labels": labels}, **told, "involvedObject": regarding}


def new_event(name: str, label: str) -> Object:
    return {
        "metadata": {"name": name, "labels": {label: "true"}},
        "regarding": {"namespace": NAMESPACE},
        "eventTime": "2017-09-19T13:49:16.000000Z",
        "note": f"This is {name}",
        "action": "Do",
        "reason": "Test",
        "type": "Normal",
        "reportingController": "test-controller",
        "reportingInstance": "test-node",
    }


async def test_core_lifecycle() -> None:
    """[sig-instrumentation] Events should manage the lifecycle of an event [Conformance]"""
    async with suite() as e2e:
        await e2e.create(EVENTS, core_event("event-test", {"testevent-constant": "true"}))
        assert await e2e.names("/api/v1/events", "testevent-constant=true") == ["event-test"]
        patch = "This is a test event - patched"
        await e2e.patch(f"{EVENTS}/event-test", {"message": patch}, STRATEGIC)
        (listed,) = await e2e.items(EVENTS, "testevent-constant=true")
        assert listed["message"] == patch == (await e2e.get(f"{EVENTS}/event-test"))["message"]
        series = {"count": 100, "lastObservedTime": SERIES_TIME}
        await e2e.update_until(f"{EVENTS}/event-test", lambda event: {**event, "series": series})
        assert (await e2e.get(f"{EVENTS}/event-test"))["series"] == series
        await e2e.delete(f"{EVENTS}/event-test")
        assert await e2e.names("/api/v1/events", "testevent-constant=true") == []


async def test_core_collection() -> None:
    """[sig-instrumentation] Events should delete a collection of events [Conformance]"""
    async with suite() as e2e:
        names = [f"test-event-{number}" for number in (1, 2, 3)]
        for name in names:
            await e2e.create(EVENTS, core_event(name, {"testevent-set": "true"}))
        assert await e2e.names(EVENTS, "testevent-set=true") == names
        await e2e.delete(selected(EVENTS, "testevent-set=true"))
        assert await e2e.names(EVENTS, "testevent-set=true") == []


async def test_lifecycle() -> None:
    """[sig-instrumentation] Events API should ensure that an event can be fetched, patched, deleted, and listed [Conformance]"""
    path = f"{NEW_EVENTS}/event-test"
    async with suite() as e2e:
        await e2e.create(NEW_EVENTS, new_event("event-test", "testevent-constant"))
        assert "event-test" in await e2e.names("/apis/events.k8s.io/v1/events")
        assert await e2e.names(NEW_EVENTS) == ["event-test"]
        assert await e2e.names(EVENTS, fields="reportingComponent=test-controller") == ["event-test"]
        assert await e2e.names(NEW_EVENTS, fields="reportingController=test-controller") == ["event-test"]
        assert await e2e.names(NEW_EVENTS, fields="reportingController=another") == []
        before = await e2e.get(path)
        change = {"series": {"count": 2, "lastObservedTime": "2014-09-19T13:49:16.000000Z"}}
        patched = await e2e.patch(path, change, STRATEGIC)
        assert {**before, **change, "metadata": None} == {**patched, "metadata": None}
        assert await e2e.get(path) == patched
        series = {"count": 100, "lastObservedTime": "2014-09-19T13:49:16.000000Z"}
        updated = await e2e.update(path, {**patched, "series": series})
        assert updated["series"] == series and (await e2e.get(path))["series"] == series
        assert (await e2e.get(f"{EVENTS}/event-test"))["source"] == {}
        await e2e.delete(path)
        assert "event-test" not in await e2e.names("/apis/events.k8s.io/v1/events") and await e2e.names(NEW_EVENTS) == []


async def test_collection() -> None:
    """[sig-instrumentation] Events API should delete a collection of events [Conformance]"""
    async with suite() as e2e:
        names = [f"test-event-{number}" for number in (1, 2, 3)]
        for name in names:
            await e2e.create(NEW_EVENTS, new_event(name, "testevent-set"))
        assert await e2e.names(NEW_EVENTS, "testevent-set=true") == names
        await e2e.delete(selected(NEW_EVENTS, "testevent-set=true"))
        await e2e.empty(NEW_EVENTS, "testevent-set=true")
