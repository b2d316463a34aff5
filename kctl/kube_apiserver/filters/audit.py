"""Writes what the policy wants of a request when it is received, when the answer begins (of watches) and when it is over."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.audit.event import AuditEvent
from kctl.kube_apiserver.audit.log import AuditLog
from kctl.kube_apiserver.audit.policy import Policy
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.filters.request_attributes import attributes_of
from kctl.kube_apiserver.registry.metadata import new_uid
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import ObjectAnswer, Response, TextAnswer, WatchAnswer

MOST_LETTERS = 256
"""Of an Audit-ID that a client gives."""


def with_audit(
    handler: Handler, policy: Policy, log: AuditLog, authorization: Authorization, clock: Clock, randomness: random.Random
) -> Handler:
    """Outside of impersonation: who really asks decides how closely that is logged."""

    async def audit(request: Request) -> Response:
        asked = attributes_of(request)
        rule = policy.rule_for(asked)
        if rule is None:
            return await handler(request)
        who = request.user
        identifier = request.headers.get("audit-id", "")[:MOST_LETTERS] or new_uid(randomness)
        event = AuditEvent(request, asked, rule, identifier, clock.now())

        def write(stage: str) -> None:
            if stage not in rule.level.omits:
                log.write(event.at(stage, clock.now()))

        write("RequestReceived")
        try:
            answer = await handler(request)
        except ApiError as error:
            finish(request, event, who is not request.user)
            event.answered(error.http_status, None, error.status)
            write("ResponseComplete")
            raise
        except Exception:
            event.answered(500, None, None)
            write("Panic")
            raise
        finish(request, event, who is not request.user)
        event.answered(answer.status, answer, _failure(answer))
        if isinstance(answer, WatchAnswer | TextAnswer):
            write("ResponseStarted")
        if request.wire is None:
            write("ResponseComplete")
        else:
            request.on_answered = partial(_both, request.on_answered, partial(write, "ResponseComplete"))
        return answer

    def finish(request: Request, event: AuditEvent, impersonated: bool) -> None:
        if impersonated:
            event.impersonates(request.user)
        verdict = authorization.authorize(attributes_of(request))
        event.authorized(verdict.allowed, verdict.reason)

    return audit


def _failure(answer: Response) -> Object | None:
    """The Status of an answer that is one."""
    if isinstance(answer, ObjectAnswer) and answer.status >= 400 and answer.object.get("kind") == "Status":
        return answer.object
    return None


def _both(first: Callable[[], None] | None, second: Callable[[], None]) -> None:
    if first is not None:
        first()
    second()
