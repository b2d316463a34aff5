"""The default roles become objects (upstream's poststarthook/rbac/bootstrap-roles): missing ones are created, and what is missing in
those that are there is added, unless their annotation forbids it.

They are in force from the first moment (see RbacAuthorizer), so nobody need wait for the 150 of them: they are written a moment after
the start, or when somebody first reads or writes an object of the group.
"""

from __future__ import annotations

import asyncio
import logging

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kctl.apimachinery.rbac.reconciliation import Operation, Reconciled, reconcile_binding, reconcile_role
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import AlreadyExists, ApiError
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver.authorization.rbac.default_policy import DefaultRole, default_roles
from kctl.kube_apiserver.caller import CANONICAL, Caller
from kctl.kube_apiserver.registry.delete import DeleteOptions
from kctl.kube_apiserver.registry.registry import Registry

_LOG = logging.getLogger(__name__)
_AT_ONCE = 16
"""Roles of one commit: a few milliseconds of work between two looks at what else there is to do."""


class BootstrapRoles:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def run(self) -> None:
        roles = list(default_roles().values())
        for first in range(0, len(roles), _AT_ONCE):
            await asyncio.gather(*(self._reconcile(role) for role in roles[first : first + _AT_ONCE]))

    async def _reconcile(self, role: DefaultRole) -> None:
        """A role before its binding."""
        roles, bindings = (ROLES, ROLE_BINDINGS) if role.namespace else (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
        wanted = role.role()
        await self._store(roles, reconcile_role(self._present(roles, wanted), wanted))
        if role.bound:
            wanted = role.binding()
            await self._store(bindings, reconcile_binding(self._present(bindings, wanted), wanted))

    def _present(self, resource: ResourceType, obj: Object) -> Object | None:
        return self._registry.get_cached(resource, objects.namespace(obj), objects.name(obj))

    async def _store(self, resource: ResourceType, reconciled: Reconciled) -> None:
        if reconciled.protected or reconciled.operation is Operation.NONE:
            return
        obj = reconciled.object
        try:
            await self._write(resource, obj, reconciled.operation)
        except AlreadyExists:  # somebody made one of that name a moment ago; the next start looks at it
            return
        except ApiError as error:
            _LOG.warning("unable to reconcile %s %s: %s", resource.plural, objects.name(obj), error)

    async def _write(self, resource: ResourceType, obj: Object, operation: Operation) -> None:
        endpoint, namespace, name = self._registry.endpoint(resource), objects.namespace(obj), objects.name(obj)
        caller = Caller(APISERVER, "kube-apiserver", CANONICAL)
        if operation is Operation.UPDATE:
            await endpoint.update(namespace, name, lambda _: obj, caller)
            return
        if operation is Operation.RECREATE:
            await endpoint.delete(namespace, name, DeleteOptions(), caller)
        await endpoint.create(namespace, obj, caller)
