"""Writing pod statuses and final deletions to the API server, many at once but boundedly (kubelet's status manager).

A pod is queued once however often it changes; its status is built when its turn comes. What is wanted, under way or to be
tried again of each pod is kept here, and only while there is something. A conflict is settled by reading the pod and building
the status again on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed

_log = logging.getLogger(__name__)
_IN_FLIGHT = 256
_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0


class StatusSource(Protocol):
    """Whose status is written: a pod worker."""

    uid: str
    pod: Object
    gone: bool

    @property
    def full_name(self) -> str: ...

    @property
    def client(self) -> Client: ...

    def build_status(self) -> Object: ...

    def written(self, pod: Object) -> None:
        """The server's answer, or what it has now."""
        ...

    def vanished(self) -> None:
        """The API object is not there any more."""
        ...


class _Turn:
    """What there is to do about one pod."""

    __slots__ = ("deletion", "in_flight", "queued", "retries", "status")

    def __init__(self) -> None:
        self.status = self.deletion = False
        self.queued = self.in_flight = False
        self.retries = 0


class StatusWriter:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns: dict[StatusSource, _Turn] = {}
        self._queue: deque[StatusSource] = deque()
        self._tasks: dict[asyncio.Task[None] | None, None] = {}
        self._stopped = False

    def want_status(self, source: StatusSource) -> None:
        turn = self._turns.get(source)
        if turn is not None and turn.queued:  # mostly: a pod that starts says so several times
            turn.status = True
            return
        turn = self._turn(source)
        turn.status = True
        self._enqueue(source, turn)

    def want_deletion(self, source: StatusSource, *, last_status: bool) -> None:
        """The pod's final deletion; a status not written yet is left out without `last_status`."""
        turn = self._turn(source)
        turn.deletion = True
        turn.status = turn.status and last_status
        self._enqueue(source, turn)

    def _turn(self, source: StatusSource) -> _Turn:
        turn = self._turns.get(source)
        if turn is None:
            turn = self._turns[source] = _Turn()
        return turn

    def _enqueue(self, source: StatusSource, turn: _Turn) -> None:
        if turn.queued or self._stopped:
            return
        turn.queued = True
        if turn.in_flight:
            return  # its writer looks again when it is back
        self._queue.append(source)
        if len(self._tasks) < _IN_FLIGHT:
            self._tasks[asyncio.get_running_loop().create_task(self._run())] = None

    async def stop(self) -> None:
        """What is being written is finished, what is queued is not begun."""
        self._stopped = True
        self._queue.clear()
        if self._tasks:
            await asyncio.gather(*filter(None, self._tasks), return_exceptions=True)

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._serve(self._queue.popleft())
        finally:  # no callback of the task's end, which would be a turn of the event loop for each pod
            del self._tasks[asyncio.current_task()]

    async def _serve(self, source: StatusSource) -> None:
        turn = self._turns[source]
        turn.in_flight = True
        try:
            while turn.queued and not self._stopped:
                turn.queued = False
                await self._write(source, turn)
        finally:
            turn.in_flight = False
            if source.gone or not (turn.status or turn.deletion):
                del self._turns[source]

    async def _write(self, source: StatusSource, turn: _Turn) -> None:
        try:
            if turn.status and not source.gone:
                turn.status = False
                await self._write_status(source)
            if turn.deletion and not source.gone and not turn.status:
                await self._delete(source, turn)
            turn.retries = 0
        except Conflict:
            turn.status = True
            await self._refresh(source, turn)
        except (ApiError, ConnectionFailed) as error:
            turn.status = True
            _log.warning("status of pod %s not written: %s", source.full_name, error)
            self._retry_later(source, turn)

    def _retry_later(self, source: StatusSource, turn: _Turn) -> None:
        turn.retries += 1
        wait = min(_RETRY_SECONDS * 2.0 ** min(turn.retries - 1, 8), _LONGEST_RETRY_SECONDS)
        self._clock.call_later(wait, lambda: self._try_again(source, turn))

    def _try_again(self, source: StatusSource, turn: _Turn) -> None:
        if source.gone:
            self._turns.pop(source, None)
        else:
            self._enqueue(source, turn)

    async def _write_status(self, source: StatusSource) -> None:
        pod = source.pod
        status = source.build_status()
        if status == pod.get("status"):
            return
        try:
            written = await source.client.update_status(PODS, {**pod, "status": status})
        except NotFound:
            source.vanished()
            return
        source.written(written)

    async def _delete(self, source: StatusSource, turn: _Turn) -> None:
        name = objects.name(source.pod)
        turn.deletion = False
        try:
            await source.client.delete(PODS, name, objects.namespace(source.pod), grace_period_seconds=0, uid=source.uid)
        except (NotFound, Conflict):
            source.vanished()
        except (ApiError, ConnectionFailed):
            turn.deletion = True
            raise

    async def _refresh(self, source: StatusSource, turn: _Turn) -> None:
        """After a conflict: go on from what the server has now."""
        try:
            fresh = await source.client.get(PODS, objects.name(source.pod), objects.namespace(source.pod))
        except NotFound:
            source.vanished()
            return
        except (ApiError, ConnectionFailed) as error:
            _log.warning("pod %s not read: %s", source.full_name, error)
            self._retry_later(source, turn)
            return
        if objects.uid(fresh) != source.uid:
            source.vanished()
            return
        source.written(fresh)
        turn.queued = True
