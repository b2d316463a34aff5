"""What goes wrong between kube-controller-manager and the API server: answers that never come, requests that are refused, watches that end,
are too old to be resumed, or bring everything late. And the manager itself dies at any point and comes back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from controllers.kube_controller_manager.main import IDENTITY, KubeControllerManager, Options
from controllers.runtime.informer import InformerFactory
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import Expired, InternalError, ServiceUnavailable, TooManyRequests
from kctl.apimachinery.user import User
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import ApiRequest, ApiResponse, RawResponse, Transport, WatchEvent
from kctl.daemon.component import ComponentContext

Events = AsyncIterator[Sequence[WatchEvent]]


class Faults:
    """How bad it is at present, and where the watches under way are told."""

    def __init__(self, clock: Clock, randomness: random.Random) -> None:
        self.clock = clock
        self.randomness = randomness
        self.lost_answers = 0.0
        """The share of writes that are done and whose answer does not come."""
        self.refused = 0.0
        """The share of writes that are not done."""
        self.late_seconds = 0.0
        """By how much watches are late."""
        self._watches: dict[_Watch, None] = {}

    def end(self) -> None:
        """All is well again; what is late stays so until it has come."""
        self.lost_answers = self.refused = self.late_seconds = 0.0

    def break_watches(self, *, expired: bool) -> None:
        """Each ends; where they are `expired` they cannot be resumed, and everything is listed anew."""
        for watch in list(self._watches):
            watch.cut(expired)

    def watched(self, events: Events) -> Events:
        return _Watch(self, events).run()

    def note(self, watch: _Watch, *, under_way: bool) -> None:
        if under_way:
            self._watches[watch] = None
        else:
            self._watches.pop(watch, None)


class _Watch:
    def __init__(self, faults: Faults, events: Events) -> None:
        self._faults = faults
        self._events = events
        self._cut = asyncio.get_running_loop().create_future()

    def cut(self, expired: bool) -> None:
        if not self._cut.done():
            self._cut.set_result(expired)

    async def run(self) -> Events:
        source, following = aiter(self._events), None
        self._faults.note(self, under_way=True)
        try:
            while True:
                if following is None:
                    following = asyncio.ensure_future(_next(source))
                waiting: list[asyncio.Future[object]] = [following, self._cut]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if self._cut.done():
                    if self._cut.result():
                        yield [WatchEvent("ERROR", Expired("too old resource version").status)]
                    return
                batch, following = following.result(), None
                if batch is None:
                    return
                if self._faults.late_seconds:
                    await self._faults.clock.sleep(self._faults.randomness.uniform(0, self._faults.late_seconds))
                yield batch
        finally:
            self._faults.note(self, under_way=False)
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()


async def _next(source: Events) -> Sequence[WatchEvent] | None:
    return await anext(source, None)


class FaultyTransport:
    """Of one user."""

    def __init__(self, inner: Transport, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    async def request(self, request: ApiRequest) -> ApiResponse:
        faults = self._faults
        writes = request.verb not in ("get", "list", "watch")
        if writes and faults.refused and faults.randomness.random() < faults.refused:
            raise faults.randomness.choice((InternalError, ServiceUnavailable, TooManyRequests))("the server is not well")
        response = await self._inner.request(request)
        if writes and faults.lost_answers and faults.randomness.random() < faults.lost_answers:
            raise ConnectionFailed("https://test", "unexpected EOF")
        if response.events is not None:
            response.events = faults.watched(response.events)
        return response

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> RawResponse:
        return await self._inner.raw(method, path, query=query, body=body, headers=headers)

    async def close(self) -> None:
        await self._inner.close()


class MortalManager:
    """kube-controller-manager as a component that can die and come back; all it knew is gone then."""

    name = "kube-controller-manager"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(self, context: ComponentContext) -> None:
        self._context = context
        self.faults = Faults(context.clock, context.randomness("faults"))
        self.manager: KubeControllerManager | None = None
        self._killed = asyncio.Event()
        self._down_seconds = 0.0
        self._lives = 0

    @property
    def is_up(self) -> bool:
        return self.manager is not None

    def kill(self, down_seconds: float) -> None:
        self._down_seconds = down_seconds
        self._killed.set()

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        ended = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                self._killed.clear()
                life, death = asyncio.ensure_future(self._live(ready)), asyncio.ensure_future(self._killed.wait())
                waiting: list[asyncio.Future[object]] = [life, death, ended]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                assert not life.done() or life.exception() is None, life.exception()
                life.cancel()
                death.cancel()
                await asyncio.gather(life, death, return_exceptions=True)
                self.manager = None
                if not stop.is_set():
                    await self._context.clock.sleep(self._down_seconds)
        finally:
            ended.cancel()

    async def _live(self, ready: Callable[[], None]) -> None:
        context = self._context
        self._lives += 1
        factory = InformerFactory(self._client(IDENTITY), context.clock)
        try:
            options = Options(root_ca=context.api_server.config.cluster_ca.decode())
            randomness = context.randomness(f"{self.name}/{self._lives}")
            self.manager = KubeControllerManager(self._client, factory, context.clock, randomness, options=options)
            await self.manager.run(ready, asyncio.Event())
        finally:
            await factory.stop()

    def _client(self, who: User) -> Client:
        return Client(FaultyTransport(self._context.api_server.component_transport(who), self.faults))
