"""Core Event and events.k8s.io/v1 Event: one object under two names for its fields. Stored as v1."""

from __future__ import annotations

from kctl.apimachinery.objects import Object

_CORE_TO_EVENTS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_EVENTS_TO_CORE = {value: key for key, value in _CORE_TO_EVENTS.items()}
_ALWAYS_CORE: dict[str, object] = {
    "involvedObject": {},
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
_ALWAYS_EVENTS: dict[str, object] = {
    "regarding": {},
    "deprecatedSource": {},
    "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
    "eventTime": None,
}
FIELD_LABELS = {
    "events.k8s.io/v1": {
        **{
            f"regarding.{name}": f"involvedObject.{name}"
            for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reportingController": "reportingComponent",
    }
}
_NO_EMPTY = ("reportingController", "reportingInstance", "note")


def to_storage(obj: Object, api_version: str) -> Object:
    if api_version == "v1":
        return obj
    out: Object = {_EVENTS_TO_CORE.get(name, name): value for name, value in obj.items()}
    return {**_ALWAYS_CORE, **out, "apiVersion": "v1"}


def from_storage(obj: Object, api_version: str) -> Object:
    if api_version == "v1":
        return obj
    out: Object = {_CORE_TO_EVENTS.get(name, name): value for name, value in obj.items()}
    for name in _NO_EMPTY:
        if out.get(name) == "":
            del out[name]
    return {**_ALWAYS_EVENTS, **out, "apiVersion": api_version}
