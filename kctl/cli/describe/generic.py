"""`kctl describe` of kinds without a description of their own: all fields, names in words, as kubectl prints unstructured objects."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_SKIPPED = {
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
}
_ACRONYMS = ("API", "URL", "UID", "OSB", "GUID")


async def describe_generic(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta.get('name', '')}")
    out.line(0, f"Namespace:\t{meta.get('namespace', '')}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    _fields(out, 0, obj, "")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _fields(out: Writer, level: int, content: Object, prefix: str) -> None:
    for name in sorted(content):
        path = f"{prefix}.{name}"
        if path in _SKIPPED:
            continue
        _field(out, level, _words(name), content[name], path)


def _field(out: Writer, level: int, title: str, value: Any, path: str) -> None:
    if isinstance(value, dict):
        out.line(level, f"{title}:")
        _fields(out, level + 1, value, path)
    elif isinstance(value, list):
        out.line(level, f"{title}:")
        for item in value:
            if isinstance(item, dict):
                _fields(out, level + 1, item, path)
            else:
                out.line(level + 1, _scalar(item))
    else:
        out.line(level, f"{title}:\t{_scalar(value)}")


def _scalar(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _words(name: str) -> str:
    """podCIDRs -> Pod CID Rs, apiVersion -> API Version: kubectl splits at capitals, acronyms in capitals; names with anything else than
    letters and dashes stay as they are."""
    if not name.replace("-", "").isalpha():
        return name
    parts = re.findall(r"(?:API|URL|UID|OSB|GUID)s?(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|-+", name)
    words = []
    for part in parts:
        upper = part.upper()
        words.append(upper if upper in _ACRONYMS else part[:1].upper() + part[1:])
    return " ".join(words)
