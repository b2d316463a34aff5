"""`kctl describe networkpolicy`: which traffic is let through, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kctl.apimachinery import labels as label_selectors
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client


async def describe_network_policy(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec = objects.metadata(obj), objects.spec(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    created = times.parse(meta["creationTimestamp"]).astimezone()
    zone = created.strftime("%Z")
    out.line(0, f"Created on:\t{created.strftime('%Y-%m-%d %H:%M:%S %z')} {zone}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, "Spec:")
    selector = spec.get("podSelector") or {}
    everything = not selector.get("matchLabels") and not selector.get("matchExpressions")
    text = (
        "<none> (Allowing the specific traffic to all pods in this namespace)" if everything else label_selectors.format_selector(selector)
    )
    out.raw(f"  PodSelector:     {text}\n")
    types = spec.get("policyTypes") or []
    _direction(out, "Ingress" in types, "ingress", spec.get("ingress") or ())
    _direction(out, "Egress" in types, "egress", spec.get("egress") or ())
    out.raw(f"  Policy Types: {', '.join(types)}\n")
    return out.text()


def _direction(out: Writer, affected: bool, name: str, rules: Sequence[Object]) -> None:
    if not affected:
        out.raw(f"  Not affecting {name} traffic\n")
        return
    out.raw(f"  Allowing {name} traffic:\n")
    if not rules:
        out.raw(f"    <none> (Selected pods are isolated for {name} connectivity)\n")
    for number, rule in enumerate(rules):
        if number:
            out.raw("    ----------\n")
        _ports(out, rule.get("ports") or ())
        _peers(out, name, rule.get("from" if name == "ingress" else "to") or ())


def _ports(out: Writer, ports: Sequence[Object]) -> None:
    if not ports:
        out.raw("    To Port: <any> (traffic allowed to all ports)\n")
    for port in ports:
        protocol = port.get("protocol") or "TCP"
        if port.get("endPort") is None:
            number = port.get("port")
            out.raw(f"    To Port: {'<any>' if number is None else number}/{protocol}\n")
        else:
            out.raw(f"    To Port Range: {port.get('port')}-{port['endPort']}/{protocol}\n")


def _peers(out: Writer, name: str, peers: Sequence[Object]) -> None:
    title = "From" if name == "ingress" else "To"
    if not peers:
        where = "source" if name == "ingress" else "destination"
        out.raw(f"    {title}: <any> (traffic not restricted by {where})\n")
    for peer in peers:
        out.raw(f"    {title}:\n")
        block = peer.get("ipBlock")
        if block is not None:
            out.raw(f"      IPBlock:\n        CIDR: {block.get('cidr', '')}\n")
            out.raw(f"        Except: {', '.join(block.get('except') or ())}\n")
            continue
        for label, field in (("NamespaceSelector", "namespaceSelector"), ("PodSelector", "podSelector")):
            if peer.get(field) is not None:
                out.raw(f"      {label}: {label_selectors.format_selector(peer[field])}\n")
