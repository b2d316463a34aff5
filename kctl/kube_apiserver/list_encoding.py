"""A list as pieces of text, item by item, so that nobody ever holds all of it: the JSON of an item is the cache's own, shared with every
other reader. Tables, metadata only, YAML and indented JSON are made item by item too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default, default_plain, plain_data
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver import media_types, representation
from kctl.kube_apiserver.media_types import MediaType
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ListAnswer

CHUNK_BYTES = 64 * 1024
_CHUNK_SECONDS = 0.004
"""What takes longer to make (YAML) is sent in smaller chunks: in between others have their turn."""
_INDENTED = orjson.OPT_INDENT_2


def pieces(media: MediaType, request: Request, listing: ListAnswer, now: datetime, pretty: bool) -> Iterator[bytes]:
    """The whole document. Raises NotAcceptable, BadRequest before the first piece."""
    endpoint = listing.endpoint
    plain = media.name == media_types.JSON and not pretty
    if media.target == "" and plain and not endpoint.converts:
        return _joined(listing.head(), "items", _items(listing))
    if media.target == "":
        head, key = listing.head(), "items"
        found = (endpoint.from_storage(entry.object) for entry in listing.entries)
        values: Iterable[Object] = found if endpoint.custom else map(_without_type, found)
    else:
        head, key, values = representation.listed(media, request, listing, now)
    if media.name == media_types.YAML:
        return _yaml(head, key, values)
    return _joined(head, key, (orjson.dumps(value, default) for value in values)) if plain else _indented(head, key, values)


def chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces put together to what is worth a write."""
    found: list[bytes] = []
    size, began = 0, time.perf_counter()
    for part in parts:
        found.append(part)
        size += len(part)
        if size >= CHUNK_BYTES or (size and time.perf_counter() - began > _CHUNK_SECONDS):
            yield b"".join(found)
            found, size, began = [], 0, time.perf_counter()
    if found:
        yield b"".join(found)


def _items(listing: ListAnswer) -> Iterable[bytes]:
    """Without kind and apiVersion, but for those of a custom resource."""
    if listing.endpoint.custom:
        prefix = listing.endpoint.type_prefix
        return (entry.encoded(prefix) for entry in listing.entries)
    return (entry.item() for entry in listing.entries)


def _without_type(item: Object) -> Object:
    return {key: value for key, value in item.items() if key != "kind" and key != "apiVersion"}


def _joined(head: Object, key: str, items: Iterable[bytes]) -> Iterator[bytes]:
    yield orjson.dumps(head)[:-1] + f',"{key}":['.encode()
    comma = b""
    for item in items:
        yield comma
        yield item
        comma = b","
    yield b"]}\n"


def _indented(head: Object, key: str, items: Iterable[Any]) -> Iterator[bytes]:
    yield orjson.dumps(head, option=_INDENTED)[:-2] + f',\n  "{key}": ['.encode()
    before, end = b"\n    ", b"]\n}\n"
    for item in items:
        yield before + orjson.dumps(item, default_plain, option=_INDENTED).replace(b"\n", b"\n    ")
        before, end = b",\n    ", b"\n  ]\n}\n"
    yield end


def _yaml(head: Object, key: str, items: Iterable[Any]) -> Iterator[bytes]:
    from kctl.apimachinery import yaml

    empty = f"\n{key}: []\n"
    before, _, after = yaml.dump({**head, key: []}).partition(empty)
    yield before.encode()
    first = f"\n{key}:\n"
    for item in items:
        yield (first + yaml.dump([plain_data(item)])).encode()
        first = ""
    yield (empty if first else "").encode() + after.encode()
