"""MutatingAdmissionPolicy: expressions make an apply configuration or a JSON patch of an object, which is changed by it; bindings say for
whom and with which parameters (upstream's plugin/policy/mutating).

Each sees what the ones before it made. As with webhooks, mutating admission is gone through once more where something was changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError, forbidden
from kctl.kube_apiserver.admission import mutation
from kctl.kube_apiserver.admission.cel_environment import JSON_PATCHES, OBJECT
from kctl.kube_apiserver.admission.expressions import Evaluation, ExpressionError, Lengthy
from kctl.kube_apiserver.admission.match_conditions import ConditionsFailed
from kctl.kube_apiserver.admission.mutation import Invoked
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.admission.policies import patches
from kctl.kube_apiserver.admission.policies.definitions import Applied, Definitions, applied
from kctl.kube_apiserver.admission.policies.patches import PatchError
from kctl.kube_apiserver.admission.webhooks.dispatch import Question
from kctl.kube_apiserver.registry.strategy import Context

_GROUP = "admissionregistration.k8s.io/v1"
_POLICIES, _BINDINGS = built_in(_GROUP, "MutatingAdmissionPolicy"), built_in(_GROUP, "MutatingAdmissionPolicyBinding")
_Key = tuple[str, str, str, str]


class _Problem(NamedTuple):
    of: Applied
    message: str
    reason: str = "Invalid"


class MutatingAdmissionPolicy(AdmissionPlugin):
    name = "MutatingAdmissionPolicy"
    operations = ("CREATE", "UPDATE", "CONNECT")
    shares_admission = False

    def __init__(self, server: Server | None = None) -> None:
        if server is not None:
            self._server = server
            self._definitions = Definitions(server, _POLICIES, _BINDINGS)

    def bind(self, server: Server) -> AdmissionPlugin:
        return MutatingAdmissionPolicy(server)

    def wants(self, operation: Operation) -> bool:
        return operation.operation != "DELETE" and self._definitions.may_concern(operation)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        every = [each for definition in self._definitions.all() for each in applied(self._server, definition, operation, obj, old)]
        if not every and context.reinvocation is None:
            return None
        return self._mutate(every, Question(context, operation, obj, old))

    async def _mutate(self, every: list[Applied], question: Question) -> None:
        round_ = mutation.reinvocation(question.context)
        invoked: Invoked = round_.kept.setdefault(self.name, Invoked())
        obj = question.obj
        assert obj is not None
        if round_.is_second_round and obj != invoked.output:
            invoked.changed()
        problems = [_Problem(each, each.problem, "Forbidden") for each in every if each.problem]
        try:
            for each in every:
                key = _key(each)
                if each.problem or (round_.is_second_round and key not in invoked.to_call_again):
                    continue
                if await self._apply(each, question, problems):
                    invoked.changed()
                    round_.needed = True
                if each.definition.spec.get("reinvocationPolicy") == "IfNeeded":
                    invoked.may_be_called_again.add(key)
        finally:
            invoked.output = dict(obj)
        problems = [problem for problem in problems if not problem.of.definition.fails_open]
        if problems:
            raise _refusal(problems, question.operation)

    async def _apply(self, of: Applied, question: Question, problems: list[_Problem]) -> bool:
        """Whether it changed the object."""
        obj, definition = question.obj, of.definition
        assert obj is not None
        try:
            if not await self._beside(_holds, of, question):
                return False
        except ConditionsFailed as error:
            problems.append(_Problem(of, str(error)))
            return False
        changed = False
        for each in definition.spec.get("mutations") or ():
            try:
                patched = await self._beside(self._patched, of, question, each)
                changed |= mutation.write_back(self._server, question.context, question.operation, of.seen_as, obj, patched)
            except (ExpressionError, PatchError, ValueError) as error:
                problems.append(_Problem(of, str(error)))
        return changed

    async def _beside(self, evaluate: Any, of: Applied, question: Question, *more: Any) -> Any:
        """On the event loop where that does not take long, beside it where it does."""

        def evaluation(loop: asyncio.AbstractEventLoop | None = None) -> Evaluation:
            return Evaluation(self._server, question.context, question.operation, of.seen_as, question.obj, question.old, loop)

        try:
            return evaluate(of, evaluation(), *more)
        except Lengthy:
            return await self._server.clock.beside(partial(evaluate, of, evaluation(asyncio.get_running_loop()), *more))

    def _patched(self, of: Applied, evaluation: Evaluation, mutation_: Mapping[str, Any]) -> Object:
        """Raises ExpressionError, PatchError, Lengthy."""
        environment, obj = of.definition.environment, evaluation.object
        scope = evaluation.scope(environment, of.params)
        if mutation_.get("patchType") == "JSONPatch":
            expression = str((mutation_.get("jsonPatch") or {}).get("expression") or "")
            made = scope.run(environment.compile(expression, JSON_PATCHES, patches=True), expression)
            with evaluation.making():
                return patches.json_patched(made, obj)
        expression = str((mutation_.get("applyConfiguration") or {}).get("expression") or "")
        made = scope.run(environment.compile(expression, OBJECT, patches=True), expression)
        tracker = self._server.endpoint(of.seen_as).tracker(evaluation.subresource)
        with evaluation.making():
            return patches.apply_configuration(made, obj, tracker.form.field_type)


def _holds(of: Applied, evaluation: Evaluation) -> bool:
    definition = of.definition
    return definition.conditions.hold(evaluation.scope(definition.environment, of.params), fails_open=definition.fails_open)


def _key(of: Applied) -> _Key:
    binding = of.binding.name if of.binding is not None else ""
    params = (objects.namespace(of.params), objects.name(of.params)) if of.params is not None else ("", "")
    return (of.definition.name, binding, *params)


def _refusal(problems: list[_Problem], operation: Operation) -> ApiError:
    """The first is the message, all are causes."""
    resource = operation.resource
    error = forbidden(resource.group, resource.plural, operation.name, "admission request denied by policy")
    texts = [_text(problem) for problem in problems]
    error.status["message"] = texts[0]
    error.status["reason"] = problems[0].reason
    error.status["details"]["causes"] = [{"message": text} for text in texts]
    return error


def _text(problem: _Problem) -> str:
    name, binding = problem.of.definition.name, problem.of.binding
    if binding is not None:
        return f"policy '{name}' with binding '{binding.name}' denied request: {problem.message}"
    return f'policy "{name}" denied request: {problem.message}'


PLUGIN = MutatingAdmissionPolicy()
