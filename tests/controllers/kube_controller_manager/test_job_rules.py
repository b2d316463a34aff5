"""Sets of completion indexes, back-off and the policies of Jobs, without a server."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.kube_controller_manager.job import intervals, rules
from controllers.kube_controller_manager.job.backoff import Failures, seconds_left

Object = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def as_intervals(indexes: set[int]) -> intervals.Intervals:
    return intervals.with_indexes([], indexes)


def some_indexes(randomness: random.Random) -> set[int]:
    return {index for index in range(41) if randomness.random() < 0.4}


@pytest.mark.parametrize("seed", range(50))
def test_intervals_are_sets(seed: int) -> None:
    randomness = random.Random(seed)
    some, others = some_indexes(randomness), some_indexes(randomness)
    one, other = as_intervals(some), as_intervals(others)
    assert intervals.parse(intervals.text_of(one), 41) == one
    assert intervals.total(one) == len(some)
    assert intervals.union(one, other) == as_intervals(some | others)
    assert intervals.overlap(one, other) == len(some & others)
    assert [index for index in range(41) if intervals.contains(one, index)] == sorted(some)


@pytest.mark.parametrize("seed", range(50))
def test_the_first_missing_indexes(seed: int) -> None:
    randomness = random.Random(seed)
    taken, count, completions = some_indexes(randomness), randomness.randrange(11), randomness.randrange(46)
    expected = [index for index in range(completions) if index not in taken][:count]
    assert intervals.first_missing(as_intervals(taken), count, completions) == expected


@pytest.mark.parametrize(
    ("text", "completions", "found"),
    [
        ("", 5, []),
        ("0,2-4,7", 9, [(0, 0), (2, 4), (7, 7)]),
        ("0,2-4,7", 4, [(0, 0), (2, 3)]),
        ("0,1,2", 9, [(0, 2)]),
        ("x,3", 9, [(3, 3)]),
    ],
)
def test_reading_what_is_written(text: str, completions: int, found: intervals.Intervals) -> None:
    assert intervals.parse(text, completions) == found


def test_writing_as_the_api_does() -> None:
    assert intervals.text_of(as_intervals({0, 1, 3, 4, 5, 9})) == "0,1,3-5,9"


@pytest.mark.parametrize(("failures", "wait"), [(0, 0), (1, 10), (2, 20), (3, 40), (7, 600), (50, 600)])
def test_back_off_doubles(failures: int, wait: int) -> None:
    assert seconds_left(failures, NOW, NOW) == wait


def ended(at: int, phase: str = "Failed") -> Object:
    stamp = (NOW + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%SZ")
    state = {"name": "c", "state": {"terminated": {"finishedAt": stamp}}}
    return {"metadata": {}, "spec": {}, "status": {"phase": phase, "containerStatuses": [state]}}


def test_a_success_forgets_the_failures_before_it() -> None:
    failures = Failures().after([], [ended(1), ended(2)])
    assert (failures.count, failures.last) == (2, NOW + timedelta(seconds=2))
    failures = failures.after([ended(5, "Succeeded")], [ended(4), ended(6)])
    assert (failures.count, failures.last) == (1, NOW + timedelta(seconds=6))
    assert failures.after([ended(9, "Succeeded")], []) == Failures()


def indexed_pod(name: str, index: int | None) -> Object:
    annotations = {} if index is None else {rules.INDEX: str(index)}
    return {"metadata": {"name": name, "uid": name, "annotations": annotations}}


def test_which_pods_of_an_indexed_job_are_too_many() -> None:
    job = {"spec": {"completionMode": "Indexed", "completions": 3}}
    ordered = [
        indexed_pod("young-0", 0),
        indexed_pod("none", None),
        indexed_pod("beyond", 5),
        indexed_pod("old-0", 0),
        indexed_pod("one", 1),
    ]
    doomed = [pod["metadata"]["name"] for pod in rules.surplus(job, ordered, 0)]
    assert sorted(doomed) == ["beyond", "none", "young-0"]
    assert len(rules.surplus(job, ordered, 4)) == 4
    assert rules.surplus({"spec": {}}, ordered, 2) == ordered[:2]
