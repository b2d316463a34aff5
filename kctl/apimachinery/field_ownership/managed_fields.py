"""metadata.managedFields as stored objects hold it in memory: small, shared between objects that look alike, and text only when asked for.

A thousand pods of one template are owned alike but for the time of each write and an address. So a value is a layout, which all of them
share, and the texts that fill its gaps; its JSON is one formatting operation. Whoever needs the entries as plain data calls `plain`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import orjson

from kctl.apimachinery.field_ownership import entries
from kctl.apimachinery.field_ownership.entries import Managed, Manager, Owned
from kctl.apimachinery.objects import Object

FIELD = "managedFields"
PRIVATE_KEYS = frozenset({"ip", "uid"})
"""Keys of list maps that have another value in every object: they are gaps of a layout, not part of it."""
_PRIVATE = re.compile(r'"k:\{\\"(?:ip|uid)\\":\\"([^"\\]*)\\"\}"')


class _Part(NamedTuple):
    """One entry of a layout: whose it is, and where its time and the gaps of its fields are among the texts."""

    manager: Manager
    api_version: str
    fields: str
    time: int
    first: int
    last: int


class Layout:
    """The JSON of managedFields with a %s for every time and every private key."""

    __slots__ = ("__weakref__", "format", "parts", "times")

    def __init__(self, text: str, parts: tuple[_Part, ...]) -> None:
        self.format = text
        self.parts = parts
        self.times = tuple(part.time for part in parts if part.time >= 0)


_layouts: WeakValueDictionary[str, Layout] = WeakValueDictionary()


class ManagedFields:
    """Who owns what of one object; a value."""

    __slots__ = ("layout", "texts")

    def __init__(self, layout: Layout, texts: tuple[str, ...]) -> None:
        self.layout = layout
        self.texts = texts

    def __deepcopy__(self, memo: Any) -> ManagedFields:
        return self

    def json(self) -> str:
        return self.layout.format % self.texts

    def plain(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = orjson.loads(self.json())
        return found

    def managed(self) -> dict[Manager, Owned]:
        """The sets of fields of every manager."""
        texts = self.texts
        return {
            part.manager: Owned(
                orjson.loads(part.fields % texts[part.first : part.last]), part.api_version, texts[part.time] if part.time >= 0 else ""
            )
            for part in self.layout.parts
        }

    def same_but_for_times(self, other: ManagedFields) -> bool:
        if self.layout is not other.layout:
            return False
        times = self.layout.times
        return all(index in times or text == other.texts[index] for index, text in enumerate(self.texts))


def of(managed: Managed) -> ManagedFields | None:
    """None where nobody owns anything."""
    if not managed:
        return None
    shown, parts = [], []
    texts: list[str] = []
    for who, owned in entries.ordered(managed):
        time = -1
        if owned.time:
            time = len(texts)
            texts.append(owned.time)
        first = len(texts)
        fields = _PRIVATE.sub(_gap, _json(owned.fields).replace("%", "%%"))
        texts += _PRIVATE.findall(_json(owned.fields))
        parts.append(_Part(who, owned.api_version, fields, time, first, len(texts)))
        shown.append(_entry(who, owned, fields))
    text = f"[{','.join(shown)}]"
    layout = _layouts.get(text)
    if layout is None:
        layout = _layouts[text] = Layout(text, tuple(parts))
    return ManagedFields(layout, tuple(texts))


def _gap(found: re.Match[str]) -> str:
    whole, private = found.group(0), found.group(1)
    return whole[: found.start(1) - found.start()] + "%s" + whole[found.start(1) - found.start() + len(private) :]


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _entry(who: Manager, owned: Owned, fields: str) -> str:
    head = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    text = orjson.dumps(head).decode()[:-1].replace("%", "%%")
    if owned.time:
        text += ',"time":"%s"'
    text += f',"fieldsType":"FieldsV1","fieldsV1":{fields}'
    if who.subresource:
        text += f',"subresource":{_json(who.subresource)}'.replace("%", "%%")
    return text + "}"


def read(value: Sequence[Mapping[str, Any]]) -> ManagedFields | None:
    """Of plain entries. Raises ValueError."""
    return of(entries.decode(value))


def compacted(obj: Object) -> None:
    """Make plain managedFields of a decoded object, which is the caller's own, the form in which they are kept."""
    meta = obj["metadata"]
    given = meta.get(FIELD)
    if isinstance(given, list):
        try:
            kept = read(given)
        except ValueError:
            kept = None
        if kept is None:
            del meta[FIELD]
        else:
            meta[FIELD] = kept


def default(value: Any) -> orjson.Fragment:
    """For orjson: how to write what JSON does not know."""
    if type(value) is ManagedFields:
        return orjson.Fragment(value.layout.format % value.texts)
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")


def default_plain(value: Any) -> Any:
    """The same where the JSON is indented."""
    return value.plain() if type(value) is ManagedFields else default(value)


def plain_data(value: Any) -> Any:
    """A whole document (a list, a Table) as plain data."""
    return orjson.loads(orjson.dumps(value, default))


def without(obj: Object) -> Object:
    """The object as nobody's."""
    meta = obj.get("metadata")
    if not meta or FIELD not in meta:
        return obj
    return {**obj, "metadata": {name: value for name, value in meta.items() if name != FIELD}}


def plain(obj: Object) -> Object:
    """The object with its managedFields as plain data, for whoever looks into it; the object itself where they are."""
    meta = obj.get("metadata")
    if meta and type(given := meta.get(FIELD)) is ManagedFields:
        return {**obj, "metadata": {**meta, FIELD: given.plain()}}
    return obj
