"""Event recording: shape, counting, combining, spam filter, the newer form with an action."""

from __future__ import annotations

from controllers.runtime.event_correlation import Correlator
from controllers.runtime.events import EventRecorder
from kctl.apimachinery import objects
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS
from kctl.client.client import Client
from tests.controllers.fake_api import FakeApi, turns

META = {"name": "web", "namespace": "default", "uid": "u1", "resourceVersion": "7"}
POD: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": META}


def stored(api: FakeApi) -> list[Object]:
    return [obj for (resource, _), obj in api.items.items() if resource == EVENTS]


async def test_shape() -> None:
    api, clock = FakeApi(), VirtualClock()
    recorder = EventRecorder(Client(api), clock, "kubelet", "node-1")
    recorder.event(POD, "Normal", "Pulled", "It is here", field_path="spec.containers{c}")
    await recorder.sink.flush()
    [event] = stored(api)
    prefix, _, digits = objects.name(event).partition(".")
    assert prefix == "web" and len(digits) == 16 and int(digits, 16)
    assert event["involvedObject"] == {
        "kind": "Pod",
        "namespace": "default",
        "name": "web",
        "uid": "u1",
        "apiVersion": "v1",
        "resourceVersion": "7",
        "fieldPath": "spec.containers{c}",
    }
    assert event["source"] == {"component": "kubelet", "host": "node-1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "node-1")
    assert (event["count"], event["type"], event["reason"]) == (1, "Normal", "Pulled")
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"


async def test_writing_waits_a_moment_and_never_blocks() -> None:
    api, clock = FakeApi(), VirtualClock()
    recorder = EventRecorder(Client(api), clock, "kubelet")
    recorder.event(POD, "Normal", "Started", "x")
    await turns()
    assert stored(api) == []
    await clock.step(0.2)
    assert len(stored(api)) == 1


async def test_the_same_event_again_raises_the_count() -> None:
    api, clock = FakeApi(), VirtualClock()
    recorder = EventRecorder(Client(api), clock, "kubelet")
    for _ in range(3):
        recorder.event(POD, "Warning", "BackOff", "again")
    await recorder.sink.flush()
    assert [event["count"] for event in stored(api)] == [3]
    await clock.step(60)
    recorder.event(POD, "Warning", "BackOff", "again")
    await recorder.sink.flush()
    [event] = stored(api)
    assert (event["count"], event["lastTimestamp"]) == (4, "2026-01-01T00:01:00Z")


async def test_similar_events_are_combined_and_a_talkative_source_is_cut_off() -> None:
    api, clock = FakeApi(), VirtualClock()
    recorder = EventRecorder(Client(api), clock, "replicaset-controller")
    for number in range(100):
        recorder.event(POD, "Normal", "SuccessfulCreate", f"Created pod: web-{number}")
        await recorder.sink.flush()
    events = stored(api)
    combined = [event for event in events if event["message"].startswith("(combined from similar events): ")]
    assert len(events) == 10 and len(combined) == 1
    assert combined[0]["count"] == 16
    # Another object has its own allowance, and this one regains one event every five minutes.
    recorder.event({**POD, "metadata": {**META, "name": "b"}}, "Normal", "x", "y")
    await clock.step(301)
    recorder.event(POD, "Normal", "Other", "y")
    await recorder.sink.flush()
    assert len(stored(api)) == 12


async def test_with_an_action_the_newer_form_is_written() -> None:
    api, clock = FakeApi(), VirtualClock()
    recorder = EventRecorder(Client(api), clock, "default-scheduler")
    recorder.event(POD, "Normal", "Scheduled", "Successfully assigned", action="Binding")
    await recorder.sink.flush()
    [event] = stored(api)
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert event["action"] == "Binding" and event["reportingComponent"] == "default-scheduler"
    assert "count" not in event
    recorder.event(POD, "Normal", "Scheduled", "Successfully assigned", action="Binding")
    await recorder.sink.flush()
    [event] = stored(api)
    assert event["series"]["count"] == 2


async def test_an_expired_event_starts_anew_and_name_clashes_are_avoided() -> None:
    api, clock = FakeApi(), VirtualClock()
    first = EventRecorder(Client(api), clock, "a")
    second = EventRecorder(Client(api), clock, "a")
    first.event(POD, "Normal", "r", "m")
    second.event(POD, "Normal", "r", "n")
    await first.sink.flush()
    await second.sink.flush()
    assert len(stored(api)) == 2


def test_what_makes_no_difference_any_more_is_forgotten() -> None:
    correlator = Correlator()
    for number in range(500):
        about = ("kubelet", "node-1", "Pod", "default", f"p{number}", "u")
        correlator.combine(about, "It is here", number / 10)
        assert correlator.allowed(about, number / 10)
    assert len(correlator) == 1000
    about = ("kubelet", "node-1", "Pod", "default", "p499", "u")
    for _ in range(30):
        correlator.allowed(about, 50.0)
    assert not correlator.allowed(about, 50.0)
    later = 50 + 602.0  # after the window of similar ones; every bucket but the last is full again
    correlator.combine(("other",), "It is here", later)
    assert correlator.allowed(("other",), later)
    assert len(correlator) == 3
    assert [correlator.allowed(about, later) for _ in range(3)] == [True, True, False]  # two words regained in 602 seconds
