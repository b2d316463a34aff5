"""LIST: from the cache, or from the store's history where a page or an exact revision of the past is asked for.

A continue token holds the revision of the first page and the last key given, so that all pages together are one consistent list.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from kctl.apimachinery.status import BadRequest, Expired, ServiceUnavailable, Timeout
from kctl.kube_apiserver.handlers import go_json
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.generic import Registry
from kctl.kube_apiserver.registry.list_options import ListOptions
from kctl.kube_apiserver.registry.selection import Selection, select
from kctl.kube_apiserver.storage import StorageError, TooOld
from kctl.kube_apiserver.watch_cache import Entry

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


async def list_objects(
    registry: Registry, endpoint: Endpoint, namespace: str, query: Mapping[str, str], options: ListOptions
) -> ListResult:
    """Raises BadRequest, Expired (410), Timeout (a resourceVersion not reached yet)."""
    selection = select(endpoint, namespace, query)
    if options.continue_token:
        revision, after = _decode_token(options.continue_token)
        return await _page(registry, endpoint, selection, options.limit, revision, after)
    if options.exact:
        return await _page(registry, endpoint, selection, options.limit, options.revision, "")
    if options.revision > registry.storage.revision:
        raise too_large(options.revision, registry.storage.revision)
    if not options.limit or (options.revision == 0 and options.revision_given):
        matches = selection.matches
        found = list(_candidates(endpoint, selection, ""))
        if matches is not None:
            found = [entry for entry in found if matches(entry.object)]
        return ListResult(found, registry.storage.revision)
    return await _page(registry, endpoint, selection, options.limit, 0, "")


def _candidates(endpoint: Endpoint, selection: Selection, after: str) -> list[Entry]:
    cache = endpoint.cache
    if selection.name and (selection.namespace or not endpoint.resource.namespaced):
        key = endpoint.key(selection.namespace, selection.name)
        entry = cache.entries.get(key)
        return [entry] if entry is not None and key > after else []
    return list(cache.list(selection.namespace, after))


async def _page(registry: Registry, endpoint: Endpoint, selection: Selection, limit: int, revision: int, after: str) -> ListResult:
    """Up to `limit` (0 = all) matching objects after the key `after`, as of `revision` (0 = now; -1 = now, tokens
    of an inconsistent list)."""
    storage = registry.storage
    at = storage.revision if revision <= 0 else revision
    if at > storage.revision:
        raise too_large(at, storage.revision)
    if at >= endpoint.cache.last_revision:
        entries = _candidates(endpoint, selection, after)
    else:
        try:
            entries, _, _ = await storage.list_at(endpoint.cache, selection.namespace, after, at, 0)
        except TooOld:
            raise _expired(endpoint, revision, after) from None
        except StorageError as error:
            raise ServiceUnavailable(str(error)) from None
    kept: list[Entry] = []
    for index, entry in enumerate(entries):
        if selection.matches is not None and not selection.matches(entry.object):
            continue
        if limit and len(kept) == limit:
            token = _encode_token(at if revision >= 0 else -1, _key(endpoint, kept[-1]))
            remaining = None if selection.matches is not None else len(entries) - index
            return ListResult(kept, at, token, remaining)
        kept.append(entry)
    return ListResult(kept, at)


def _key(endpoint: Endpoint, entry: Entry) -> str:
    meta = entry.object["metadata"]
    return endpoint.key(meta.get("namespace", ""), meta["name"])


def _encode_token(revision: int, key: str) -> str:
    payload = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": key + "\0"})
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def _decode_token(token: str) -> tuple[int, str]:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        payload = json.loads(raw.decode("latin-1"))
        if payload.get("v") != "meta.k8s.io/v1":
            raise BadRequest(_INVALID_TOKEN + f'server does not recognize this encoded version "{payload.get("v", "")}"')
        revision, start = int(payload.get("rv") or 0), str(payload.get("start") or "")
    except json.JSONDecodeError:
        raise BadRequest(f"{_INVALID_TOKEN}{go_json.explain(raw.decode('latin-1'))}") from None
    except (binascii.Error, ValueError, AttributeError, TypeError) as error:
        raise BadRequest(f"{_INVALID_TOKEN}{error}") from None
    if not start:
        raise BadRequest(_INVALID_TOKEN + "encoded start key empty (version meta.k8s.io/v1)")
    if revision == 0:
        raise BadRequest(_INVALID_TOKEN + "incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    return revision, start.removesuffix("\0")


def _expired(endpoint: Endpoint, revision: int, after: str) -> Expired:
    if not after:
        return Expired(f"The resourceVersion for the provided list is too old: {revision}")
    error = Expired(EXPIRED_TOKEN)
    error.status["metadata"] = {"continue": _encode_token(-1, after)}
    return error


def too_large(wanted: int, current: int) -> Timeout:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return Timeout(f"Timeout: Too large resource version: {wanted}, current: {current}", details=details)
