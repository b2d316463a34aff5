"""`kctl describe` of addresses: Endpoints, EndpointSlices, ServiceCIDRs, IPAddresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import go_bool, long_time, or_unset
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client


def _head(out: Writer, obj: Object) -> None:
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta['name']}")
    if meta.get("namespace"):
        out.line(0, f"Namespace:\t{meta['namespace']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))


def _ports(out: Writer, level: int, ports: Sequence[Object]) -> None:
    out.line(level, "Name\tPort\tProtocol")
    out.line(level, "----\t----\t--------")
    for port in ports:
        number = port.get("port")
        out.line(level, f"{port.get('name') or '<unset>'}\t{or_unset(number)}\t{port.get('protocol') or 'TCP'}")


async def describe_endpoints(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    out.line(0, "Subsets:")
    for subset in obj.get("subsets") or ():
        for title, field in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            addresses = ",".join(address.get("ip", "") for address in subset.get(field) or ())
            out.line(1, f"{title}:\t{addresses or '<none>'}")
        if subset.get("ports"):
            out.line(1, "Ports:")
            _ports(out, 2, subset["ports"])
        out.raw("\n")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_endpoint_slice(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    out.line(0, f"AddressType:\t{obj.get('addressType', '')}")
    ports = obj.get("ports") or []
    out.line(0, "Ports:" if ports else "Ports: <unset>")
    if ports:
        _ports(out, 1, ports)
    endpoints = obj.get("endpoints") or []
    out.line(0, "Endpoints:" if endpoints else "Endpoints: <none>")
    for endpoint in endpoints:
        _endpoint(out, endpoint)
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _endpoint(out: Writer, endpoint: dict[str, Any]) -> None:
    addresses = ", ".join(endpoint.get("addresses") or ())
    out.line(1, f"- Addresses:\t{addresses or '<none>'}")
    out.line(2, "Conditions:")
    ready = (endpoint.get("conditions") or {}).get("ready")
    out.line(3, f"Ready:\t{'<unset>' if ready is None else go_bool(ready)}")
    out.line(2, f"Hostname:\t{or_unset(endpoint.get('hostname'))}")
    target = endpoint.get("targetRef")
    if target is not None:
        out.line(2, f"TargetRef:\t{target.get('kind', '')}/{target.get('name', '')}")
    out.line(2, f"NodeName:\t{or_unset(endpoint.get('nodeName'))}")
    out.line(2, f"Zone:\t{or_unset(endpoint.get('zone'))}")


async def describe_service_cidr(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    out.line(0, f"CIDRs:\t{', '.join(objects.spec(obj).get('cidrs') or ())}")
    conditions = objects.status(obj).get("conditions") or []
    if conditions:
        out.raw("Status:\nConditions:\n  Type\tStatus\tLastTransitionTime\tReason\tMessage\n")
        out.raw("  ----\t------\t------------------\t------\t-------\n")
        for condition in conditions:
            when = long_time(condition.get("lastTransitionTime"))
            out.line(
                1, f"{condition['type']}\t{condition['status']}\t{when}\t{condition.get('reason', '')}\t{condition.get('message', '')}"
            )
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_ip_address(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, obj)
    parent = objects.spec(obj).get("parentRef")
    if parent is not None:
        out.line(0, "Parent Reference:")
        for field in ("group", "resource", "namespace", "name"):
            out.line(1, f"{field.capitalize()}:\t{parent.get(field, '')}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
