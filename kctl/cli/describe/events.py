"""The events at the end of a description."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS
from kctl.cli.describe.values import since
from kctl.cli.describe.writer import Writer
from kctl.client.client import Client


async def events_of(client: Client, obj: Object) -> list[Object]:
    """Events about this very object, by name, namespace, kind and uid, as kubectl searches them."""
    selector = f"involvedObject.name={objects.name(obj)},involvedObject.namespace={objects.namespace(obj)}"
    if objects.uid(obj):
        selector += f",involvedObject.uid={objects.uid(obj)}"
    if obj.get("kind"):
        selector += f",involvedObject.kind={obj['kind']}"
    events: list[Object] = (await client.list(EVENTS, objects.namespace(obj), field_selector=selector)).get("items") or []
    return events


def _last(event: Object) -> str:
    """kubectl sorts by this alone: events written in the newer way come first."""
    return str(event.get("lastTimestamp") or "")


def describe_events(out: Writer, events: Sequence[Object], now: datetime) -> None:
    if not events:
        out.raw("Events:\t<none>\n")
        return
    out.flush()
    out.raw("Events:\n  Type\tReason\tAge\tFrom\tMessage\n")
    out.raw("  ----\t------\t----\t----\t-------\n")
    for event in sorted(events, key=_last):
        source = (event.get("source") or {}).get("component") or event.get("reportingComponent") or ""
        field = (event.get("involvedObject") or {}).get("fieldPath")
        message = (f"{field}: " if field else "") + (event.get("message") or "").strip()
        out.line(1, f"{event.get('type', '')}\t{event.get('reason', '')}\t{interval(event, now)}\t{source}\t{message}")


def interval(event: Object, now: datetime) -> str:
    first = event.get("firstTimestamp") or event.get("eventTime")
    series = event.get("series")
    if series:
        return f"{since(series.get('lastObservedTime'), now)} (x{series.get('count', 0)} over {since(first, now)})"
    if (event.get("count") or 0) > 1:
        return f"{since(event.get('lastTimestamp'), now)} (x{event['count']} over {since(first, now)})"
    return since(first, now)
