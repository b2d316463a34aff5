"""Writing pod statuses and final deletions to the API server, many at once but boundedly (kubelet's status manager).

A worker is queued once however often it changes; its status is built when its turn comes. Writers are tasks only while
there is something to write. A conflict is settled by reading the pod and building the status again on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from kctl.apimachinery import objects
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.client.errors import ConnectionFailed

if TYPE_CHECKING:
    from controllers.kubelet.pod_worker import PodWorker

_log = logging.getLogger(__name__)
_IN_FLIGHT = 256
_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0


class StatusWriter:
    def __init__(self) -> None:
        self._queue: deque[PodWorker] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def enqueue(self, worker: PodWorker) -> None:
        if worker.queued or self._stopped:
            return
        worker.queued = True
        if worker.in_flight:
            return  # its writer looks again when it is back
        self._queue.append(worker)
        if len(self._tasks) < _IN_FLIGHT:
            task = asyncio.get_running_loop().create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """What is being written is finished, what is queued is not begun."""
        self._stopped = True
        self._queue.clear()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while self._queue:
            worker = self._queue.popleft()
            worker.in_flight = True
            try:
                while worker.queued and not self._stopped:
                    worker.queued = False
                    await self._write(worker)
            finally:
                worker.in_flight = False

    async def _write(self, worker: PodWorker) -> None:
        try:
            if worker.status_wanted and not worker.gone:
                worker.status_wanted = False
                await self._write_status(worker)
            if worker.delete_wanted and not worker.gone and not worker.status_wanted:
                await self._delete(worker)
            worker.retries = 0
        except Conflict:
            worker.status_wanted = True
            await self._refresh(worker)
        except (ApiError, ConnectionFailed) as error:
            worker.status_wanted = True
            _log.warning("status of pod %s not written: %s", worker.full_name, error)
            self._retry_later(worker)

    def _retry_later(self, worker: PodWorker) -> None:
        worker.retries += 1
        wait = min(_RETRY_SECONDS * 2.0 ** min(worker.retries - 1, 8), _LONGEST_RETRY_SECONDS)
        worker.context.timers.call_later(wait, lambda: self.enqueue(worker))

    async def _write_status(self, worker: PodWorker) -> None:
        pod = worker.pod
        status = worker.build_status()
        if status == pod.get("status"):
            return
        try:
            written = await worker.kubelet.client.update_status(PODS, {**pod, "status": status})
        except NotFound:
            worker.kubelet.pod_gone(worker)
            return
        worker.kubelet.pod_written(worker, written)

    async def _delete(self, worker: PodWorker) -> None:
        name = objects.name(worker.pod)
        worker.delete_wanted = False
        try:
            await worker.kubelet.client.delete(PODS, name, objects.namespace(worker.pod), grace_period_seconds=0, uid=worker.uid)
        except (NotFound, Conflict):
            worker.kubelet.pod_gone(worker)
        except (ApiError, ConnectionFailed):
            worker.delete_wanted = True
            raise

    async def _refresh(self, worker: PodWorker) -> None:
        """After a conflict: go on from what the server has now."""
        try:
            fresh = await worker.kubelet.client.get(PODS, objects.name(worker.pod), objects.namespace(worker.pod))
        except NotFound:
            worker.kubelet.pod_gone(worker)
            return
        except (ApiError, ConnectionFailed) as error:
            _log.warning("pod %s not read: %s", worker.full_name, error)
            self._retry_later(worker)
            return
        if objects.uid(fresh) != worker.uid:
            worker.kubelet.pod_gone(worker)
            return
        worker.kubelet.pod_written(worker, fresh)
        worker.queued = True
