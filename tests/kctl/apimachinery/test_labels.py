"""Long selectors are matched by another way than short ones: with the same outcome, and at a price that each object's labels bound."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as some

from kctl.apimachinery import go_numbers, labels

KEYS = some.sampled_from("abc")
VALUES = some.sampled_from(["", "x", "1", "2", "3", "99999999999999999999"])
NUMBERS = some.sampled_from(["-1", "0", "1", "2", "3", "99999999999999999999"])
REQUIREMENTS = some.one_of(
    some.builds(labels.Requirement, KEYS, some.sampled_from(["in", "notin"]), some.lists(VALUES, min_size=1, max_size=3).map(tuple)),
    some.builds(labels.Requirement, KEYS, some.sampled_from(["=", "notin"]), some.tuples(VALUES)),
    some.builds(labels.Requirement, KEYS, some.sampled_from(["exists", "!"])),
    some.builds(labels.Requirement, KEYS, some.sampled_from(["gt", "lt"]), some.tuples(NUMBERS)),
)


@given(some.lists(REQUIREMENTS, min_size=1, max_size=5), some.dictionaries(KEYS, VALUES))
def test_a_long_selector_matches_what_its_requirements_match(requirements: list[labels.Requirement], found: dict[str, str]) -> None:
    long = labels.Selector(tuple(requirements) * 9)
    assert long._index is not None
    assert long.matches(found) == all(requirement.matches(found) for requirement in requirements)


def test_however_many_bounds_a_label_is_compared_once() -> None:
    selector = labels.parse(",".join(f"a>{number},a<{number + 9000}" for number in range(5000)))
    with mock.patch.object(go_numbers, "saturated", side_effect=go_numbers.saturated) as read:
        assert selector.matches({"a": "5000", "b": "1"}) and not selector.matches({"a": "4999"}) and not selector.matches({"a": "9000"})
    assert read.call_count == 3
