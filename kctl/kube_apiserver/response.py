"""What a request is answered with: a closed union, so that a new kind of answer is refused by the type checker wherever an answer is
looked at (the HTTPS port, the in-process transport, representation) until it is dealt with there.

Every answer has a `status`, the HTTP code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.columns.columns import Columns
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.registry.watch import WatchStream
from kctl.kube_apiserver.watch_cache import Entry

if TYPE_CHECKING:
    from kctl.kube_apiserver.streaming.connection import Connection


@dataclass(slots=True)
class ObjectAnswer:
    """One object in the served version. `endpoint` is whose kind it is, so that it can be shown as a Table or as metadata only; None
    for what is always shown as it is (a Status, a discovery document)."""

    object: Object
    status: int = 200
    endpoint: Endpoint | None = None
    entry: Entry | None = None
    """Of the cache, where the object is a stored one as it stands: its JSON is shared."""
    columns: Columns | None = None
    """How a Table shows the object where it is not of the endpoint's kind (a Scale)."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ListAnswer:
    """A list, still as cache entries: encoded as JSON, Table or metadata only by whoever sends it."""

    status: ClassVar[int] = 200
    endpoint: Endpoint
    entries: Sequence[Entry]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> Object:
        meta: Object = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            meta["continue"] = self.continue_token
        if self.remaining:
            meta["remainingItemCount"] = self.remaining
        return meta

    def object(self) -> Object:
        """The whole list as one object, items in the served version."""
        return {**self.head(), "items": [self.endpoint.from_storage(entry.object) for entry in self.entries]}

    def head(self) -> Object:
        """The list without its items."""
        meta = self.metadata()
        if self.endpoint.custom:
            meta = {"continue": "", **meta}  # a list without a Go type leaves nothing out
        return {"kind": self.endpoint.list_kind, "apiVersion": self.endpoint.resource.api_version, "metadata": meta}


@dataclass(slots=True)
class WatchAnswer:
    """Events as they happen, in batches; whoever sends them closes the stream."""

    status: ClassVar[int] = 200
    stream: WatchStream


@dataclass(slots=True)
class TextAnswer:
    """Plain text as it comes (pods/log), or text of another kind."""

    status: ClassVar[int] = 200
    chunks: AsyncIterator[bytes]
    content_type: str = "text/plain"


@dataclass(slots=True)
class PassedAnswer:
    """What another server answered, passed on as it comes (proxies, aggregated APIs): of its headers those that are for the client, names
    in any case, several with one name where it gave several."""

    status: int
    headers: Sequence[tuple[str, str]]
    chunks: AsyncIterator[bytes]


@dataclass(slots=True)
class RawAnswer:
    """A body that is encoded already: health, metrics, OpenAPI, aggregated discovery. With an ETag among the headers a client that
    has this body is told so (304). `content_type` '' where there is no body."""

    body: bytes
    content_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def has_tag(known: str, tag: str) -> bool:
    """`known`: an If-None-Match header, a list of tags, weak ones among them, or `*`. `tag`: the answer's ETag, with its quotes; '' for an
    answer without one, which matches nothing."""
    if not known or not tag:
        return False
    return known.strip() == "*" or tag.removeprefix("W/") in (each.strip().removeprefix("W/") for each in known.split(","))


@dataclass(slots=True)
class UpgradeAnswer:
    """The connection becomes another protocol's: `serve` gets it once the client has been told, and has it until it returns.
    `protocol` is `websocket` (then with a `subprotocol`, '' for none, whose messages may be text) or `SPDY/3.1`."""

    status: ClassVar[int] = 101
    protocol: str
    serve: Callable[[Connection], Awaitable[None]]
    subprotocol: str = ""
    as_text: bool = False
    raw: bool = False
    """The handshake has been answered by somebody else, in `headers`; whatever the protocol, `serve` gets bytes."""
    headers: Mapping[str, str] = field(default_factory=dict)


Response = ObjectAnswer | ListAnswer | WatchAnswer | TextAnswer | PassedAnswer | RawAnswer | UpgradeAnswer


def failure(error: ApiError) -> ObjectAnswer:
    """The Status of what was refused."""
    headers = dict(error.headers)
    retry = error.details.get("retryAfterSeconds")
    if retry:
        headers["Retry-After"] = str(retry)
    return ObjectAnswer(error.status, error.http_status, headers=headers)
