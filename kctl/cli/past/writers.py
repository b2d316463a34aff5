"""Who wrote a revision: the managers whose fields or time differ from the revision before (server-side apply keeps them for every write)."""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object


class Writer(NamedTuple):
    """A field manager: `operation` Apply or Update, `subresource` '' or e.g. status."""

    manager: str
    operation: str
    subresource: str

    def __str__(self) -> str:
        details = [self.operation.lower()] if self.operation == "Apply" else []
        details += [self.subresource] if self.subresource else []
        return f"{self.manager} ({', '.join(details)})" if details else self.manager


def writers_of(obj: Object, previous: Object | None) -> tuple[Writer, ...]:
    """Of the difference between the two; `previous` None: all there are. Empty where no manager tells of it (a binding).

    A manager that lost fields to another did not write. Where one writes twice within a second what it owned already, nothing in its entry
    changes: then it is the one that wrote last.
    """
    entries = _entries(obj)
    if previous is None:
        return tuple(entries)
    before = _entries(previous)
    changed = tuple(writer for writer, entry in entries.items() if _wrote(entry, before.get(writer)))
    return changed or _last_of(entries, only_status=_same_but_status(obj, previous))


def _wrote(entry: dict[str, Any], before: dict[str, Any] | None) -> bool:
    if before is None:
        return True
    return entry.get("time") != before.get("time") or not _covers(before.get("fieldsV1"), entry.get("fieldsV1"))


def _covers(larger: Any, smaller: Any) -> bool:
    if not isinstance(smaller, dict) or not isinstance(larger, dict):
        return bool(larger == smaller)
    return all(key in larger and _covers(larger[key], value) for key, value in smaller.items())


def _same_but_status(obj: Object, previous: Object) -> bool:
    same = all(obj.get(field) == previous.get(field) for field in {*obj, *previous} - {"status", "metadata"})
    return same and _metadata(obj) == _metadata(previous)


def _metadata(obj: Object) -> dict[str, Any]:
    return {key: value for key, value in objects.metadata(obj).items() if key not in ("managedFields", "resourceVersion", "generation")}


def _last_of(entries: dict[Writer, dict[str, Any]], *, only_status: bool) -> tuple[Writer, ...]:
    fitting = {writer: str(entry.get("time") or "") for writer, entry in entries.items() if (writer.subresource == "status") is only_status}
    newest = max(fitting.values(), default="")
    return tuple(writer for writer, time in fitting.items() if time == newest)[-1:]


def _entries(obj: Object) -> dict[Writer, dict[str, Any]]:
    found: dict[Writer, dict[str, Any]] = {}
    for entry in objects.metadata(obj).get("managedFields") or ():
        if isinstance(entry, dict):
            writer = Writer(str(entry.get("manager") or "unknown"), str(entry.get("operation") or ""), str(entry.get("subresource") or ""))
            found[writer] = entry
    return found
