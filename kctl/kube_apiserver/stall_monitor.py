"""Which requests held the event loop: the longest that everybody else waited while one request ran without a pause.

The handling of a request is a coroutine; this drives it step by step and times each step, which is what happens between two moments at
which others may run. A step over the threshold is logged with the request's name and counted in /metrics. The cost is two
readings of the clock for each step.
"""

from __future__ import annotations

import bisect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from kctl.kube_apiserver.request import Request, ResourceRequest

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
NAME = "kctl_apiserver_event_loop_stall_seconds"
_BUCKETS = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_Key = tuple[str, str, str, str, str]


class StallMonitor:
    """`threshold` in seconds; 0 turns it off."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._stalls: dict[_Key, list[float]] = {}

    def timed(self, request: Request, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """The same work; long steps of it are the request's."""
        if not self._threshold:
            return work
        return _Steps(work, self._threshold, lambda seconds: self.report(request, seconds))

    def report(self, request: Request, seconds: float) -> None:
        verb = request.verb.upper() or request.method
        _LOG.warning(
            'verb="%s" URI="%s" user="%s" held the event loop for %.0f ms (%d bytes of body)',
            verb,
            request.path,
            request.user.name,
            seconds * 1000,
            len(request.raw_body or b""),
        )
        key: _Key = (verb, "", "", "", "")
        match request:
            case ResourceRequest():
                resource = request.resource
                key = (verb, resource.group, resource.version, resource.plural, request.subresource)
        seen = self._stalls.setdefault(key, [0.0] * (len(_BUCKETS) + 2))
        seen[bisect.bisect_left(_BUCKETS, seconds)] += 1
        seen[-1] += seconds

    def lines(self) -> list[str]:
        """In Prometheus' text format."""
        lines = [
            f"# HELP {NAME} How long single steps of requests held the event loop, for steps longer than the threshold.",
            f"# TYPE {NAME} histogram",
        ]
        for (verb, group, version, plural, subresource), stalls in sorted(self._stalls.items()):
            labels = f'group="{group}",resource="{plural}",subresource="{subresource}",verb="{verb}",version="{version}"'
            total = 0.0
            for bound, count in zip((*map(str, _BUCKETS), "+Inf"), stalls, strict=False):
                total += count
                lines.append(f'{NAME}_bucket{{{labels},le="{bound}"}} {total:g}')
            lines += [f"{NAME}_sum{{{labels}}} {stalls[-1]:.6f}", f"{NAME}_count{{{labels}}} {total:g}"]
        return lines


class _Steps(Generic[T]):
    """Awaiting this is awaiting the work."""

    __slots__ = ("_longest", "_report", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], longest: float, report: Callable[[float], None]) -> None:
        self._work = work
        self._longest = longest
        self._report = report

    def __await__(self) -> Generator[Any, Any, T]:
        step: Callable[[Any], Any] = self._work.send
        argument: Any = None
        clock, longest = time.perf_counter, self._longest
        try:
            while True:
                began = clock()
                try:
                    awaited = step(argument)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                finally:
                    argument = None  # an error's traceback leads to this frame: a cycle, which would keep all that the request had parsed
                    took = clock() - began
                    if took > longest:
                        self._report(took)
                try:
                    argument = yield awaited
                    step = self._work.send
                except GeneratorExit:
                    raise
                except BaseException as error:
                    argument, step = error, self._work.throw
                finally:
                    awaited = None  # a future knows the error, too
        finally:
            self._work.close()
