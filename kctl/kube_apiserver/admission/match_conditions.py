"""matchConditions: expressions that must all be true for a webhook to be asked or a policy to be applied (upstream's matchconditions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.kube_apiserver.admission.cel_environment import Environment
from kctl.kube_apiserver.admission.expressions import ExpressionError, Scope
from kctl.kube_apiserver.cel.types import BOOL


class ConditionsFailed(Exception):
    """Some cannot be told, none is false, and what has them fails closed."""


class MatchConditions:
    """Those of one webhook or policy, compiled once."""

    def __init__(self, conditions: Sequence[Mapping[str, Any]], environment: Environment) -> None:
        texts = [str(condition.get("expression") or "") for condition in conditions]
        self._programs = [(text, environment.compile(text, BOOL)) for text in texts]

    def __bool__(self) -> bool:
        return bool(self._programs)

    def hold(self, scope: Scope, *, fails_open: bool) -> bool:
        """One that is false decides; where one cannot be told it is as `fails_open` says: no match, or ConditionsFailed."""
        errors: list[str] = []
        for text, program in self._programs:
            try:
                if scope.run(program, text) is False:
                    return False
            except ExpressionError as error:
                errors.append(str(error))
        if not errors:
            return True
        if fails_open:
            return False
        told = list(dict.fromkeys(errors))
        raise ConditionsFailed(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
