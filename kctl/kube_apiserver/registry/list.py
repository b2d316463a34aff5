"""LIST: from the cache, or from the store's history where a page or an exact revision of the past is asked for.

A continue token holds the revision of the first page and the last key given, so that all pages together are one consistent list.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.diagnose import json_kind
from kctl.apimachinery.status import BadRequest, Expired, ServiceUnavailable
from kctl.kube_apiserver.handlers import go_json
from kctl.kube_apiserver.registry.get import too_large
from kctl.kube_apiserver.registry.list_options import ListOptions
from kctl.kube_apiserver.registry.selection import Selection, select
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.storage import StorageError, TooOld
from kctl.kube_apiserver.watch_cache import Entry

_AT_ONCE = 2000
"""Objects a selector looks at before others have their turn."""
_READ_AT_ONCE = 100
"""Objects read and decoded from the store before others have theirs."""
_INVALID_TOKEN = "invalid continue token: continue key is not valid: "
EXPIRED_TOKEN = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
    "continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with "
    "the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(slots=True)
class ListResult:
    """`remaining` is None where it is not known (a selector is in use) or nothing remains."""

    entries: list[Entry]
    revision: int
    continue_token: str = ""
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins: what a continue token says. `revision` 0 is now (nothing has been given yet), -1 now too, in a list that
    has become inconsistent. `remaining` is how many there are from here on, None where it is not known."""

    revision: int
    after: str = ""
    remaining: int | None = None


class List(ServedResource):
    async def list(self, namespace: str, options: ListOptions) -> ListResult:
        """Raises BadRequest, Expired (410), Timeout (a resourceVersion not reached yet)."""
        selection = select(self, namespace, options)
        if options.continue_token:
            return await _page(self, selection, options.limit, _decode_token(options.continue_token))
        if options.exact:
            return await _page(self, selection, options.limit, _Place(options.revision))
        if options.revision > self.storage.revision:
            raise too_large(options.revision, self.storage.revision)
        limit = 0 if options.revision == 0 and options.revision_given else options.limit
        return await _page(self, selection, limit, _Place(0))


async def _page(served: ServedResource, selection: Selection, limit: int, place: _Place) -> ListResult:
    """Up to `limit` (0 = all) matching objects from `place` on."""
    storage = served.storage
    at = storage.revision if place.revision <= 0 else place.revision
    if at > storage.revision:
        raise too_large(at, storage.revision)
    if at < storage.compact_revision:  # also where nothing of this kind has changed since: other pages may come from elsewhere
        raise _expired(place)
    if at >= served.cache.last_revision:
        return await _present(served, selection, limit, place, at)
    try:
        return await _past(served, selection, limit, place, at)
    except TooOld:
        raise _expired(place) from None
    except StorageError as error:
        raise ServiceUnavailable(str(error)) from None


async def _present(served: ServedResource, selection: Selection, limit: int, place: _Place, at: int) -> ListResult:
    """From the cache: nothing of this resource has changed since `at`."""
    cache = served.cache
    if selection.name and (selection.namespace or not served.resource.namespaced):
        key = served.key(selection.namespace, selection.name)
        entry = cache.entries.get(key) if key > place.after else None
        selected = [entry] if entry is not None and (selection.matches is None or selection.matches(entry.object)) else []
        return ListResult(selected, at)
    if selection.matches is not None:
        return await _matching(served, cache.list(selection.namespace, place.after), selection.matches, limit, place, at)
    keys, first, last = cache.keys(selection.namespace, place.after)
    end = min(first + limit, last) if limit else last
    entries = [cache.entries[keys[index]] for index in range(first, end)]
    return _result(served, entries, place, at, last - end)


async def _matching(
    served: ServedResource, candidates: Sequence[Entry], matches: Callable[[Object], bool], limit: int, place: _Place, at: int
) -> ListResult:
    """As upstream: a full page ends there, whether or not anything that follows matches."""
    kept: list[Entry] = []
    for index, entry in enumerate(candidates):
        if limit and len(kept) == limit:
            return _result(served, kept, place, at, None)
        if matches(entry.object):
            kept.append(entry)
        if index % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    return ListResult(kept, at)


