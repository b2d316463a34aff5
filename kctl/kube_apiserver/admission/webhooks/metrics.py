"""Metrics of webhooks, by upstream's names: how often each was asked, how long it took, how often it refused or could not be asked."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.admission.plugin import Server

_BUCKETS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10.0, 25.0)
_PREFIX = "apiserver_admission_webhook"
_REJECTIONS = f"{_PREFIX}_rejection_count"
MOST_SERIES = 2000
"""Webhooks come and go; what is asked after so many different ones is not counted any more."""


class Call:
    """One webhook asked once."""

    def __init__(self, metrics: WebhookMetrics, kind: str, webhook: str, operation: str) -> None:
        self._metrics = metrics
        self._labels = f'name="{webhook}",operation="{operation}",type="{kind}"'
        self._open_labels = f'name="{webhook}",type="{kind}"'
        self.code = 200
        self.rejected = False

    def refused(self, error_type: str, code: int) -> None:
        self.code, self.rejected = code, True
        self._metrics.rejections[f'error_type="{error_type}",{self._labels},rejection_code="{code}"'] += 1

    def failed_open(self, code: int) -> None:
        self.code = code
        self._metrics.fail_open[self._open_labels] += 1

    def done(self, seconds: float) -> None:
        metrics, rejected = self._metrics, "true" if self.rejected else "false"
        labels = f'{self._labels},rejected="{rejected}"'
        if labels not in metrics.durations and len(metrics.durations) >= MOST_SERIES:
            return
        metrics.requests[f'code="{self.code}",{labels}'] += 1
        seen = metrics.durations.setdefault(labels, [0.0] * (len(_BUCKETS) + 2))
        seen[bisect.bisect_left(_BUCKETS, seconds)] += 1
        seen[-1] += seconds


class WebhookMetrics:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.requests: Counter[str] = Counter()
        self.rejections: Counter[str] = Counter()
        self.fail_open: Counter[str] = Counter()
        self.durations: dict[str, list[float]] = {}
        self.shown_by: object = None
        """The plugin that tells of them all: a series has one heading."""

    @contextmanager
    def timed(self, kind: str, webhook: str, operation: str) -> Iterator[Call]:
        call = Call(self, kind, webhook, operation)
        began = self._clock.monotonic()
        try:
            yield call
        finally:
            call.done(self._clock.monotonic() - began)

    def lines(self, plugin: object) -> Iterator[str]:
        self.shown_by = self.shown_by or plugin
        return self._lines() if self.shown_by is plugin else iter(())

    def _lines(self) -> Iterator[str]:
        yield from _counter(f"{_PREFIX}_request_total", "Admission webhook request total, by name, type, operation, code.", self.requests)
        yield from _counter(_REJECTIONS, "Admission webhook rejection count, by name, type, operation, error type.", self.rejections)
        yield from _counter(f"{_PREFIX}_fail_open_count", "Admission webhook fail open count, by name and type.", self.fail_open)
        name = f"{_PREFIX}_admission_duration_seconds"
        yield f"# HELP {name} Admission webhook latency histogram in seconds, by name, operation and type."
        yield f"# TYPE {name} histogram"
        for labels, seen in sorted(self.durations.items()):
            total = 0.0
            for bound, count in zip((*_BUCKETS, float("inf")), seen, strict=False):
                total += count
                yield f'{name}_bucket{{{labels},le="{"+Inf" if bound == float("inf") else f"{bound:g}"}"}} {total:g}'
            yield f"{name}_sum{{{labels}}} {seen[-1]:.6f}"
            yield f"{name}_count{{{labels}}} {total:g}"


_BY_SERVER: WeakKeyDictionary[Any, WebhookMetrics] = WeakKeyDictionary()


def metrics_of(server: Server) -> WebhookMetrics:
    """Both kinds of webhooks of a server count in the same series."""
    found = _BY_SERVER.get(server)
    if found is None:
        found = _BY_SERVER[server] = WebhookMetrics(server.clock.machine)
    return found


def _counter(name: str, text: str, counts: Counter[str]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} counter"
    yield from (f"{name}{{{labels}}} {count}" for labels, count in sorted(counts.items()))


def of_error(error: ApiError) -> str:
    """What upstream calls the reason of a refusal: the webhook's own no, or what went wrong on this side."""
    return "no_error" if "denied the request" in error.message else "apiserver_internal_error"
