"""The seam between whoever uses the API and the server: one request value, one response value, one Protocol.

`HttpsTransport` (https_transport.py) turns an ApiRequest into HTTP; the API server's in-process transport hands the same
value to the same chain of filters and handlers, with no socket and no encoding. Callers cannot tell which they hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
NO_QUERY: Final[Mapping[str, str]] = {}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"


class WatchEvent(NamedTuple):
    """type: ADDED, MODIFIED, DELETED, BOOKMARK (object has only kind and metadata.resourceVersion), ERROR (a Status)."""

    type: str
    object: Object


class ApiRequest:
    """One request on a resource.

    verb: get list watch create update patch delete deletecollection, or connect for streaming subresources.
    query: URL parameters by their API names (labelSelector, resourceVersion, dryRun, fieldManager...).
    body: an object (a value: the server does not change it), for a patch the patch document (dict, or list for JSON
    patch), DeleteOptions for deletes.
    content_type: matters for patches only. accept: "" means plain objects; TABLE and PARTIAL_METADATA are understood.
    """

    __slots__ = ("accept", "body", "content_type", "name", "namespace", "query", "resource", "subresource", "verb")

    def __init__(
        self,
        verb: str,
        resource: ResourceType,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        query: Mapping[str, str] = NO_QUERY,
        body: Any = None,
        content_type: str = "",
        accept: str = "",
    ) -> None:
        self.verb = verb
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.subresource = subresource
        self.query = query
        self.body = body
        self.content_type = content_type
        self.accept = accept


class ApiResponse:
    """`object` for everything but watches and logs; `events` for watches: batches, one per commit (or per read);
    `text` for plain-text streams (pods/log)."""

    __slots__ = ("events", "object", "status", "text", "warnings")

    def __init__(
        self,
        status: int,
        object: Object | None = None,
        warnings: Sequence[str] = (),
        events: AsyncIterator[Sequence[WatchEvent]] | None = None,
        text: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.status = status
        self.object: Object = {} if object is None else object
        self.warnings = warnings
        self.events = events
        self.text = text


class RawResponse(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    async def request(self, request: ApiRequest) -> ApiResponse:
        """Raises kctl.apimachinery.status.ApiError for every answer that is a failure, and
        `kctl.client.errors.ConnectionFailed` where the server cannot be reached."""
        ...

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        """Anything that is not a resource: /version, /apis, /openapi/v3, /healthz, `--raw`. Never raises ApiError."""
        ...

    async def close(self) -> None: ...
