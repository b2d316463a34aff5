"""A small run of the fuzzer with every test run; `python -m tests.fuzz --requests 100000` is the large one."""

from __future__ import annotations

import secrets

import pytest

from tests.fuzz.run import run

REQUESTS = 1000


@pytest.mark.parametrize("seed", [20261125, None], ids=["known", "random"])
def test_requests_nobody_would_send(seed: int | None) -> None:
    seed = secrets.randbelow(10**9) if seed is None else seed
    report = run(REQUESTS, seed)
    print(f"seed {seed}\n{report.text()}")
    again = f"python -m tests.fuzz --no-recordings --requests {REQUESTS} --seed {seed}"
    assert not report.findings, "\n".join([again, *map(str, report.findings)])
    assert report.statuses[200] and report.statuses[201] and report.statuses[400] and report.statuses[422]
