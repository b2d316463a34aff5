"""The table of conformance tests says what is so."""

from __future__ import annotations

import pytest

from tests.conformance import table

pytestmark = pytest.mark.skipif(not table.NAMES.exists(), reason="no names of the conformance tests at ../shared/conformance.yaml")


def test_every_claimed_name_is_one_of_the_suite() -> None:
    known = {test.name for test in table.names()}
    assert {name: tests for name, tests in table.claims().items() if name not in known} == {}


def test_a_reason_covers_something() -> None:
    tests = table.names()
    assert [reason for reason in table.reasons() if not any(reason.covers(test) for test in tests)] == []
