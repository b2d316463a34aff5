"""/metrics in Prometheus' text format, with kube-apiserver's metric names."""

from __future__ import annotations

import asyncio
import bisect
import os
import resource as process
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from kctl.apimachinery.clock import Clock
from kctl.kube_apiserver.filters.warnings import DEPRECATED
from kctl.kube_apiserver.request import Request, ResourceRequest
from kctl.kube_apiserver.storage import Storage

if TYPE_CHECKING:
    from kctl.kube_apiserver.filters.max_in_flight import InFlight
    from kctl.kube_apiserver.stall_monitor import StallMonitor

_BUCKETS = (
    0.005,
    0.025,
    0.05,
    0.1,
    0.2,
    0.4,
    0.6,
    0.8,
    1.0,
    1.25,
    1.5,
    2.0,
    3.0,
    4.0,
    5.0,
    6.0,
    8.0,
    10.0,
    15.0,
    20.0,
    30.0,
    45.0,
    60.0,
)
_LINES_AT_ONCE = 1000
"""Some 3 ms of making text."""
_Key = tuple[str, str, str, str, str]
"""verb in capitals, group, version, plural, subresource"""
_Resource = tuple[str, str, str]
"""group, version, plural"""


class Metrics:
    """Counts all requests, those of components in the daemon among them, as they are in a cluster of processes."""

    def __init__(self, storage: Storage, clock: Clock, in_flight: InFlight, stalls: StallMonitor) -> None:
        self._storage = storage
        self._in_flight = in_flight
        self._stalls = stalls
        self._seen: dict[tuple[str, str, str, str, str, int], list[float]] = {}
        """For each kind of request and status: how many took how long (by bucket), and their seconds together."""
        self._started = clock.now().timestamp()
        self.more_lines: Callable[[], Iterator[str]] = lambda: iter(())
        """Of what is loaded only where it is used."""
        self.deprecated_custom: Callable[[], Collection[_Resource]] = frozenset
        """Custom resources in a version that is deprecated."""

    def observe(self, request: Request, status: int, seconds: float) -> None:
        match request:
            case ResourceRequest():
                resource = request.endpoint.resource
                key = (request.verb, resource.group, resource.version, resource.plural, request.subresource, status)
            case _:
                key = (request.verb, "", "", "", "", status)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = [0.0] * (len(_BUCKETS) + 2)
        seen[bisect.bisect_left(_BUCKETS, seconds)] += 1
        seen[-1] += seconds

    async def text(self) -> str:
        """All of it. A server that has seen many kinds of request has tens of thousands of lines: in between others have their turn."""
        lines: list[str] = []
        for line in self._lines():
            lines.append(line)
            if len(lines) % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return "\n".join(lines) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from self._request_lines()
        yield from self._duration_lines()
        yield from self._deprecated_lines()
        yield from self._in_flight_lines()
        yield from self._object_lines()
        yield from self._stalls.lines()
        yield from self.more_lines()
        yield from self._process_lines()

    def _request_lines(self) -> Iterator[str]:
        yield from _head(
            "apiserver_request_total",
            "counter",
            "Counter of apiserver requests broken out for each verb, resource and code.",
        )
        for (verb, group, version, plural, subresource, code), seen in sorted(self._seen.items()):
            labels = _labels(verb.upper(), group, version, plural, subresource)
            yield f'apiserver_request_total{{code="{code}",{labels}}} {int(sum(seen[:-1]))}'

    def _duration_lines(self) -> Iterator[str]:
        name = "apiserver_request_duration_seconds"
        yield from _head(name, "histogram", "Response latency distribution in seconds for each verb and resource.")
        for key, durations in sorted(self._durations().items()):
            labels = _labels(*key)
            total = 0.0
            for bound, count in zip((*_BUCKETS, float("inf")), durations, strict=False):
                total += count
                shown = "+Inf" if bound == float("inf") else f"{bound:g}"
                yield f'{name}_bucket{{{labels},le="{shown}"}} {total:g}'
            yield f"{name}_sum{{{labels}}} {durations[-1]:.6f}"
            yield f"{name}_count{{{labels}}} {total:g}"

    def _deprecated_lines(self) -> Iterator[str]:
        """Of everything deprecated that was asked for."""
        name, custom = "apiserver_requested_deprecated_apis", self.deprecated_custom()
        yield from _head(
            name,
            "gauge",
            "Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, "
            "and removed_release.",
        )
        for group, version, plural, subresource in sorted({key[1:5] for key in self._seen}):
            asked = group, version, plural
            if asked in DEPRECATED or asked in custom:
                release = DEPRECATED[asked].removed_release if asked in DEPRECATED else ""
                labels = f'group="{group}",removed_release="{release}",resource="{plural}",subresource="{subresource}",version="{version}"'
                yield f"{name}{{{labels}}} 1"

    def _in_flight_lines(self) -> Iterator[str]:
        kinds = {"mutating": self._in_flight.writing, "readOnly": self._in_flight.reading}
        name = "apiserver_current_inflight_requests"
        yield from _head(name, "gauge", "Number of requests being answered now, by kind.")
        yield from (f'{name}{{request_kind="{kind}"}} {slots.taken}' for kind, slots in kinds.items())
        name = "apiserver_dropped_requests_total"
        yield from _head(name, "counter", "Number of requests refused with 429 because too many were in flight, by kind.")
        yield from (f'{name}{{request_kind="{kind}"}} {slots.refused}' for kind, slots in kinds.items())

    def _durations(self) -> dict[_Key, list[float]]:
        """Those of all statuses together; watches last as long as they like."""
        durations: dict[_Key, list[float]] = {}
        for (verb, *rest, _), seen in self._seen.items():
            if verb != "watch":
                known = durations.get((verb.upper(), *rest))  # type: ignore[arg-type]
                durations[verb.upper(), *rest] = list(seen) if known is None else [a + b for a, b in zip(known, seen, strict=True)]  # type: ignore[index]
        return durations

    def _object_lines(self) -> Iterator[str]:
        yield from _head(
            "apiserver_storage_objects",
            "gauge",
            "Number of stored objects at the time of last check split by kind.",
        )
        for cache in sorted(self._storage.caches(), key=lambda counted: (counted.plural, counted.group)):
            resource = f"{cache.plural}.{cache.group}" if cache.group else cache.plural
            yield f'apiserver_storage_objects{{resource="{resource}"}} {cache.count()}'

    def _process_lines(self) -> Iterator[str]:
        usage = process.getrusage(process.RUSAGE_SELF)
        yield from _head("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.")
        yield f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime:.2f}"
        yield from _head("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
        yield f"process_resident_memory_bytes {_resident(usage.ru_maxrss)}"
        yield from _head("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.")
        yield f"process_start_time_seconds {self._started:.2f}"


def _resident(maximum: int) -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return maximum * 1024


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _labels(verb: str, group: str, version: str, plural: str, subresource: str) -> str:
    scope = "resource" if plural else ""
    return f'group="{group}",resource="{plural}",scope="{scope}",subresource="{subresource}",verb="{verb}",version="{version}"'
