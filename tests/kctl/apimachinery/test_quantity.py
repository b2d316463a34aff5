"""Quantities: canonical text and values as Go's, and a cost that does not depend on what the text claims."""

from __future__ import annotations

from fractions import Fraction

import pytest

from kctl.apimachinery import quantity

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "canonical", "whole"),
    [
        ("1500m", "1500m", 2),
        ("1024Mi", "1Gi", 2**30),
        ("0.1", "100m", 1),
        ("-0.5", "-500m", 0),
        ("1e3", "1e3", 1000),
        ("12e4", "120e3", 120_000),
        ("1.5Gi", "1536Mi", 3 * 2**29),
        ("0.3Ki", "307200m", 308),
        ("1.0000000001", "1000000001n", 2),
        ("-1.9n", "-2n", 0),
        ("100n", "100n", 1),
        ("k", "0", 0),
        ("8Ei", str(LARGEST), LARGEST),
        ("-9Ei", str(-LARGEST), -LARGEST),
        ("1e99999999", "1e99999999", LARGEST),
        ("-1e99999999", "-1e99999999", -LARGEST - 1),
        ("1e-99999999", "1e-9", 1),
        ("1e4294967296", "1", 1),
        ("9" * 5000, "9" * 5000, LARGEST),
        ("9" * 5000 + "Ki", str(LARGEST), LARGEST),
        ("1" + "0" * 5000 + "e0", "100e4998", LARGEST),
        ("0." + "0" * 5000 + "1", "1n", 1),
        ("0." + "9" * 5000, "1", 1),
        ("0" * 5000 + "7", "7", 7),
        ("1." + "0" * 5000 + "1Ki", "1024000000001n", 1025),
    ],
    ids=lambda value: str(value)[:24],
)
def test_canonical_text_and_value(text: str, canonical: str, whole: int) -> None:
    assert quantity.canonical(text) == canonical
    assert quantity.whole(text) == whole
    assert quantity.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", quantity.WRONG),
        ("x", quantity.WRONG),
        ("1.5.5", quantity.WRONG),
        ("1e1e1", quantity.WRONG),
        ("١", quantity.WRONG),
        ("1²", quantity.WRONG),
        ("0" * 100_000 + "x", quantity.WRONG),
        ("1 ", quantity.WRONG),
        ("1e", quantity.WRONG_SUFFIX),
        ("1ki", quantity.WRONG_SUFFIX),
        ("1e99999999999999999999", quantity.WRONG_SUFFIX),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_quantity(text: str, why: str) -> None:
    with pytest.raises(quantity.QuantityError) as caught:
        quantity.parse(text)
    assert str(caught.value) == why


def test_numbers_beyond_computing_keep_their_order() -> None:
    texts = ["-1e99999999", "-1e70", "0", "1", "1e59", "1e60", "2e60", "1e61", "1e99999998", "1e99999999"]
    values = [quantity.parse(text) for text in texts]
    assert values == sorted(values)
    assert len(set(values)) == len(values)


def test_values_are_exact() -> None:
    assert quantity.parse("1.1Ki") == Fraction(11264, 10)
    assert quantity.add("100m", "1", "1e-9") == "1100000001n"
