"""When the default roles are stored: a moment after the start, or at once when somebody first asks for an object of the group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from kctl.apimachinery.rbac.names import GROUP
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.caller import Body

if TYPE_CHECKING:
    from kctl.kube_apiserver.authorization.rbac.bootstrap import BootstrapRoles
    from kctl.kube_apiserver.registry.registry import Registry

DELAY_SECONDS = 0.25


class Settling:
    def __init__(self, registry: Registry, authorization: Authorization) -> None:
        self._registry = registry
        self._authorization = authorization
        self._task: asyncio.Task[None] | None = None
        self._timer = registry.clock.machine.call_later(DELAY_SECONDS, self._begin)
        authorization.unsettled[GROUP] = self._done

    async def stop(self) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _done(self, verb: str, form: Body) -> Awaitable[None] | None:
        """Watches need not wait: they see the default roles come. Whoever waits may be cancelled without harm to others."""
        if verb == "watch":
            return None
        self._begin()
        assert self._task is not None
        return asyncio.shield(self._task)

    def _begin(self) -> None:
        if self._task is None:
            self._timer.cancel()
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        try:
            bootstrap = await self._registry.clock.beside(_bootstrap)
            await bootstrap(self._registry).run()
        finally:
            self._authorization.unsettled.pop(GROUP, None)


def _bootstrap() -> type[BootstrapRoles]:
    """What is to be imported and read beside the event loop."""
    from kctl.kube_apiserver.authorization.rbac.bootstrap import BootstrapRoles
    from kctl.kube_apiserver.authorization.rbac.default_policy import default_roles

    default_roles()
    return BootstrapRoles
