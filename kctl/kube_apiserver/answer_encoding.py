"""Answers as bytes: status, headers and body, by the Accept header, `pretty` and who asks.

Bodies stay encoded as far as they can: a GET or LIST of the stored version is the cache's own JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, assert_never

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default, default_plain, plain_data
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver import list_encoding, media_types, representation
from kctl.kube_apiserver.media_types import MediaType
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, RawAnswer, failure, has_tag

CACHE_CONTROL = "no-cache, private"
_HUMANS = ("curl/", "wget/", "mozilla/")
Encoded = tuple[int, dict[str, str], bytes]
"""Status, headers, body."""


def encode(request: Request, answer: ObjectAnswer | ListAnswer | RawAnswer, now: datetime) -> Encoded:
    """An answer that is not a stream."""
    match answer:
        case RawAnswer():
            return _raw(request, answer)
        case ObjectAnswer() | ListAnswer():
            return _shown(request, answer, now)
    assert_never(answer)


def _raw(request: Request, answer: RawAnswer) -> Encoded:
    headers = {"Cache-Control": CACHE_CONTROL, **answer.headers}
    if has_tag(request.headers.get("if-none-match", ""), headers.get("ETag", "")):
        return 304, headers, b""
    if answer.content_type:
        headers["Content-Type"] = answer.content_type
    return answer.status, headers, answer.body


def _shown(request: Request, answer: ObjectAnswer | ListAnswer, now: datetime) -> Encoded:
    chosen = media(request)
    try:
        body = _body(request, answer, chosen, now)
    except ApiError as error:
        answer = failure(error)
        body = _dump(MediaType(chosen.name), answer.object, request)
    headers = {"Cache-Control": CACHE_CONTROL, **(answer.headers if isinstance(answer, ObjectAnswer) else {})}
    headers["Content-Type"] = chosen.name
    return answer.status, headers, body


def media(request: Request) -> MediaType:
    try:
        return request.media()
    except ApiError:
        return media_types.DEFAULT


def _body(request: Request, answer: ObjectAnswer | ListAnswer, chosen: MediaType, now: datetime) -> bytes:
    if isinstance(answer, ListAnswer):
        return b"".join(pieces(request, answer, chosen, now))
    if answer.endpoint is None:
        return _dump(chosen, answer.object, request)
    plain = chosen.target == "" and chosen.name == media_types.JSON and not _pretty(request)
    if plain and answer.entry is not None and not answer.endpoint.converts:
        return answer.entry.encoded(answer.endpoint.type_prefix) + b"\n"
    return _dump(chosen, representation.shown(chosen, request, answer, now), request)


def pieces(request: Request, answer: ListAnswer, chosen: MediaType, now: datetime) -> Iterator[bytes]:
    """A list item by item. Raises NotAcceptable, BadRequest before the first piece."""
    return list_encoding.pieces(chosen, request, answer, now, _pretty(request))


def _dump(chosen: MediaType, value: Any, request: Request) -> bytes:
    if chosen.name == media_types.YAML:
        from kctl.apimachinery import yaml

        return yaml.dump(plain_data(value)).encode()
    if _pretty(request):
        return orjson.dumps(value, default_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return orjson.dumps(value, default, option=orjson.OPT_APPEND_NEWLINE)


def _pretty(request: Request) -> bool:
    wanted = request.query.get("pretty")
    if wanted is not None:
        return wanted.lower() not in ("false", "0")
    return request.headers.get("user-agent", "").lower().startswith(_HUMANS)
