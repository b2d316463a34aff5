"""serviceaccount-controller: every active namespace has a ServiceAccount `default`; deleted, it comes back."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime.controller import Controller
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES, SERVICE_ACCOUNTS
from kctl.apimachinery.status import AlreadyExists, Forbidden, NotFound

_NAME = "default"


class ServiceAccountController(LoopController):
    name = "serviceaccount-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)
        self._accounts = context.informers.informer(SERVICE_ACCOUNTS)
        self._loop = Controller(self.name, self, context.clock)
        self.loops.append(self._loop)
        self._namespaces.add_handler(self._namespaces_changed)
        self._accounts.add_handler(self._accounts_changed)

    def _namespaces_changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if old is None and new is not None:
                self._loop.enqueue_object(new)

    def _accounts_changed(self, changes: Sequence[Change]) -> None:
        for old, new in changes:
            if new is None and old is not None and objects.name(old) == _NAME:
                self._loop.enqueue(objects.namespace(old))

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get(key)
        if namespace is None or objects.deletion_timestamp(namespace) or self._accounts.get(f"{key}/{_NAME}"):
            return
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": key}}
        try:
            self._accounts.observe([await self._client.create(SERVICE_ACCOUNTS, account, key)])
        except (AlreadyExists, NotFound):
            return
        except Forbidden as error:
            if not namespace_terminating(error):
                raise
