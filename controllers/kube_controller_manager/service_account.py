"""serviceaccount-controller: every active namespace has a ServiceAccount `default`; deleted, it comes back."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.sources import For, Source, Watches, created, deleted, named, namespace_of
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES, SERVICE_ACCOUNTS
from kctl.apimachinery.status import AlreadyExists, Forbidden, NotFound

_NAME = "default"


class ServiceAccountController(LoopController):
    name = "serviceaccount-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)
        self._accounts = context.informers.informer(SERVICE_ACCOUNTS)

    def wakes(self) -> Sequence[Source]:
        return (
            For(NAMESPACES, when=created),
            Watches(SERVICE_ACCOUNTS, to=namespace_of, when=named(_NAME, deleted)),
        )

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
