"""Recording Events (client-go's tools/record): what a component tells the user about an object.

`event` never blocks and never fails: it correlates (event_correlation.py) and queues. A sink writes the queue in chunks
a moment later, because a thousand starting pods make several thousand events and none of them may delay a pod.
With `action` the event is written as the newer events.k8s.io recorder does (eventTime, series), which kube-scheduler uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections import deque
from datetime import datetime
from typing import Any, NamedTuple

from controllers.runtime.event_correlation import Correlator, Stored
from controllers.runtime.together import together
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import EVENTS
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound
from kctl.apimachinery.times import rfc3339, rfc3339_micro
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.transport import STRATEGIC_MERGE_PATCH

log = logging.getLogger(__name__)

NORMAL = "Normal"
WARNING = "Warning"

_QUIET_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 1.0
_CHUNK = 64
_PAUSE_SECONDS = 0.02
_QUEUE_LIMIT = 100_000


class Said(NamedTuple):
    """One call of `EventRecorder.event`, as it waits in the queue."""

    recorder: EventRecorder
    obj: Object
    type: str
    reason: str
    message: str
    field_path: str
    action: str
    related: Object | None
    monotonic: float
    moment: datetime


class EventSink:
    """Correlates and writes queued events when the burst of work that caused them is over; one task, and only while there
    are any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[Said] = deque()
        self.correlator = Correlator()
        self._task: asyncio.Task[None] | None = None

    def put(self, said: Said) -> None:
        if len(self._queue) >= _QUEUE_LIMIT:
            return
        self._queue.append(said)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain(), name="event sink")

    async def flush(self) -> None:
        """Writes everything now."""
        while self._queue:
            await self._write_chunk()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(Exception):
            await self.flush()

    async def _drain(self) -> None:
        try:
            waited, before, grown = 0.0, 0, _CHUNK + 1
            while grown > _CHUNK and waited < _LONGEST_WAIT_SECONDS:
                await self._clock.sleep(_QUIET_SECONDS)
                waited += _QUIET_SECONDS
                grown, before = len(self._queue) - before, len(self._queue)
            while self._queue:
                await self._write_chunk()
                if self._queue:
                    await self._clock.sleep(_PAUSE_SECONDS)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _write_chunk(self) -> None:
        due: dict[int, tuple[Client, Stored]] = {}
        while self._queue and len(due) < _CHUNK:
            said = self._queue.popleft()
            entry = said.recorder.correlate(said)
            if entry is not None:  # the same one again in this chunk is one write
                due[id(entry)] = said.recorder.client, entry
        if len(due) == 1:
            await self._write(*next(iter(due.values())))
        elif due:
            for answer in await together(self._write(client, entry) for client, entry in due.values()):
                if answer is not None:
                    raise answer

    async def _write(self, client: Client, entry: Stored) -> None:
        try:
            if entry.body is None:
                await self._raise_count(client, entry)
            else:
                await self._create(client, entry)
        except (ApiError, ConnectionFailed) as error:
            # An event about something that is going away, or a server that is: nobody is helped by insisting.
            log.debug("event %s/%s not written: %s", entry.namespace, entry.name, error)
            entry.body = None

    async def _create(self, client: Client, entry: Stored) -> None:
        body = _counted(entry)
        entry.body = None
        try:
            await client.create(EVENTS, body, entry.namespace)
        except AlreadyExists:
            prefix, _, digits = entry.name.rpartition(".")
            entry.name = f"{prefix}.{int(digits, 16) + 7919:016x}"
            await client.create(EVENTS, objects.with_metadata(body, name=entry.name), entry.namespace)

    async def _raise_count(self, client: Client, entry: Stored) -> None:
        patch: dict[str, Any]
        if entry.series:
            patch = {"series": {"count": entry.count, "lastObservedTime": entry.last}}
        else:
            patch = {"count": entry.count, "lastTimestamp": entry.last, "message": entry.message}
        with contextlib.suppress(NotFound):  # expired meanwhile; the next one of its kind starts anew
            await client.patch(EVENTS, entry.name, patch, entry.namespace, patch_type=STRATEGIC_MERGE_PATCH)


def _counted(entry: Stored) -> Object:
    """The object to create; it may have happened again while it waited."""
    assert entry.body is not None
    if entry.series:
        if entry.count > 1:
            return {**entry.body, "series": {"count": entry.count, "lastObservedTime": entry.last}}
        return entry.body
    return {**entry.body, "count": entry.count, "lastTimestamp": entry.last, "message": entry.message}


