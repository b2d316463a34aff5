"""What passes through the handler chain: one request, in-process and over HTTPS alike. Its answers are in response.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import ANONYMOUS, User
from kctl.kube_apiserver.caller import CANONICAL, LARGE, WIRE, Body, Caller, manager_of
from kctl.kube_apiserver.response import Response


@dataclass(slots=True)
class Request:
    """What is asked. Over HTTPS `method`, `path`, `headers` and `raw_body` are set and the filter request_info finds
    out the rest; in-process callers give the rest at once, with `body` an object.

    `verb`: get list watch create update patch delete deletecollection connect, or the method in lower case where `resource` is
    None (a path that is no resource).
    """

    verb: str = ""
    resource: ResourceType | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""
    accept: str = ""
    user: User = ANONYMOUS
    form: Body = WIRE
    """Of the body; in-process callers hand over canonical objects or what a person wrote."""
    program: str = ""
    """The user agent, or a component's name."""
    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw_body: bytes | None = None
    client_certificate: Mapping[str, Any] | None = None
    unserved: ApiError | None = None
    """What is wrong with the path, for whoever may ask for it: no such resource, a method it does not have."""
    warnings: list[str] = field(default_factory=list)
    on_answered: Callable[[], None] | None = None
    """What is to be done when the whole answer has been sent; see `answered`."""

    @property
    def in_process(self) -> bool:
        return not self.method

    def answered(self) -> None:
        """Whoever sends answers to clients says so when one is over, however it ended."""
        if self.on_answered is not None:
            done, self.on_answered = self.on_answered, None
            done()

    @property
    def is_canonical(self) -> bool:
        return self.form is CANONICAL

    def dry_run(self) -> bool:
        return "dryRun" in self.query

    def sent_much(self) -> bool:
        """Whether the body is large, or may be: aliases make much of few bytes of YAML."""
        raw = self.raw_body
        return raw is not None and (len(raw) >= LARGE or ("yaml" in self.content_type and b"&" in raw))

    def caller(self) -> Caller:
        query = self.query
        caller = Caller(self.user, query.get("fieldManager") or manager_of(self.program), self.form, "dryRun" in query, self.warnings)
        caller.sent_much = self.sent_much()
        return caller


Handler = Callable[[Request], Awaitable[Response]]
"""A step of the way of a request: the verbs at its end and every filter in front of them."""
