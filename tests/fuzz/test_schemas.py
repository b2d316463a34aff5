"""A sample of what the published schemas allow and forbid, with every test run; `python -m tests.fuzz.schemas` is all of it."""

from __future__ import annotations

import secrets

import pytest

OPERATIONS = 80


def test_requests_that_the_published_schemas_allow_and_forbid() -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is part of the extra dev")
    from tests.fuzz.schemas import run_sample

    seed = secrets.randbelow(10**9)
    report = run_sample(OPERATIONS, seed)
    print(f"seed {seed}\n{report.text()}")
    again = f"python -m tests.fuzz.schemas --examples 1 --operations {OPERATIONS} --seed {seed}"
    assert not report.findings, "\n".join([again, *map(str, report.findings)])
    assert report.requests >= OPERATIONS
