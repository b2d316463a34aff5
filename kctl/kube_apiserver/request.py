"""What is asked: as it came (`WireRequest`), and taken apart (`Request` and its kinds), which is what passes through the handler chain,
in-process and over HTTPS alike. request_info.py makes the second of the first; answers are in response.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import ANONYMOUS, User
from kctl.kube_apiserver.caller import CANONICAL, LARGE, WIRE, Body, Caller, manager_of
from kctl.kube_apiserver.media_types import MediaType, negotiate
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.response import Response

if TYPE_CHECKING:
    from kctl.kube_apiserver.audit.event import AuditEvent

_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Unread:
    """Of a request that is passed on: all its headers as they came, and its body (None for none), which is still arriving; `length` None
    where nobody knows how much."""

    headers: Sequence[tuple[str, str]]
    body: AsyncIterator[bytes] | None
    length: int | None


@dataclass(slots=True)
class WireRequest:
    """An HTTP request as it came: nobody has decided anything about it."""

    method: str = "GET"
    path: str = "/"
    """Still escaped."""
    query: Mapping[str, str] = field(default_factory=dict)
    """Of a parameter given several times the first."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    raw_body: bytes = b""
    """Set by the filter with_body when it has arrived."""
    arriving: Callable[[], Awaitable[bytes]] | None = None
    """Reads a body that is still on its way; None where there is none."""
    client_certificate: Mapping[str, Any] | None = None
    error: ApiError | None = None
    """What it is refused with, whatever it is about."""
    source: str = ""
    """The address it came from; '' where there is none."""
    user: User = ANONYMOUS
    """Whom the way in knows to ask; over TLS nobody, until the filter authentication has looked."""
    raw_query: str = ""
    """As it came, for what takes a parameter several times and what is passed on."""
    unread: Unread | None = None
    """Then there is no `raw_body`."""


@dataclass(slots=True, kw_only=True)
class Request:
    """What is asked, by whom, and how the answer is wanted. As it stands it is about a path that is no resource (/healthz, /apis, ...);
    the other kinds of request are below. `wire` is None for what a component of this daemon asks."""

    verb: str = ""
    """get list watch create update patch delete deletecollection connect; of a path that is no resource the method in lower case."""
    query: Mapping[str, str] = field(default_factory=dict)
    """The parameters: each handler makes options of them once (handlers/options.py, registry/list_options.py)."""
    accept: str = ""
    content_type: str = ""
    user: User = ANONYMOUS
    program: str = ""
    """The user agent, or a component's name, which is also its field manager."""
    wire: WireRequest | None = None
    warnings: list[str] = field(default_factory=list)
    audit: AuditEvent | None = None
    """What the audit log is told of it; None where that is nothing."""
    constraint: str = ""
    """The verb of the constrained impersonation by which `user` came to be who they are; '' where nobody is impersonated that way."""
    on_answered: Callable[[], None] | None = None
    """What is to be done when the whole answer has been sent; see `answered`."""

    @property
    def is_passed_on(self) -> bool:
        """To another server, body and all."""
        return False

    @property
    def in_process(self) -> bool:
        return self.wire is None

    @property
    def method(self) -> str:
        """'' in-process."""
        return self.wire.method if self.wire is not None else ""

    @property
    def path(self) -> str:
        return self.wire.path if self.wire is not None else ""

    @property
    def headers(self) -> Mapping[str, str]:
        return self.wire.headers if self.wire is not None else _NOTHING

    @property
    def raw_body(self) -> bytes | None:
        """None where an object was handed over, which in-process callers do."""
        return self.wire.raw_body if self.wire is not None else None

    def media(self) -> MediaType:
        """How the answer is wanted. Raises NotAcceptable."""
        return negotiate(self.accept)

    def answered(self) -> None:
        """Whoever sends answers to clients says so when one is over, however it ended."""
        if self.on_answered is not None:
            done, self.on_answered = self.on_answered, None
            done()


@dataclass(slots=True, init=False)
class ResourceRequest(Request):
    """A verb on a served resource, one of its objects or subresources: what handlers get."""

    endpoint: Endpoint
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    body: Any = None
    """Of in-process callers: an object, a patch document, DeleteOptions; others have `raw_body`."""
    form: Body = WIRE

    def __init__(
        self,
        verb: str,
        endpoint: Endpoint,
        namespace: str = "",
        name: str = "",
        subresource: str = "",
        query: Mapping[str, str] = _NOTHING,
        body: Any = None,
        content_type: str = "",
        accept: str = "",
        user: User = ANONYMOUS,
        form: Body = WIRE,
        program: str = "",
        wire: WireRequest | None = None,
    ) -> None:
        """Written out, and called with positions, because components make thousands a second: by keywords it takes three times as long."""
        self.verb = verb
        self.endpoint = endpoint
        self.namespace = namespace
        self.name = name
        self.subresource = subresource
        self.query = query
        self.body = body
        self.content_type = content_type
        self.accept = accept
        self.user = user
        self.form = form
        self.program = program
        self.wire = wire
        self.warnings = []
        self.audit = None
        self.constraint = ""
        self.on_answered = None

    @property
    def is_passed_on(self) -> bool:
        return self.subresource == "proxy"

    @property
    def resource(self) -> ResourceType:
        return self.endpoint.resource

    @property
    def path(self) -> str:
        """In-process: where it would have gone."""
        return self.wire.path if self.wire is not None else self.resource.path(self.namespace, self.name, self.subresource)

    def media(self) -> MediaType:
        """Collections could be watched, which a refusal mentions."""
        return negotiate(self.accept, not self.name)

    @property
    def is_canonical(self) -> bool:
        return self.form is CANONICAL

    def sent_much(self) -> bool:
        """Whether the body is large, or may be: aliases make much of few bytes of YAML."""
        if self.wire is None:
            return False
        raw = self.wire.raw_body
        return len(raw) >= LARGE or ("yaml" in self.content_type and b"&" in raw)

    def caller(self) -> Caller:
        query = self.query
        if self.wire is None:
            return Caller(self.user, query.get("fieldManager") or self.program, self.form, "dryRun" in query, self.warnings)
        manager = query.get("fieldManager") or manager_of(self.program)
        return Caller(self.user, manager, self.form, "dryRun" in query, self.warnings, sent_much=self.sent_much())


@dataclass(slots=True, kw_only=True)
class UnservedRequest(Request):
    """A request on a path of the API that nothing serves: an unknown group, version or resource, or a method that the resource does not
    have. It passes the same filters (whoever may not ask learns no more than that), and is then answered with `error`; None stands
    for the plain page that says 404. The names are as on the path, and may be of nothing there is."""

    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    error: ApiError | None = None


@dataclass(slots=True, kw_only=True)
class AggregatedRequest(Request):
    """On a group version that an extension API server serves."""

    group: str
    version: str

    @property
    def is_passed_on(self) -> bool:
        return True


Handler = Callable[[Request], Awaitable[Response]]
"""A step of the way of a request: the verbs at its end and every filter in front of them."""
