"""The ingress controller as a component of a local cluster: it waits for the first Ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kctl.apimachinery.resources import built_in
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, User
from kctl.daemon.component import ComponentContext

if TYPE_CHECKING:
    from controllers.runtime.informer import Change, InformerFactory
    from kctl.daemon.ingress.controller import Place

_IDENTITY = User("kctl:ingress-controller", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED))
_AFTER_START_SECONDS = 0.1


class IngressComponent:
    """`seed` tells this cluster from others on the machine; `places` are where it may listen, in turn, None for the usual ones."""

    name = "ingress-controller"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext, seed: str, places: Sequence[Place] | None = None) -> None:
        self._context = context
        self._seed = seed
        self._places = places

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Nobody's start waits for it."""
        async with self._context.informers(_IDENTITY) as informers:
            first = asyncio.Event()
            watching = self._context.clock.machine.call_later(_AFTER_START_SECONDS, lambda: self._watch(informers, first))
            ready()
            serving = asyncio.get_running_loop().create_task(self._serve(informers, first))
            try:
                await stop.wait()
            finally:
                watching.cancel()
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    @staticmethod
    def _watch(informers: InformerFactory, first: asyncio.Event) -> None:
        informer = informers.informer(built_in("networking.k8s.io/v1", "Ingress"))

        def appeared(changes: Sequence[Change]) -> None:
            first.set()

        informer.add_handler(appeared)
        informer.start()

    async def _serve(self, informers: InformerFactory, first: asyncio.Event) -> None:
        await first.wait()
        from kctl.daemon.ingress import controller

        context = self._context
        await controller.keep(
            lambda: controller.IngressController(
                context.client_for(_IDENTITY),
                informers,
                context.clock,
                context.randomness("ingress-controller"),
                lambda: context.api_server.dialer,
                self._places or controller.places(self._seed),
            ),
            context.clock,
        )
