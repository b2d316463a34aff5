"""Events are one object under two sets of names."""

from __future__ import annotations

from kctl.kube_apiserver.registry.events import conversion

NEW = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "e"},
    "eventTime": "2020-01-01T00:00:00.000001Z",
    "regarding": {"kind": "Pod", "name": "p"},
    "note": "n",
    "reason": "R",
    "type": "Normal",
    "reportingController": "a.b/c",
    "reportingInstance": "i",
    "deprecatedSource": {},
    "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
}


def test_to_core() -> None:
    core = conversion.to_storage(NEW, "events.k8s.io/v1")
    assert core["apiVersion"] == "v1"
    assert (core["involvedObject"], core["message"]) == (NEW["regarding"], "n")
    assert core["reportingComponent"] == "a.b/c"
    assert not {"regarding", "note", "reportingController", "deprecatedSource"} & set(core)


def test_there_and_back() -> None:
    assert conversion.from_storage(conversion.to_storage(NEW, "events.k8s.io/v1"), "events.k8s.io/v1") == NEW


def test_core_events_are_stored_as_they_are() -> None:
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "message": "m"}
    assert conversion.to_storage(event, "v1") is event
    assert conversion.from_storage(event, "v1") is event
