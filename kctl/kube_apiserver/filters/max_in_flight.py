"""How many requests are answered at a time: --max-requests-inflight for those that read, --max-mutating-requests-inflight for those that
write. Whoever finds no slot waits in line for a second, then gets a 429. Watches, logs and the like are exempt, and administrators
(system:masters) always get an answer, as upstream.

A slot is held until the answer has been sent, so a client that reads a long list slowly holds one all the while.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from kctl.apimachinery.clock import Clock
from kctl.kube_apiserver.caller import LARGE
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest, WireRequest
from kctl.kube_apiserver.response import RawAnswer, Response

WAIT_SECONDS = 1.0
_YAML = 8
"""As much as JSON of so many times the length is what YAML takes to be read."""
_READING = frozenset({"get", "list", "watch"})
_LONG_RUNNING = frozenset({"watch", "connect"})
_MASTERS = "system:masters"


class Slots:
    """`most` 0 is no limit. As many as have slots may wait for one."""

    def __init__(self, most: int, clock: Clock) -> None:
        self.most = most
        self.taken = 0
        self.refused = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def take_now(self) -> bool:
        if self.most and self.taken >= self.most:
            return False
        self.taken += 1
        return True

    async def take(self) -> bool:
        """False after a second in vain, or at once where the line is too long."""
        if self.take_now():
            return True
        if len(self._waiting) >= self.most:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        timer = self._clock.call_later(WAIT_SECONDS, lambda: _settle(place, False))
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.result():
                self.give_back()
            raise
        finally:
            timer.cancel()
            if place in self._waiting:
                self._waiting.remove(place)

    def give_back(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                _settle(place, True)  # the slot changes hands
                return
        self.taken -= 1


class Bodies:
    """How much of what clients sent is read and checked at a time: three megabytes of empty lists are sixty once they are parsed, and YAML
    takes more. Who has no room waits in line; who would make the line too long is refused. One body alone may be larger than the room."""

    def __init__(self, room: int = 8 << 20, longest_line: int = 64 << 20) -> None:
        self.held = 0
        self.waiting = 0
        self._room = room
        self._longest_line = longest_line
        self._line: deque[tuple[asyncio.Future[bool], int]] = deque()

    @staticmethod
    def weight(body: bytes, content_type: str) -> int:
        """In bytes of JSON; 0 for what is small."""
        return 0 if len(body) < LARGE else len(body) * (_YAML if "yaml" in content_type else 1)

    async def take(self, weight: int) -> bool:
        """False where too many wait. Whoever got True gives back what was taken."""
        if not self._line and self._fits(weight):
            self.held += weight
            return True
        if self.waiting + weight > self._longest_line:
            return False
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._line.append((place, weight))
        self.waiting += weight
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back(weight)
            else:
                self._line.remove((place, weight))
                self.waiting -= weight
                self._next()
            raise

    def give_back(self, weight: int) -> None:
        self.held -= weight
        self._next()

    def _fits(self, weight: int) -> bool:
        return not self.held or self.held + weight <= self._room

    def _next(self) -> None:
        while self._line and (self._line[0][0].done() or self._fits(self._line[0][1])):
            place, weight = self._line[0]
            if place.done():  # given up; whoever waits there takes it out of the line
                return
            self._line.popleft()
            self.waiting -= weight
            self.held += weight
            _settle(place, True)


def _settle(place: asyncio.Future[bool], granted: bool) -> None:
    if not place.done():
        place.set_result(granted)


class InFlight:
    def __init__(self, reading: int, writing: int, clock: Clock) -> None:
        self.reading = Slots(reading, clock)
        self.writing = Slots(writing, clock)


def with_max_in_flight(handler: Handler, in_flight: InFlight) -> Handler:
    async def limit(request: Request) -> Response:
        if request.verb in _LONG_RUNNING or (isinstance(request, ResourceRequest) and request.subresource == "log"):
            return await handler(request)
        slots = in_flight.reading if request.verb in _READING else in_flight.writing
        if _MASTERS in request.user.groups:
            if not slots.take_now():
                return await handler(request)
        elif not await slots.take():
            slots.refused += 1
            return too_many()
        request.on_answered = slots.give_back
        return await handler(request)

    return limit


def with_body(handler: Handler, bodies: Bodies) -> Handler:
    """A body is read once it is known who asks and that they may: whoever may not is answered by the head alone, and nobody can make the
    server keep megabytes for them. Raises RequestEntityTooLarge, and Timeout for what does not arrive in time."""

    def read(request: Request) -> Awaitable[Response]:
        wire = request.wire
        if wire is None or wire.arriving is None:
            return handler(request)
        return arrived(request, wire, wire.arriving)

    async def arrived(request: Request, wire: WireRequest, arriving: Callable[[], Awaitable[bytes]]) -> Response:
        wire.raw_body = await arriving()
        wire.arriving = None
        weight = bodies.weight(wire.raw_body, request.content_type)
        if not weight:
            return await handler(request)
        if not await bodies.take(weight):
            return too_many()
        try:
            return await handler(request)
        finally:
            bodies.give_back(weight)

    return read


def too_many() -> Response:
    headers = {"Retry-After": "1", "X-Content-Type-Options": "nosniff"}
    text = b"Too many requests, please try again later.\n"
    return RawAnswer(text, "text/plain; charset=utf-8", 429, headers)
