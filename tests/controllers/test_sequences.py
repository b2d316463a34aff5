"""A part of the random sequences that `python -m tests.controllers.sequences` plays by the thousand."""

from __future__ import annotations

import logging

import pytest

from tests.controllers.sequences.run import run

SEEDS = (*range(8), 20, 96, 202, 275, 309)
"""Some, and some that have found something."""
WIDE_SEEDS = (3003, 5041, 6066)
"""With budgets, evictions, quotas, partitions and claims."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("controllers").setLevel(logging.CRITICAL)  # that requests fail is what is played


@pytest.mark.real_time  # each has a loop of its own
@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_is_broken(seed: int) -> None:
    report = run(seed, 25)
    assert not report.broken, report


@pytest.mark.real_time
@pytest.mark.parametrize("seed", WIDE_SEEDS)
def test_no_rule_is_broken_by_more_deeds(seed: int) -> None:
    report = run(seed, 25, wide=True)
    assert not report.broken, report


@pytest.mark.real_time
def test_a_seed_is_the_same_sequence_each_time() -> None:
    first, second = run(1001, 15), run(1001, 15)
    assert first == second and first.writes > 100
