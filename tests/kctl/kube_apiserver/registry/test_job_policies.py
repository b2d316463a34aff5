"""What the failure and success policies of a Job are refused for."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.kube_apiserver.registry.batch.job_validation import validate_job_spec

_NO_CONTAINER = "must be one of the container or initContainer names in the pod template"
TEMPLATE = {
    "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}], "initContainers": [{"name": "i", "image": "i"}]}
}


def problems(**spec: Any) -> list[str]:
    """Without those of the pod, which lacks what defaulting gives."""
    return [str(error) for error in validate_job_spec({"template": TEMPLATE, **spec}, "spec") if ".template.spec." not in error.field]


def of_failure(*rules: dict[str, Any], **spec: Any) -> list[str]:
    texts = problems(podFailurePolicy={"rules": list(rules)}, **spec)
    return [text.replace("spec.podFailurePolicy.rules", "", 1) for text in texts]


def on_codes(*values: int, **changes: Any) -> dict[str, Any]:
    return {"action": "FailJob", "onExitCodes": {"operator": "In", "values": list(values), **changes}}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (on_codes(1, 2), []),
        (
            on_codes(5, 3, 3, 0),
            [
                "[0].onExitCodes.values[2]: Duplicate value: 3",
                "[0].onExitCodes.values[3]: Invalid value: 0: must not be 0 for the In operator",
                "[0].onExitCodes.values: Invalid value: [5,3,3,0]: must be ordered",
            ],
        ),
        (on_codes(), ["[0].onExitCodes.values: Invalid value: []: at least one value is required"]),
        (on_codes(*range(1, 257)), ["[0].onExitCodes.values: Too many: 256: must have at most 255 items"]),
        (on_codes(1, containerName="i"), []),
        (
            on_codes(1, containerName="x"),
            [
                f'[0].onExitCodes.containerName: Invalid value: "x": {_NO_CONTAINER}',
            ],
        ),
        (on_codes(1, operator=""), ['[0].onExitCodes.operator: Required value: valid values: ["In" "NotIn"]']),
        ({"action": "Ignore"}, ["[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"]),
        (
            {**on_codes(1), "onPodConditions": [{"type": "Ready", "status": "True"}]},
            ["[0]: Invalid value: specifying both OnExitCodes and OnPodConditions is not supported"],
        ),
        (
            {"action": "Count", "onPodConditions": [{"type": "Ready"}]},
            ['[0].onPodConditions[0].status: Required value: valid values: ["False" "True" "Unknown"]'],
        ),
        ({**on_codes(1), "action": "FailIndex"}, ['[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set']),
    ],
)
def test_failure_rules(rule: dict[str, Any], expected: list[str]) -> None:
    assert of_failure(rule) == expected


def test_failing_an_index_needs_its_own_limit() -> None:
    assert of_failure({**on_codes(1), "action": "FailIndex"}, completionMode="Indexed", completions=3, backoffLimitPerIndex=1) == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"succeededIndexes": "0,2-3", "succeededCount": 3}, []),
        ({"succeededIndexes": "0,2-3", "succeededCount": 4}, ["must be less than or equal to 3 (the number of indexes"]),
        ({"succeededCount": 6}, ["must be less than or equal to 5 (the number of specified completions)"]),
        ({"succeededIndexes": "3-1"}, ["error parsing succeededIndexes: non-increasing order, previous: 3, current: 1"]),
        ({"succeededIndexes": "1-2-3"}, ["at most two parts separated by '-'"]),
        ({"succeededIndexes": "9"}, ['too large index: "9"']),
        ({}, ["at least one of succeededCount or succeededIndexes must be specified"]),
    ],
)
def test_success_rules(rule: dict[str, Any], expected: list[str]) -> None:
    texts = problems(completionMode="Indexed", completions=5, parallelism=1, successPolicy={"rules": [rule]})
    assert len(texts) == len(expected) and all(part in text for part, text in zip(expected, texts, strict=True))


def test_success_is_of_indexed_jobs_and_of_twenty_rules_at_most() -> None:
    assert problems(successPolicy={"rules": []}) == [
        'spec.successPolicy: Invalid value: {"Rules":null}: requires indexed completion mode',
    ]
    many = [{"succeededCount": 1}] * 21
    texts = problems(completionMode="Indexed", completions=5, parallelism=1, successPolicy={"rules": many})
    assert texts == ["spec.successPolicy.rules: Too many: 21: must have at most 20 items"]
