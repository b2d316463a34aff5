"""clusterrole-aggregation-controller: fills in the rules of ClusterRoles that are made of others, chosen by label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Source, Watches
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound

CLUSTER_ROLES = built_in("rbac.authorization.k8s.io/v1", "ClusterRole")
_AGGREGATING = "aggregating"


def aggregated(role: Object, roles: Sequence[Object]) -> list[dict[str, Any]]:
    """The rules of all roles that a selector of `role` matches, each rule once, in the order of their names."""
    rules: list[dict[str, Any]] = []
    for chosen in role["aggregationRule"].get("clusterRoleSelectors") or ():
        selector = labels.from_label_selector(chosen)
        for other in sorted(roles, key=objects.name):
            if objects.name(other) != objects.name(role) and selector.matches(objects.labels(other)):
                rules += [rule for rule in other.get("rules") or () if rule not in rules]
    return rules


class ClusterRoleAggregation(LoopController):
    name = "clusterrole-aggregation-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._roles = context.informers.informer(CLUSTER_ROLES)
        self._roles.add_index(_AGGREGATING, lambda role: ("",) if role.get("aggregationRule") else ())

    def wakes(self) -> Sequence[Source]:
        """Any role may be, or have been, part of any aggregated one."""
        return (Watches(CLUSTER_ROLES, to=self._aggregated),)

    def _aggregated(self, role: Object) -> list[str]:
        return [objects.name(aggregated) for aggregated in self._roles.by_index(_AGGREGATING, "")]

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
