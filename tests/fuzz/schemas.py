"""python -m tests.fuzz.schemas: requests made by schemathesis from all of /openapi/v3, what it allows and what it forbids.

The same checks as the fuzzer's: no 5xx that upstream would not give, no traceback, whole HTTP, nothing written by what was refused. The
fuzzer changes requests that somebody made; here the published schema itself says what there is to send. Needs the extra `fuzz`; not part of
every test run, for schemathesis brings plugins of pytest that all others would load, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import orjson
import schemathesis
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET

from tests.fuzz.exchange import Connection, request_bytes
from tests.fuzz.protobuf_writer import json_bytes
from tests.fuzz.requests import Case
from tests.fuzz.run import SECONDS, Finding, Report, Session
from tests.fuzz.server import TOKEN, ServerThread, ShortWatches, running, watched_log

SETTINGS = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[hypothesis.Phase.generate],
    suppress_health_check=list(hypothesis.HealthCheck),
)
"""The same requests in every run."""


def paths(server: ServerThread) -> list[str]:
    """The documents that the server names."""
    return [entry["serverRelativeURL"] for _, entry in sorted(_read(server, "/openapi/v3")["paths"].items())]


def run(groups: Callable[[str], bool], examples: int, tell: Callable[[Finding], None] = lambda finding: None) -> Report:
    """`examples` for each operation of each document whose path `groups` accepts."""
    report = Report()
    with watched_log() as log, running(ShortWatches()) as server:
        session = Session(server, log, report, tell, SECONDS)
        for path in filter(groups, paths(server)):
            schema = schemathesis.openapi.from_dict(_read(server, path))
            for found in schema.get_all_operations():
                _exercise(found.ok(), examples, session)
        session.close()
    return report


def _read(server: ServerThread, path: str) -> Any:
    connection = Connection(server.port)
    answer = connection.exchange(request_bytes("GET", path, [("Authorization", f"Bearer {TOKEN}"), ("Accept", "application/json")]))
    connection.close()
    assert answer.status == 200, path
    return orjson.loads(answer.body)


def _exercise(operation: Any, examples: int, session: Session) -> None:
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @hypothesis.settings(SETTINGS, max_examples=examples)
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def exchange(made: Any) -> None:
            session.exchange_all([_case(made)])

        try:
            exchange()
        except hypothesis.errors.Unsatisfiable:
            continue


def _case(made: Any) -> Case:
    """schemathesis's request as one of the fuzzer's."""
    query = [(str(name), item if isinstance(item, str) else json_bytes(item).decode()) for name, item in _flat(made.query)]
    headers = [(name, str(value)) for name, value in (made.headers or {}).items()]
    body = None if made.body is NOT_SET else made.body
    raw = body if isinstance(body, bytes) else None
    case = Case(made.method, made.formatted_path, query, headers, made.media_type or "", None if raw is not None else body, raw)
    case.encode()
    return case


def _flat(query: dict[str, Any] | None) -> Iterator[tuple[str, Any]]:
    """A list is a parameter given more than once. Watches end soon."""
    for name, value in (query or {}).items():
        for item in value if isinstance(value, list) else [value]:
            yield name, item
    if query and "watch" in query:
        yield "timeoutSeconds", "1"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.schemas", description=__doc__)
    parser.add_argument("--examples", type=int, default=5, help="allowed, and as many forbidden, of each operation")
    parser.add_argument("--group", default="", help="only documents whose path contains this, such as apps/v1")
    arguments = parser.parse_args()
    report = run(lambda path: arguments.group in path, arguments.examples, lambda finding: print(finding, flush=True))
    print(report.text())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