class EventRecorder:
    """`component` and `host` are the event's source. Recorders of many nodes share one sink (`for_host`)."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "", *, sink: EventSink | None = None) -> None:
        self.client = client
        self._clock = clock
        self.component = component
        self.host = host
        self.sink = sink or EventSink(clock)
        self._source = {"component": component, "host": host} if host else {"component": component}
        # Recorders that speak about one object at one instant (a standing clock) still make different names.
        self._name_offset = zlib.crc32(f"{component}/{host}".encode()) % 1000
        self._last_name = 0

    def for_host(self, host: str, client: Client | None = None) -> EventRecorder:
        return EventRecorder(client or self.client, self._clock, self.component, host, sink=self.sink)

    def event(
        self,
        obj: Object,
        type: str,
        reason: str,
        message: str,
        field_path: str = "",
        *,
        action: str = "",
        related: Object | None = None,
    ) -> None:
        """`obj` is the object or already a reference to it; `field_path` e.g. spec.containers{web}."""
        clock = self._clock
        said = Said(self, obj, type, reason, message, field_path, action, related, clock.monotonic(), clock.now())
        self.sink.put(said)

    def correlate(self, said: Said) -> Stored | None:
        """The Event object to write for what was said; None where this source has said enough about the object."""
        meta = said.obj.get("metadata") or said.obj
        space, name, uid = meta.get("namespace", ""), meta.get("name", ""), meta.get("uid", "")
        kind = said.obj.get("kind", "")
        correlator = self.sink.correlator
        about = (self.component, self.host, kind, space, name, uid, said.field_path, said.type, said.reason)
        key: tuple[str, ...]
        if said.action:
            key, message = (*about, said.action), said.message
        else:
            key, message = correlator.combine(about, said.message, said.monotonic)
        entry = correlator.stored(key)
        stamp = rfc3339_micro(said.moment) if said.action else rfc3339(said.moment)
        if entry is None:
            entry = Stored(space or "default", self._name(name, said.moment), 1, stamp, stamp, message)
            entry.series = bool(said.action)
            entry.body = self._body(entry, said)
            correlator.remember(key, entry)
        else:
            entry.count += 1
            entry.last, entry.message = stamp, message
        if said.action or correlator.allowed(about[:6], said.monotonic):
            return entry
        return None

    def _name(self, name: str, moment: datetime) -> str:
        nanoseconds = int(moment.timestamp() * 1_000_000) * 1000 + self._name_offset
        self._last_name = max(nanoseconds, self._last_name + 1)
        return f"{name}.{self._last_name:016x}"

    def _body(self, entry: Stored, said: Said) -> Object:
        meta = {"name": entry.name, "namespace": entry.namespace}
        about = _reference(said.obj, said.field_path)
        if not said.action:
            return {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": meta,
                "involvedObject": about,
                "reason": said.reason,
                "message": entry.message,
                "source": self._source,
                "firstTimestamp": entry.first,
                "lastTimestamp": entry.last,
                "count": 1,
                "type": said.type,
                "eventTime": None,
                "reportingComponent": self.component,
                "reportingInstance": self.host,
            }
        body: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": meta,
            "involvedObject": about,
            "reason": said.reason,
            "message": entry.message,
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": said.type,
            "eventTime": entry.first,
            "action": said.action,
            "reportingComponent": self.component,
            "reportingInstance": f"{self.component}-{self.host}" if self.host else self.component,
        }
        if said.related is not None:
            body["related"] = _reference(said.related, "")
        return body


_FROM_METADATA = ("namespace", "name", "uid")


def _reference(obj: Object, field_path: str) -> Object:
    """A v1 ObjectReference to `obj`."""
    if "metadata" not in obj:
        return {**obj, "fieldPath": field_path} if field_path else obj
    reference: Object = {}
    if kind := obj.get("kind"):
        reference["kind"] = kind
    meta = obj["metadata"]
    for field in _FROM_METADATA:
        if value := meta.get(field):
            reference[field] = value
    if api_version := obj.get("apiVersion"):
        reference["apiVersion"] = api_version
    if revision := meta.get("resourceVersion"):
        reference["resourceVersion"] = revision
    if field_path:
        reference["fieldPath"] = field_path
    return reference
