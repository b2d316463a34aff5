"""matchConditions of webhooks. The compiled ones of a webhook are kept with it; a cluster whose webhooks have none loads no CEL."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import Server
from kctl.kube_apiserver.admission.webhooks.dispatch import Question
from kctl.kube_apiserver.admission.webhooks.hooks import Hook

if TYPE_CHECKING:
    from kctl.kube_apiserver.admission.match_conditions import MatchConditions


class Conditions:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._compiled: WeakKeyDictionary[Hook, MatchConditions] = WeakKeyDictionary()

    async def hold(self, hook: Hook, question: Question, seen_as: ResourceType) -> bool:
        """Raises Forbidden where it cannot be told and the webhook fails closed."""
        if not hook.facts.get("matchConditions"):
            return True
        if hook not in self._compiled:
            await self._server.clock.beside(partial(import_module, "kctl.kube_apiserver.admission.match_conditions"))
        from kctl.kube_apiserver.admission.expressions import Lengthy

        try:
            return self._hold(hook, question, seen_as)
        except Lengthy:
            return await self._server.clock.beside(partial(self._hold, hook, question, seen_as, asyncio.get_running_loop()))

    def _hold(self, hook: Hook, question: Question, seen_as: ResourceType, loop: asyncio.AbstractEventLoop | None = None) -> bool:
        from kctl.kube_apiserver.admission.cel_environment import Environment
        from kctl.kube_apiserver.admission.expressions import MATCH_BUDGET, Evaluation
        from kctl.kube_apiserver.admission.match_conditions import ConditionsFailed, MatchConditions

        environment = Environment()
        conditions = self._compiled.get(hook)
        if conditions is None:
            conditions = self._compiled[hook] = MatchConditions(hook.facts["matchConditions"], environment)
        context, operation = question.context, question.operation
        evaluation = Evaluation(self._server, context, operation, seen_as, question.obj, question.old, loop)
        try:
            return conditions.hold(evaluation.scope(environment, budget=MATCH_BUDGET), fails_open=hook.fails_open)
        except ConditionsFailed as error:
            raise forbidden(operation.resource.group, operation.resource.plural, operation.name, str(error)) from None
