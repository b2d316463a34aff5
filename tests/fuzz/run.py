"""One run of the fuzzer: requests against a fresh server, and what must hold for every answer.

No answer is a 500 that upstream would not give, nothing is logged with a traceback, every answer is whole HTTP and leaves the
connection usable, what was refused has changed nothing, and JSON is JSON. What a request cost the server's loop is measured in CPU
time of its thread, so a busy machine does not count.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import orjson

from kctl.apimachinery import yaml
from tests.fuzz.exchange import Answer, BrokenFraming, Connection, NoAnswer
from tests.fuzz.requests import Case, RequestMaker
from tests.fuzz.server import ServerThread, ShortWatches, Tracebacks, running, watched_log

LONG = 0.02
"""Seconds of CPU that no request should hold the loop."""
PER_SERVER = 4000
"""Requests after which a fresh server begins, so that what is stored stays small."""
SECONDS = 60.0
"""What a request may take, on the busiest machine: watches end after a moment."""

_NUMBER = r'strconv\.ParseUint: parsing ".*": (?:invalid syntax|value out of range)'
_TARGETS = r'target\.kind: Unsupported value: ".*": supported values: "Node", "<empty>"', r"target\.name: Required value"
UPSTREAMS_OWN_500 = re.compile(
    "|".join(
        (
            # resourceVersion of an update, of a watch, of a new object
            _NUMBER,
            f'resourceVersion: Invalid value: ".*": {_NUMBER}',
            r"resourceVersion should not be set on objects to be created",
            # strategic merge patches that do not fit
            r"unknown patch type: .* in map: map\[.*\]",
            r"map: map\[.*\] does not contain declared merge key: [A-Za-z]+",
            r"merging lists cannot yet be specified in the patch",
            r"lists of lists are not supported",
            r"list element types are not identical: \[\[.*\] \[.*\]\]",
            r"invalid patch format of retainKeys",
            r"expected a \[\]interface \{\}, but received a (?:map\[string\]interface \{\}|string|int64|float64|bool|%!s\(<nil>\))",
            r"The order in patch list:\n\[.*\]\n doesn't match \$setElementOrder list:\n\[.*\]\n",
            # applied configurations that are none
            r"failed to create typed patch object \(.*; .*\): (?s:.*)",
            # bindings to what is no node, an eviction that two budgets count
            *_TARGETS,
            rf"\[{_TARGETS[0]}, {_TARGETS[1]}\]",
            # what etcd does not take
            r"etcdserver: request is too large",
            r"This pod has more than one PodDisruptionBudget, which the eviction subresource does not support\.",
        )
    ),
    re.DOTALL,
)
"""Errors that the API server does not give a status of their own (recorded, or read in its source), whole."""


@dataclass(slots=True)
class Finding:
    number: int
    what: str
    case: Case
    answer: Answer | None

    def __str__(self) -> str:
        body = self.case.body
        shown = f" body ({self.case.content_type}, {len(body)} bytes) {body[:600]!r}" if body is not None else ""
        answer = f"\n    -> {self.answer.status} {self.answer.body[:400]!r}" if self.answer is not None else ""
        return f"#{self.number} {self.what}\n    {self.case.method} {self.case.target[:300]} {self.case.headers}{shown}{answer}"


@dataclass(slots=True)
class Report:
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    long: int = 0
    slowest: list[tuple[float, int, str]] = field(default_factory=list)

    def count(self, seconds: float, number: int, case: Case) -> None:
        self.requests += 1
        self.long += seconds > LONG
        size = len(case.body) if case.body is not None else 0
        entry = (seconds, number, f"{case.method} {case.target[:120]} ({case.content_type or 'no body'}, {size} bytes)")
        (heapq.heappushpop if len(self.slowest) >= 10 else heapq.heappush)(self.slowest, entry)

    def counts(self) -> str:
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()) if count)
        return f"{self.requests} requests; answers {statuses}"

    def text(self) -> str:
        lines = [
            self.counts(),
            f"{self.long} held the loop longer than {LONG * 1000:.0f} ms of CPU; slowest:",
        ]
        lines += [f"  {seconds * 1000:8.1f} ms  #{number} {what}" for seconds, number, what in sorted(self.slowest, reverse=True)]
        lines += [str(finding) for finding in self.findings]
        return "\n".join([*lines, f"{len(self.findings)} findings"])


def run(
    requests: int,
    seed: int,
    *,
    recorded: tuple[Case, ...] = (),
    most_findings: int = 50,
    seconds: float = SECONDS,
    progress: Callable[[int, Report], None] = lambda done, report: None,
    tell: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """`tell` hears of each finding at once: what stops the fuzzer itself loses none."""
    maker = RequestMaker(seed, recorded=recorded)
    report = Report()
    while report.requests < requests and len(report.findings) < most_findings:
        wanted = min(PER_SERVER, requests - report.requests)
        with watched_log() as log, running(ShortWatches()) as server:
            session = Session(server, log, report, tell, seconds)
            with suppress(NoAnswer):  # the loop may be held for ever: on with a fresh server
                session.exchange_all(_encoded(maker.seeds()), count=False)
                session.exchange_all(islice(iter(maker.next, None), wanted), most_findings=most_findings)
            session.close()
        progress(report.requests, report)
    return report


def _encoded(cases: Iterable[Case]) -> Iterable[Case]:
    for case in cases:
        case.encode()
        yield case


class Session:
    """The requests of one server."""

    def __init__(self, server: ServerThread, log: Tracebacks, report: Report, tell: Callable[[Finding], None], seconds: float) -> None:
        self._server = server
        self._log = log
        self._report = report
        self._tell = tell
        self._connection = Connection(server.port, seconds)

    def close(self) -> None:
        self._connection.close()

    def exchange_all(self, cases: Iterable[Case], *, count: bool = True, most_findings: int = 10**9) -> None:
        for case in cases:
            self._exchange(case, count)
            if len(self._report.findings) >= most_findings:
                return

    def _exchange(self, case: Case, count: bool) -> None:
        report, number = self._report, self._report.requests
        revision, cpu = self._server.store.revision, self._server.cpu_seconds()
        answer = None
        try:
            answer = self._connection.exchange(case.raw())
        except NoAnswer as error:
            self._find(number, f"{error}\n{self._server.stack()}", case, None)
            report.requests += count
            raise
        except BrokenFraming as error:
            self._find(number, f"broken framing: {error}", case, None)
        seconds = self._server.cpu_seconds() - cpu
        if count:
            report.count(seconds, number, case)
        if self._log.texts:
            self._find(number, "logged: " + "\n".join(self._log.texts), case, answer)
            self._log.texts.clear()
        if answer is not None:
            report.statuses[answer.status] += count
            self._check(number, case, answer, revision)

    def _check(self, number: int, case: Case, answer: Answer, revision: int) -> None:
        if answer.status >= 400 and (keys := self._server.written_since(revision)):
            self._find(number, f"refused, yet {keys} were written", case, answer)
        kind = answer.headers.get("content-type", "")
        message = ""
        if kind == "application/json" and answer.body and ("watch" not in case.target or answer.status >= 400):
            try:
                parsed = orjson.loads(answer.body)
            except orjson.JSONDecodeError as error:
                self._find(number, f"no JSON: {error}", case, answer)
                return
            message = str(parsed.get("message", "")) if isinstance(parsed, dict) else ""
        elif kind == "application/yaml" and answer.status >= 500:
            message = str(yaml.load(answer.body)["message"])
        if answer.status >= 500 and answer.status not in (501, 503, 504) and not UPSTREAMS_OWN_500.fullmatch(message):
            self._find(number, f"{answer.status}: {message[:300]}", case, answer)

    def _find(self, number: int, what: str, case: Case, answer: Answer | None) -> None:
        finding = Finding(number, what, case, answer)
        self._report.findings.append(finding)
        self._tell(finding)
