"""ValidatingAdmissionWebhook: all webhooks that a request concerns are asked at the same time; any of them may refuse it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.admission.webhooks.conditions import Conditions
from kctl.kube_apiserver.admission.webhooks.dispatch import Dispatcher, Question
from kctl.kube_apiserver.admission.webhooks.errors import CallFailed, internal
from kctl.kube_apiserver.admission.webhooks.hooks import Hook, Hooks
from kctl.kube_apiserver.admission.webhooks.metrics import metrics_of, of_error
from kctl.kube_apiserver.admission.webhooks.transport import WebhookTransport
from kctl.kube_apiserver.registry.strategy import Context

_CONFIGURATIONS = built_in("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")


class ValidatingAdmissionWebhook(AdmissionPlugin):
    name = "ValidatingAdmissionWebhook"

    def __init__(self, server: Server | None = None) -> None:
        if server is not None:
            self._hooks = Hooks(server, _CONFIGURATIONS)
            self._conditions = Conditions(server)
            self._metrics = metrics_of(server)
            self._transport = WebhookTransport(server)
            self._dispatcher = Dispatcher(server, self._transport, "validating")

    def bind(self, server: Server) -> AdmissionPlugin:
        return ValidatingAdmissionWebhook(server)

    def wants(self, operation: Operation) -> bool:
        return self._hooks.may_concern(operation)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        present, before = (None, obj) if operation.operation == "DELETE" else (obj, old)
        question = Question(context, operation, present, before)
        asked: list[tuple[Hook, ResourceType]] = []
        for hook in self._hooks.all():
            seen_as = self._hooks.match(hook, operation, present, before)
            if seen_as is not None:
                asked.append((hook, seen_as))
        return self._ask_all(asked, question) if asked else None

    async def _ask_all(self, matching: list[tuple[Hook, ResourceType]], question: Question) -> None:
        asked = [each for each in matching if await self._conditions.hold(each[0], question, each[1])]
        verdicts = await asyncio.gather(*(self._ask(hook, seen_as, question) for hook, seen_as in asked))
        refusal = next((verdict for verdict in verdicts if verdict is not None), None)
        if refusal is not None:
            raise refusal

    async def _ask(self, hook: Hook, seen_as: ResourceType, question: Question) -> ApiError | None:
        with self._metrics.timed("validating", hook.name, question.operation.operation) as call:
            try:
                await self._dispatcher.ask(hook, seen_as, question)
            except CallFailed as error:
                if hook.fails_open:
                    call.failed_open(error.code)
                    return None
                call.refused("calling_webhook_error", error.code)
                return internal(error)
            except ApiError as error:
                call.refused(of_error(error), error.http_status)
                return error
        return None

    def metric_lines(self) -> Iterator[str]:
        return self._metrics.lines(self)

    async def close(self) -> None:
        await self._transport.close()


PLUGIN = ValidatingAdmissionWebhook()
