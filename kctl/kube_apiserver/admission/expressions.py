"""Evaluating expressions of webhooks and policies for one request (upstream's plugin/cel activation).

All of them see the same variables, each made when it is first looked at, and those of one policy share one budget of costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from kctl.apimachinery import user
from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, ResourceType
from kctl.kube_apiserver.admission import mutation
from kctl.kube_apiserver.admission.cel_environment import Environment
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.admission.webhooks import review
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.cel import effort
from kctl.kube_apiserver.cel.authorization import Authorizer, Decision, Question
from kctl.kube_apiserver.cel.program import BUDGET, PER_CALL_LIMIT, Program
from kctl.kube_apiserver.cel.values import CelError, CostExceeded, MapValue
from kctl.kube_apiserver.custom_resources.cel_values import value_of
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.registry.strategy import Lengthy as Lengthy

MATCH_BUDGET = BUDGET // 4
"""Of all match conditions for one request (RuntimeCELCostBudgetMatchConditions)."""
QUICK = 2_000
"""The cost of what is evaluated on the event loop: some 20 ms."""
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class ExpressionError(Exception):
    """An expression that has no result; the text is upstream's."""


class BudgetSpent(ExpressionError):
    def __init__(self) -> None:
        super().__init__(OUT_OF_BUDGET)


class Evaluation:
    """One request, for expressions. `seen_as`: the resource in whose version they see the objects. `loop`: None on the event loop, where
    what would hold it up is Lengthy; the loop itself where they are evaluated beside it, within their budgets."""

    def __init__(
        self,
        server: Server,
        context: Context,
        operation: Operation,
        seen_as: ResourceType,
        obj: Object | None,
        old: Object | None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.quick = QUICK if loop is None else None
        self._loop = loop
        self._server = server
        self._context = context
        self._operation = operation
        self._seen_as = seen_as
        self._objects = {"object": obj, "oldObject": old}
        self._made: dict[str, Any] = {}
        self._decisions: dict[Question, Decision] = {}

    @property
    def object(self) -> Object:
        """As expressions see it, where there is one."""
        obj = self._objects["object"]
        assert obj is not None
        return mutation.shown(self._server, self._operation, self._seen_as, obj)

    @property
    def subresource(self) -> str:
        return self._operation.subresource

    def get(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
        if name in self._objects:
            obj = self._objects[name]
            return None if obj is None else value_of(mutation.shown(self._server, self._operation, self._seen_as, obj), None)
        if name == "namespaceObject":
            namespace = self._server.get_cached(NAMESPACES, "", self._operation.namespace) if self._operation.namespace else None
            return value_of(managed_fields.plain(namespace), None) if namespace is not None else None
        if name == "authorizer":
            return self._authorizer()
        asked = review.request("v1", "", self._context, self._operation, self._seen_as, None, None)["request"]
        return value_of({key: part for key, part in asked.items() if key not in ("uid", "object", "oldObject") and part is not None}, None)

    def _authorizer(self) -> Authorizer:
        operation, resource = self._operation, self._operation.resource
        about = Question("", None, "", resource.group, resource.plural, operation.subresource, operation.namespace, operation.name)
        return Authorizer(self._ask, about)

    def _ask(self, question: Question) -> Decision:
        """Asked on the event loop, where authorizers live. What it costs sees to it that an expression is beside the loop by now, unless
        time is simulated."""
        known = self._decisions.get(question)
        if known is None:
            known = self._decisions[question] = self._on_loop(question)
        return known

    def _on_loop(self, question: Question) -> Decision:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            assert self._loop is not None
            answer: Future[Decision] = Future()
            self._loop.call_soon_threadsafe(lambda: answer.set_result(self._decide(question)))
            return answer.result()
        return self._decide(question)

    def _decide(self, question: Question) -> Decision:
        authorization = self._context.authorization
        if authorization is None:
            return Decision(False)
        who = user.service_account(*question.service_account) if question.service_account is not None else self._context.user
        version = "" if question.path else "*"
        where = (question.group, version, question.resource, question.subresource, question.namespace, question.name, question.path)
        fields = _demanded(question.field_selector)
        verdict = authorization.authorize(Attributes(who, question.verb, *where, fields))
        return Decision(verdict.allowed, verdict.reason)

    @contextmanager
    def making(self) -> Iterator[None]:
        """What an expression made becomes JSON meanwhile. Raises Lengthy, and ExpressionError where it has more parts than it may cost."""
        try:
            with effort.allowed(PER_CALL_LIMIT if self.quick is None else max(self.quick, 0)):
                yield
        except CostExceeded as error:
            if self.quick is not None:
                raise Lengthy from None
            raise ExpressionError(str(error)) from None

    def scope(self, environment: Environment, params: Object | None = None, budget: int = BUDGET) -> Scope:
        return Scope(self, environment, params, budget)


def _demanded(selector: str) -> Mapping[str, str]:
    """The values that a field selector demands, by path; none of one that cannot be read."""
    demanded: dict[str, str] = {}
    for term in filter(None, selector.split(",")):
        path, sign, value = term.partition("=")
        if not sign:
            return {}
        if not path.endswith("!"):
            demanded[path] = value.removeprefix("=")
    return demanded


class Scope:
    """The evaluation of one policy's (or webhook's) expressions: with its parameters, variables and budget."""

    def __init__(self, evaluation: Evaluation, environment: Environment, params: Object | None, budget: int) -> None:
        self.evaluation = evaluation
        self._environment = environment
        self._params = value_of(managed_fields.plain(params), None) if params is not None else None
        self._variables = MapValue(_Variables(environment.variables, self._variable), is_object=True)
        self.budget = budget

    def run(self, program: Program | str, expression: str) -> Any:
        """The value. Raises ExpressionError, BudgetSpent among them, and Lengthy."""
        if isinstance(program, str):
            raise ExpressionError(f"compilation error: {program}")
        try:
            return self._run(program)
        except CelError as error:
            raise ExpressionError(f"expression '{expression}' resulted in error: {error}") from None

    def _run(self, program: Program) -> Any:
        limit, quick = min(PER_CALL_LIMIT, self.budget), self.evaluation.quick
        variables = {name: self._value(name) for name in program.used}
        try:
            value, cost = program.run(variables, limit if quick is None else min(limit, quick))
        except CelError as error:
            if isinstance(error, CostExceeded) and quick is not None and quick < limit:
                raise Lengthy from None
            self._spend(error.cost)
            raise
        self._spend(cost)
        return value

    def _spend(self, cost: int) -> None:
        self.budget -= cost
        if self.evaluation.quick is not None:
            self.evaluation.quick -= cost
        if self.budget < 0:
            raise BudgetSpent

    def _value(self, name: str) -> Any:
        if name == "params":
            return self._params
        return self._variables if name == "variables" else self.evaluation.get(name)

    def _variable(self, name: str, program: Program | str) -> Any:
        if isinstance(program, str):
            raise CelError(f'composited variable "{name}" fails to compile: {program}')
        try:
            return self._run(program)
        except CelError as error:
            raise CelError(f'composited variable "{name}" fails to evaluate: {error}') from None


class _Variables(Mapping[str, Any]):
    """Each is evaluated once, when it is first named."""

    def __init__(self, programs: Mapping[str, Program | str], evaluate: Callable[[str, Program | str], Any]) -> None:
        self._programs = programs
        self._evaluate = evaluate
        self._values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._values[name] = self._evaluate(name, self._programs[name])
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._programs

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)
