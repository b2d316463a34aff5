"""ValidatingAdmissionPolicy: expressions say what an object must be; bindings say for whom, with which parameters, and what happens
where it is not: it is refused, warned of, or audited (upstream's plugin/policy/validating)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import ApiError, forbidden
from kctl.kube_apiserver.admission.expressions import BudgetSpent, Evaluation, ExpressionError, Lengthy, Scope
from kctl.kube_apiserver.admission.match_conditions import ConditionsFailed
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation, Server
from kctl.kube_apiserver.admission.policies.definitions import Applied, Binding, Definition, Definitions, applied
from kctl.kube_apiserver.admission.webhooks.dispatch import Question
from kctl.kube_apiserver.cel.types import BOOL, NULL, STRING
from kctl.kube_apiserver.registry.strategy import Context

_GROUP = "admissionregistration.k8s.io/v1"
_POLICIES, _BINDINGS = built_in(_GROUP, "ValidatingAdmissionPolicy"), built_in(_GROUP, "ValidatingAdmissionPolicyBinding")
_CODES = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_LONGEST_MESSAGE, _LONGEST_ANNOTATION = 5 * 1024, 10 * 1024
_FAILURE = "validation.policy.admission.k8s.io/validation_failure"


class _Failure(NamedTuple):
    """`number`: which of the validations; `reason` is that of the Status; `always`: refused whatever the binding says."""

    of: Applied
    message: str
    number: int = 0
    reason: str = "Invalid"
    always: bool = False


class _Verdict(NamedTuple):
    """`notes`: audit annotations, (policy, key, value)."""

    failures: list[_Failure]
    notes: list[tuple[str, str, str]]


class ValidatingAdmissionPolicy(AdmissionPlugin):
    name = "ValidatingAdmissionPolicy"
    operations = ("CREATE", "UPDATE", "DELETE", "CONNECT")

    def __init__(self, server: Server | None = None) -> None:
        if server is not None:
            self._server = server
            self._definitions = Definitions(server, _POLICIES, _BINDINGS)

    def bind(self, server: Server) -> AdmissionPlugin:
        return ValidatingAdmissionPolicy(server)

    def wants(self, operation: Operation) -> bool:
        return self._definitions.may_concern(operation)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        present, before = (None, obj) if operation.operation == "DELETE" else (obj, old)
        question = Question(context, operation, present, before)
        every = [each for definition in self._definitions.all() for each in applied(self._server, definition, operation, present, before)]
        if not every:
            return None
        try:
            verdict = self._verdict(every, question)
        except Lengthy:
            return self._beside_loop(every, question)
        _act(question, verdict)
        return None

    async def _beside_loop(self, every: list[Applied], question: Question) -> None:
        _act(question, await self._server.clock.beside(partial(self._verdict, every, question, asyncio.get_running_loop())))

    def _verdict(self, every: list[Applied], question: Question, loop: asyncio.AbstractEventLoop | None = None) -> _Verdict:
        """Raises Lengthy."""
        verdict = _Verdict([], [])
        evaluations: dict[str, Evaluation] = {}
        for each in every:
            definition = each.definition
            if each.problem:
                verdict.failures.extend(_could_not_tell(each, each.problem, always=True))
                continue
            evaluation = evaluations.get(definition.name)
            if evaluation is None:
                evaluation = evaluations[definition.name] = Evaluation(
                    self._server, question.context, question.operation, each.seen_as, question.obj, question.old, loop
                )
            _validate(each, evaluation, verdict)
        return verdict


def _act(question: Question, verdict: _Verdict) -> None:
    """Warn, take down for the audit log, then refuse with the first failure that is to be refused."""
    denials: list[_Failure] = []
    annotations = question.context.audit_annotations
    for failure in verdict.failures:
        of, binding = failure.of.definition.name, failure.of.binding
        actions = ("Deny",) if failure.always or binding is None else binding.spec.get("validationActions") or ()
        if binding is not None and "Warn" in actions:
            warned = f"Validation failed for ValidatingAdmissionPolicy '{of}' with binding '{binding.name}': {failure.message}"
            question.context.warnings.append(warned)
        if binding is not None and "Audit" in actions and annotations is not None:
            annotations[_FAILURE] = _told(failure, binding)
        if "Deny" in actions:
            denials.append(failure)
    if annotations is not None:
        _annotate(annotations, verdict.notes)
    if denials:
        raise _refusal(denials[0], question.operation)


def _told(failure: _Failure, binding: Binding) -> str:
    of_binding = {"policy": binding.spec.get("policyName"), "binding": binding.name, "expressionIndex": failure.number}
    told = {"message": failure.message, **of_binding, "validationActions": binding.spec.get("validationActions")}
    return json.dumps([told], separators=(",", ":"), ensure_ascii=False)


def _annotate(annotations: dict[str, str], notes: list[tuple[str, str, str]]) -> None:
    """Different values that several bindings or parameters make for a key stand one after the other."""
    values: dict[str, dict[str, None]] = {}
    for policy, key, value in notes:
        values.setdefault(f"{policy}/{key}", {})[value[:_LONGEST_ANNOTATION]] = None
    annotations.update((key, ", ".join(made)) for key, made in values.items())


def _could_not_tell(of: Applied, why: object, index: int = 0, *, always: bool = False) -> Iterator[_Failure]:
    if not of.definition.fails_open:
        yield _Failure(of, str(why), index, always=always)


def _validate(of: Applied, evaluation: Evaluation, verdict: _Verdict) -> None:
    definition = of.definition
    scope = evaluation.scope(definition.environment, of.params)
    try:
        if not definition.conditions.hold(scope, fails_open=definition.fails_open):
            return
    except ConditionsFailed as error:
        verdict.failures.extend(_could_not_tell(of, error))
        return
    for index, validation in enumerate(definition.spec.get("validations") or ()):
        expression = str(validation.get("expression") or "")
        try:
            holds = scope.run(definition.environment.compile(expression, BOOL), expression)
            if holds is not True:
                message = _message(definition, validation, scope) or f"failed expression: {expression.strip()}"
                verdict.failures.append(_Failure(of, message, index, str(validation.get("reason") or "Invalid")))
        except BudgetSpent as error:
            verdict.failures.extend(_could_not_tell(of, error, index))
            return
        except ExpressionError as error:
            verdict.failures.extend(_could_not_tell(of, error, index))
    _take_down(of, evaluation.scope(definition.environment, of.params), verdict)


def _take_down(of: Applied, scope: Scope, verdict: _Verdict) -> None:
    definition = of.definition
    for annotation in definition.spec.get("auditAnnotations") or ():
        expression = str(annotation.get("valueExpression") or "")
        try:
            value = scope.run(definition.environment.compile(expression, STRING, NULL), expression)
        except ExpressionError as error:
            verdict.failures.extend(_could_not_tell(of, error, always=True))
            continue
        if isinstance(value, str) and value.strip():
            verdict.notes.append((definition.name, str(annotation.get("key") or ""), value.strip()))


def _message(definition: Definition, validation: Mapping[str, Any], scope: Scope) -> str:
    """That of messageExpression where it makes one, else the message that is written down. Raises BudgetSpent."""
    expression = validation.get("messageExpression")
    if expression:
        try:
            made = scope.run(definition.environment.compile(expression, STRING, authorizer=False), expression)
        except BudgetSpent:
            raise
        except ExpressionError:
            made = None
        if isinstance(made, str) and made.strip() and "\n" not in made.strip() and len(made.strip().encode()) <= _LONGEST_MESSAGE:
            return made.strip()
    return str(validation.get("message") or "").strip()


def _refusal(failure: _Failure, operation: Operation) -> ApiError:
    definition, binding = failure.of.definition, failure.of.binding
    with_binding = f" with binding '{binding.name}'" if binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{definition.name}'{with_binding} denied request: {failure.message}"
    resource = operation.resource
    error = forbidden(resource.group, resource.plural, operation.name, message)
    error.status["reason"] = failure.reason
    error.status["code"] = _CODES.get(failure.reason, 422)
    error.status["details"]["causes"] = [{"message": message}]
    return error


PLUGIN = ValidatingAdmissionPolicy()
