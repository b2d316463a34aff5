"""The algebra of sets of fields holds against sets of paths, which are what it stands for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.apimachinery.field_ownership import entries, paths, sets

_ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"c"}', 'v:"x"', "i:0"])
_PATHS = st.lists(_ELEMENTS, min_size=1, max_size=4).map(tuple)
_SETS = st.frozensets(_PATHS, max_size=8)


def plain(found: sets.FieldSet) -> frozenset[Any]:
    return frozenset(sets.members(found))


@given(_SETS)
def test_a_set_has_exactly_its_members(members: frozenset[Any]) -> None:
    made = sets.of_paths(*members)
    assert plain(made) == members
    assert all(sets.has(made, path) for path in members)
    assert not sets.has(made, ("f:nowhere",))
    assert not sets.has(made, ())


@given(_SETS, _SETS)
def test_union_intersection_and_difference_are_those_of_the_members(left: frozenset[Any], right: frozenset[Any]) -> None:
    a, b = sets.of_paths(*left), sets.of_paths(*right)
    assert plain(sets.union(a, b)) == left | right
    assert plain(sets.intersection(a, b)) == left & right
    assert plain(sets.difference(a, b)) == left - right
    assert sets.union(a, b) == sets.of_paths(*(left | right)), "there is one form of every set"
    assert sets.difference(a, b) == sets.of_paths(*(left - right))


@given(_SETS, _SETS)
def test_recursive_difference_takes_what_is_below_along(left: frozenset[Any], right: frozenset[Any]) -> None:
    kept = {path for path in left if not any(path[:length] in right for length in range(1, len(path) + 1))}
    assert plain(sets.recursive_difference(sets.of_paths(*left), sets.of_paths(*right))) == kept


@given(_SETS)
def test_a_set_survives_the_wire(members: frozenset[Any]) -> None:
    made = sets.of_paths(*members)
    assert entries.read_fields(made) == made


def test_members_come_before_what_is_below_others() -> None:
    made = sets.of_paths(("f:a", "f:b"), ("f:c",), ("f:a",), ('k:{"port":443}',), ('k:{"port":80}',))
    assert [paths.text(path) for path in sets.members(made)] == [".a", ".c", "[port=80]", "[port=443]", ".a.b"]


@pytest.mark.parametrize("element", ["", "f", "x:a", "k:[]", "k:{", "i:a", "v:"])
def test_what_is_no_path_element_is_refused(element: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        entries.read_fields({element: {}})


def test_keys_are_told_apart_whatever_their_order() -> None:
    assert entries.read_fields({'k:{"protocol":"TCP","port":80}': {}}) == {'k:{"port":80,"protocol":"TCP"}': {}}
