"""An expression, compiled: parsed, checked, and ready to be evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.kube_apiserver.cel import effort, evaluator
from kctl.kube_apiserver.cel.checker import Checker, MadeTypes
from kctl.kube_apiserver.cel.parser import LONGEST, CelSyntaxError, located, parse
from kctl.kube_apiserver.cel.types import DYN, Type
from kctl.kube_apiserver.cel.values import CelError, no_such_overload

PER_CALL_LIMIT = 1_000_000
"""What one evaluation may cost (apiserver's celconfig.PerCallLimit)."""
BUDGET = 10_000_000
"""What all evaluations for one object may cost together (RuntimeCELCostBudget)."""

_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""Python's own, from a function that got what it does not take: an expression fails, a request goes on."""


class CompileError(Exception):
    """The text is `compilation failed: ...`, or says of which type the result must be."""


class Program:
    """`used`: the variables the expression names."""

    def __init__(self, text: str, variables: Mapping[str, Type], wanted: Type = DYN, made: MadeTypes | None = None) -> None:
        """Raises CompileError."""
        try:
            self._compile(text, variables, wanted, made)
        except RecursionError:
            why = located(text, 0, f"expression recursion limit exceeded: {LONGEST}")
            raise CompileError(f"compilation failed: {why}") from None

    def _compile(self, text: str, variables: Mapping[str, Type], wanted: Type, made: MadeTypes | None) -> None:
        try:
            self.tree = parse(text)
        except CelSyntaxError as error:
            why = located(text, error.offset, str(error)) if error.offset >= 0 else str(error)
            raise CompileError(f"compilation failed: {why}") from None
        checker = Checker(text, variables, made)
        self.type = checker.check(self.tree)
        self.used = frozenset(checker.used)
        problems = checker.problems
        if problems:
            raise CompileError("compilation failed: " + "\n".join(problems))
        if wanted != DYN and self.type not in (wanted, DYN):
            raise CompileError(f"must evaluate to a {wanted}")
        try:
            self._evaluate = evaluator.compiled(self.tree)
        except CelError as error:
            raise CompileError(f"compilation failed: {error}") from None

    def run(self, variables: Mapping[str, Any], limit: int = PER_CALL_LIMIT) -> tuple[Any, int]:
        """(the value, what it cost). Raises CelError, whose `cost` says what it cost until then."""
        run = evaluator.Run(variables, limit)
        try:
            with effort.allowed(limit):
                return self._evaluate(run), run.cost
        except CelError as error:
            error.cost = run.cost
            raise
        except RecursionError:
            failed = CelError("expression recursion limit exceeded")
        except _UNFORESEEN:
            failed = no_such_overload()
        failed.cost = run.cost
        raise failed
