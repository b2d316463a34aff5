"""Asking one webhook: what both kinds of webhook plugins have in common."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass

import orjson

from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission import mutation
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.admission.webhooks import review
from kctl.kube_apiserver.admission.webhooks.errors import CallFailed, no_dry_run, rejection
from kctl.kube_apiserver.admission.webhooks.hooks import Hook
from kctl.kube_apiserver.admission.webhooks.review import Answer, BadReview
from kctl.kube_apiserver.admission.webhooks.transport import CannotReach, WebhookTransport
from kctl.kube_apiserver.registry.strategy import Context


@dataclass(frozen=True, slots=True)
class Question:
    """`obj` and `old` are in the form they are stored in; a webhook gets them in the version its rules name."""

    context: Context
    operation: Operation
    obj: Object | None
    old: Object | None


class Dispatcher:
    """`kind` is what metrics call it: admit or validating."""

    def __init__(self, server: Server, transport: WebhookTransport, kind: str) -> None:
        self._server = server
        self._transport = transport
        self._mutating = kind == "admit"
        self._randomness: random.Random = server.randomness

    async def ask(self, hook: Hook, seen_as: ResourceType, question: Question) -> Answer:
        """Its answer, which allows what is asked. Raises CallFailed, and the ApiError it refuses with."""
        if question.context.dry_run and not hook.allows_dry_run:
            raise no_dry_run(hook.name)
        uid = str(uuid.UUID(int=self._randomness.getrandbits(128), version=4))
        try:
            version = review.version_for(hook.facts.get("admissionReviewVersions") or ())
            body = await self._body(version, uid, seen_as, question)
        except BadReview as error:
            raise CallFailed(hook.name, f"could not create admission objects: {error}", 400) from None
        try:
            raw = await self._transport.post(hook.facts.get("clientConfig") or {}, body, hook.timeout_seconds)
        except CannotReach as error:
            raise CallFailed(hook.name, f"failed to call webhook: {error}", error.code) from None
        try:
            answer = review.read(raw, version, uid, mutating=self._mutating)
        except BadReview as error:
            raise CallFailed(hook.name, f"received invalid webhook response: {error}") from None
        except ValueError as error:
            raise CallFailed(hook.name, f"failed to call webhook: {error}") from None
        question.context.warnings.extend(answer.warnings)
        if not answer.allowed:
            raise rejection(hook.name, answer.result)
        return answer

    async def _body(self, version: str, uid: str, seen_as: ResourceType, question: Question) -> bytes:
        operation, server = question.operation, self._server
        obj = await mutation.seen(server, operation, seen_as, question.obj) if question.obj is not None else None
        old = await mutation.seen(server, operation, seen_as, question.old) if question.old is not None else None
        return orjson.dumps(review.request(version, uid, question.context, operation, seen_as, obj, old), managed_fields.default)