async def _past(served: ServedResource, selection: Selection, limit: int, place: _Place, at: int) -> ListResult:
    """From the store's history, some at a time."""
    cache, storage = served.cache, served.storage
    kept: list[Entry] = []
    after, more = place.after, True
    while more and not (limit and len(kept) == limit):
        some = min(limit - len(kept), _READ_AT_ONCE) if limit else _READ_AT_ONCE
        entries, more = await storage.list_at(cache, selection.namespace, after, at, some)
        if entries:
            after = _key(served, entries[-1])
        kept += entries if selection.matches is None else (entry for entry in entries if selection.matches(entry.object))
        await asyncio.sleep(0)
    if not more:
        return ListResult(kept, at)
    if selection.matches is not None:
        return _result(served, kept, place, at, None)
    if place.remaining is not None:
        return _result(served, kept, place, at, max(place.remaining - len(kept), 1))
    return _result(served, kept, place, at, await storage.count_at(cache, selection.namespace, after, at))


def _result(served: ServedResource, kept: list[Entry], place: _Place, at: int, remaining: int | None) -> ListResult:
    """A page that others follow, unless 0 remain."""
    if remaining == 0:
        return ListResult(kept, at)
    token = _encode_token(_Place(at if place.revision >= 0 else -1, _key(served, kept[-1]), remaining))
    return ListResult(kept, at, token, remaining)


def _key(served: ServedResource, entry: Entry) -> str:
    meta = entry.object["metadata"]
    return served.key(meta.get("namespace", ""), meta["name"])


def _encode_token(place: _Place) -> str:
    """Upstream's fields, and how many remain: to count them again would cost as much as all of them."""
    payload = {"v": "meta.k8s.io/v1", "rv": place.revision, "start": place.after + "\0"}
    if place.remaining is not None:
        payload["remaining"] = place.remaining
    return base64.urlsafe_b64encode(orjson.dumps(payload)).rstrip(b"=").decode()


def _decode_token(token: str) -> _Place:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        payload, _ = go_json.loads(raw.decode("latin-1").encode())
    except (ValueError, go_json.JsonError) as error:  # what is no base64 is a ValueError, too
        raise BadRequest(f"{_INVALID_TOKEN}{error}") from None
    if not isinstance(payload, dict):
        raise BadRequest(f"{_INVALID_TOKEN}json: cannot unmarshal {json_kind(payload)} into Go value of type storage.continueToken")
    version, start, revision = (_of_token(payload, *field) for field in (("v", str, ""), ("start", str, ""), ("rv", int, 0)))
    remaining = _of_token(payload, "remaining", int, None)
    if version != "meta.k8s.io/v1":
        raise BadRequest(_INVALID_TOKEN + f'server does not recognize this encoded version "{version}"')
    if not start:
        raise BadRequest(_INVALID_TOKEN + "encoded start key empty (version meta.k8s.io/v1)")
    if revision == 0:
        raise BadRequest(_INVALID_TOKEN + "incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    return _Place(revision, start.removesuffix("\0"), remaining)


def _of_token(payload: dict[str, Any], name: str, kind: type, missing: Any) -> Any:
    """Raises BadRequest for a field of another type, or a number that Go has no room for."""
    value = payload.get(name)
    if value is None:
        return missing
    is_number = kind is int
    if type(value) is kind and not (is_number and abs(payload[name]) >= 2**63):
        return value
    shown = f"number {value}" if is_number and json_kind(value) == "number" else json_kind(value)
    why = f"json: cannot unmarshal {shown} into Go struct field continueToken.{name} of type {'int64' if is_number else 'string'}"
    raise BadRequest(_INVALID_TOKEN + why)


def _expired(place: _Place) -> Expired:
    if not place.after:
        return Expired(f"The resourceVersion for the provided list is too old: {place.revision}")
    error = Expired(EXPIRED_TOKEN)
    error.status["metadata"] = {"continue": _encode_token(_Place(-1, place.after))}
    return error
