"""Writes what the policy wants of a request when it is received, when the answer begins (of long-running ones) and when it is over.

Four filters share one event, which hangs on the request: `around` makes it, outside of impersonation (who really asks decides how closely
is logged); `decided`, just outside of authorization, notes what that says; `noted` the body, which only those that may ask get to send;
`refused`, outside of authentication, logs wrong credentials.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import orjson

from kctl.apimachinery import yaml
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import ApiError, Unauthorized
from kctl.apimachinery.user import User
from kctl.kube_apiserver import representation
from kctl.kube_apiserver.audit.event import AuditEvent
from kctl.kube_apiserver.audit.log import AuditLog
from kctl.kube_apiserver.audit.policy import Policy
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.filters.request_attributes import attributes_of
from kctl.kube_apiserver.registry.metadata import new_uid
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, Response

MOST_LETTERS = 256
"""Of an Audit-ID that a client gives."""
_DECISION, _REASON = "authorization.k8s.io/decision", "authorization.k8s.io/reason"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_NOBODY = User("")


class Auditing:
    """`randomness`: of the ids of requests whose clients give none."""

    def __init__(self, policy: Policy, log: AuditLog, authorization: Authorization, clock: Clock, randomness: random.Random) -> None:
        self._policy = policy
        self._log = log
        self._authorization = authorization
        self._clock = clock
        self._randomness = randomness

    def around(self, handler: Handler) -> Handler:
        def audit(request: Request) -> Awaitable[Response]:
            event = self._event(request, attributes_of(request))
            return handler(request) if event is None else self._logged(handler, request, event)

        return audit

    def decided(self, handler: Handler) -> Handler:
        def note(request: Request) -> Awaitable[Response]:
            if request.audit is not None:
                asked = request.audit.asked
                verdict = self._authorization.explained(asked if asked.user is request.user else replace(asked, user=request.user))
                request.audit.annotate({_DECISION: "allow" if verdict.allowed else "forbid", _REASON: verdict.reason})
            return handler(request)

        return note

    def noted(self, handler: Handler) -> Handler:
        """Beside the loop where the body is large."""

        async def much(request: ResourceRequest, event: AuditEvent) -> Response:
            event.sent(await self._clock.beside(partial(_body, request)), request.verb == "patch")
            return await handler(request)

        def note(request: Request) -> Awaitable[Response]:
            event = request.audit
            if event is None or not isinstance(request, ResourceRequest):
                return handler(request)
            if request.sent_much():
                return much(request, event)
            event.sent(request.body if request.wire is None else _body(request), request.verb == "patch")
            return handler(request)

        return note

    def refused(self, handler: Handler) -> Handler:
        async def audit(request: Request) -> Response:
            try:
                return await handler(request)
            except Unauthorized as error:
                if request.audit is None:
                    event = self._event(request, replace(attributes_of(request), user=_NOBODY))
                    if event is not None:
                        event.answered(error.http_status, error.status)
                        self._write(event, "ResponseStarted")
                raise

        return audit

    def _event(self, request: Request, asked: Attributes) -> AuditEvent | None:
        rule = self._policy.rule_for(asked)
        if rule is None:
            return None
        identifier = request.headers.get("audit-id", "")[:MOST_LETTERS] or new_uid(self._randomness)
        request.audit = event = AuditEvent(
            asked,
            rule,
            identifier,
            self._clock.now(),
            _uri(request),
            _sources(request),
            request.headers.get("user-agent") or request.program,
        )
        return event

    def _write(self, event: AuditEvent, stage: str) -> None:
        if stage not in event.rule.level.omits:
            self._log.write(event.line(stage, self._clock.now()))

    async def _logged(self, handler: Handler, request: Request, event: AuditEvent) -> Response:
        who = request.user
        self._write(event, "RequestReceived")
        try:
            answer = await handler(request)
        except ApiError as error:
            self._finish(request, event, who, error.http_status, error.status)
            self._write(event, "ResponseComplete")
            raise
        except Exception as error:
            event.answered(500, _panic(error))
            self._write(event, "Panic")
            raise
        self._finish(request, event, who, answer.status, self._answered(request, event, answer))
        if request.wire is None:
            self._write(event, "ResponseComplete")
        else:
            request.on_answered = partial(_both, request.on_answered, partial(self._write, event, "ResponseComplete"))
        return answer

    def _finish(self, request: Request, event: AuditEvent, who: User, code: int, answer: Any) -> None:
        if request.user is not who:
            event.impersonates(request.user, request.constraint)
        event.answered(code, answer)
        if event.is_long:
            self._write(event, "ResponseStarted")

    def _answered(self, request: Request, event: AuditEvent, answer: Response) -> Any:
        """The object that is sent, where the event wants it; of a Status always."""
        if isinstance(answer, ObjectAnswer) and answer.object.get("kind") == "Status":
            return answer.object
        if not isinstance(answer, ObjectAnswer | ListAnswer) or not event.rule.level.at_least("RequestResponse"):
            return None
        try:
            return representation.shown(request.media(), request, answer, self._clock.now())
        except ApiError as error:  # what is then answered too
            return error.status


def _panic(error: Exception) -> dict[str, Any]:
    why = f"APIServer panic'd: {type(error).__name__}"
    return {"kind": "Status", "status": "Failure", "message": why, "reason": "InternalError"}


def _uri(request: Request) -> str:
    return f"{request.path}?{urlencode(request.query)}" if request.query else request.path


def _sources(request: Request) -> list[str]:
    """X-Forwarded-For, X-Real-Ip, and the peer itself; what is no address is left out."""
    if request.wire is None:
        return []
    headers = request.headers
    named = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")[:MOST_LETTERS]] if "x-forwarded-for" in headers else []
    sources = [text for text in named if _is_address(text)]
    real = headers.get("x-real-ip", "")
    if real and _is_address(real) and real not in sources:
        sources.append(real)
    peer = request.wire.source
    if peer and (not sources or sources[-1] != peer):
        sources.append(peer)
    return sources


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _body(request: Request) -> Any:
    """As sent, whatever is made of it; None where there is none or it cannot be read."""
    raw, kind = request.raw_body, request.content_type
    if not raw:
        return None
    try:
        if kind.startswith(_PROTOBUF):
            from kctl.kube_apiserver import protobuf

            return protobuf.decode(raw)
        return yaml.load(raw) if "yaml" in kind else orjson.loads(raw)
    except (ValueError, ApiError):
        return None


def _both(first: Callable[[], None] | None, second: Callable[[], None]) -> None:
    if first is not None:
        first()
    second()
