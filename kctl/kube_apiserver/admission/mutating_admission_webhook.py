"""MutatingAdmissionWebhook: webhooks that a request concerns are asked one after the other, and each sees what the ones before it made.

Where one changes the object, the whole of mutating admission is gone through once more (chain.py): the server's own plugins see the
change, and those webhooks that said so (reinvocationPolicy: IfNeeded) are asked again if something has changed since they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import Any

from kctl.apimachinery import json_patch
from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.admission import mutation
from kctl.kube_apiserver.admission.mutation import Invoked
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.admission.webhooks.conditions import Conditions
from kctl.kube_apiserver.admission.webhooks.dispatch import Dispatcher, Question
from kctl.kube_apiserver.admission.webhooks.errors import CallFailed, internal
from kctl.kube_apiserver.admission.webhooks.hooks import Hook, Hooks
from kctl.kube_apiserver.admission.webhooks.metrics import metrics_of, of_error
from kctl.kube_apiserver.admission.webhooks.transport import WebhookTransport
from kctl.kube_apiserver.registry.strategy import Context

_CONFIGURATIONS = built_in("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")


class MutatingAdmissionWebhook(AdmissionPlugin):
    name = "MutatingAdmissionWebhook"
    shares_admission = False

    def __init__(self, server: Server | None = None) -> None:
        if server is not None:
            self._server = server
            self._hooks = Hooks(server, _CONFIGURATIONS)
            self._conditions = Conditions(server)
            self._metrics = metrics_of(server)
            self._transport = WebhookTransport(server)
            self._dispatcher = Dispatcher(server, self._transport, "admit")

    def bind(self, server: Server) -> AdmissionPlugin:
        return MutatingAdmissionWebhook(server)

    def wants(self, operation: Operation) -> bool:
        return self._hooks.may_concern(operation)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        present, before = (None, obj) if operation.operation == "DELETE" else (obj, old)
        if context.reinvocation is None and not any(self._hooks.match(hook, operation, present, before) for hook in self._hooks.all()):
            return None
        return self._ask_in_turn(Question(context, operation, present, before))

    def metric_lines(self) -> Iterator[str]:
        return self._metrics.lines(self)

    async def close(self) -> None:
        await self._transport.close()

    async def _ask_in_turn(self, question: Question) -> None:
        invoked, again = _invoked(question.context)
        if again and question.obj is not None and question.obj != invoked.output:
            invoked.changed()
        try:
            for hook in self._hooks.all():
                seen_as = self._hooks.match(hook, question.operation, question.obj, question.old)
                if seen_as is None or (again and hook.uid not in invoked.to_call_again):
                    continue
                if await self._conditions.hold(hook, question, seen_as):
                    await self._ask(hook, seen_as, question, invoked)
        finally:
            if question.obj is not None:
                invoked.output = dict(question.obj)

    async def _ask(self, hook: Hook, seen_as: ResourceType, question: Question, invoked: Invoked) -> None:
        with self._metrics.timed("admit", hook.name, question.operation.operation) as call:
            try:
                answer = await self._dispatcher.ask(hook, seen_as, question)
                changed = bool(answer.patch) and await self._change(hook, seen_as, question, answer.patch)
            except CallFailed as error:
                if not hook.fails_open:
                    call.refused("calling_webhook_error", error.code)
                    raise internal(error) from None
                call.failed_open(error.code)
                changed = False
            except ApiError as error:
                call.refused(of_error(error), error.http_status)
                raise
        if changed:
            invoked.changed()
            mutation.reinvocation(question.context).needed = True
        if hook.may_be_called_again:
            invoked.may_be_called_again.add(hook.uid)

    async def _change(self, hook: Hook, seen_as: ResourceType, question: Question, patch: list[Any]) -> bool:
        """Apply a patch to the object, in the version the webhook saw it in; whether that made a difference."""
        obj, operation = question.obj, question.operation
        if obj is None:
            why = f'admission webhook "{hook.name}" attempted to modify the object, which is not supported for this operation'
            raise internal(why)
        try:
            plain = managed_fields.plain(await mutation.seen(self._server, operation, seen_as, obj))
            patched = json_patch.apply(plain, patch)
            return await mutation.write_back_from(self._server, question.context, operation, seen_as, obj, patched)
        except json_patch.JsonPatchError as error:
            raise internal(error.message) from None
        except ValueError as error:
            raise internal(error) from None


def _invoked(context: Context) -> tuple[Invoked, bool]:
    """What is known of this request, and whether it is in its second round."""
    round_ = mutation.reinvocation(context)
    return round_.kept.setdefault("MutatingAdmissionWebhook", Invoked()), round_.is_second_round


PLUGIN = MutatingAdmissionWebhook()
