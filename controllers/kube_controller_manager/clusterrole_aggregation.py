"""clusterrole-aggregation-controller: fills in the rules of ClusterRoles that are made of others, chosen by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.runtime.controller import Controller
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound

CLUSTER_ROLES = built_in("rbac.authorization.k8s.io/v1", "ClusterRole")


def aggregated(role: Object, roles: Sequence[Object]) -> list[dict[str, Any]]:
    """The rules of all roles that a selector of `role` matches, each rule once, in the order of their names."""
    found: list[dict[str, Any]] = []
    for entry in role["aggregationRule"].get("clusterRoleSelectors") or ():
        selector = labels.from_label_selector(entry)
        for other in sorted(roles, key=objects.name):
            if objects.name(other) != objects.name(role) and selector.matches(objects.labels(other)):
                found += [rule for rule in other.get("rules") or () if rule not in found]
    return found


class ClusterRoleAggregation(LoopController):
    name = "clusterrole-aggregation-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self._client = context.client
        self._roles = context.informers.informer(CLUSTER_ROLES)
        self._aggregating: set[str] = set()
        self._loop = Controller(self.name, self, context.clock)
        self.loops.append(self._loop)
        self._roles.add_handler(self._changed)

    def _changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            name = objects.name(new or old or {})
            if new is not None and new.get("aggregationRule"):
                self._aggregating.add(name)
            else:
                self._aggregating.discard(name)
        for name in self._aggregating:
            self._loop.enqueue(name)

    async def reconcile(self, key: str) -> None:
        role = self._roles.get(key)
        if role is None or not role.get("aggregationRule"):
            return
        rules = aggregated(role, list(self._roles.list()))
        if rules == (role.get("rules") or []):
            return
        try:
            written = await self._client.update(CLUSTER_ROLES, {**role, "rules": rules or None})
        except NotFound:
            return
        self._roles.observe([written])
