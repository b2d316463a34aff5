"""python -m tests.fuzz.schemas: requests made by schemathesis from all of /openapi/v3, what it allows and what it forbids.

The same checks as the fuzzer's: no 5xx that upstream would not give, no traceback, whole HTTP, nothing written by what was refused. The
fuzzer changes requests that somebody made; here the published schema itself says what there is to send. Every test run takes a sample of
the operations (`--operations 80 --seed N`).
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
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


def run_sample(operations: int, seed: int, examples: int = 1, tell: Callable[[Finding], None] = lambda finding: None) -> Report:
    """`examples` for each of so many operations, chosen among those of all documents. The same seed chooses the same ones."""
    report = Report()
    with watched_log() as log, running(ShortWatches()) as server:
        session = Session(server, log, report, tell, SECONDS)
        documents = {path: _read(server, path) for path in paths(server)}
        for path, chosen in _sample(documents, operations, random.Random(seed)).items():
            for at, method in chosen:
                schema = schemathesis.openapi.from_dict(documents[path]).include(path=at, method=method)
                for found in schema.get_all_operations():
                    _exercise(found.ok(), examples, session)
        session.close()
    return report


def _sample(documents: dict[str, Any], count: int, chance: random.Random) -> dict[str, Sequence[tuple[str, str]]]:
    """Document > (path, method) of the chosen operations."""
    every = [
        (document, at, method.upper())
        for document, content in documents.items()
        for at, item in content["paths"].items()
        for method in item
        if method in ("get", "put", "post", "patch", "delete", "options", "head")
    ]
    chosen: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for document, at, method in chance.sample(every, min(count, len(every))):
        chosen[document].append((at, method))
    return dict(chosen)


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
    parser.add_argument("--operations", type=int, default=0, help="only so many, chosen by the seed; 0 is all of them")
    parser.add_argument("--seed", type=int, default=None, help="of that choice; a random one where none is given")
    arguments = parser.parse_args()

    def tell(finding: Finding) -> None:
        print(finding, flush=True)

    if arguments.operations:
        seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**9)
        print(f"seed {seed}", flush=True)
        report = run_sample(arguments.operations, seed, arguments.examples, tell)
    else:
        report = run(lambda path: arguments.group in path, arguments.examples, tell)
    print(report.text())
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
