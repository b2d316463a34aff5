"""What validation may cost: bounds of CEL expressions, and work that grows with the object, not with its square.

Work is counted in calls of functions, which are the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from kctl.kube_apiserver.admission.cel_environment import Environment
from kctl.kube_apiserver.registry.rules.language import each
from tests.kctl.kube_apiserver.registry.harness import Harness

PODS = Harness("v1", "Pod")
DEFINITIONS = Harness("apiextensions.k8s.io/v1", "CustomResourceDefinition")
STATEFUL_SETS = Harness("apps/v1", "StatefulSet")


def problem(expression: str, *wanted: str) -> str:
    program = Environment().compile(expression, *wanted, patches=True)
    return program if isinstance(program, str) else ""


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those of C among them."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_an_expression_of_more_than_100_000_characters() -> None:
    longest = "true" + " " * 99_996
    assert problem(longest, "bool") == ""
    why = "compilation failed: expression code point size exceeds limit: size: 100001, limit 100000"
    assert problem(longest + " ", "bool") == why


@pytest.mark.parametrize(
    ("opening", "inner", "closing"),
    [
        ("(", "true", ")"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("[", "1", "]"),
        ("{1: ", "1", "}"),
        ("dyn(", "object", ")"),
        ("object[", "1", "]"),
        ("true ? true : ", "true", ""),
        ("object.all(c, ", "true", ")"),
        ("true || true && 1 < 1 + 1 * dyn(", "1", ")"),
    ],
    ids=["brackets", "not", "minus", "list", "map", "call", "index", "choice", "macro", "operators"],
)
def test_expressions_nested_too_deeply(opening: str, inner: str, closing: str) -> None:
    """Python's own limit must never be what ends them."""
    assert problem(opening * 10 + inner + closing * 10) == ""
    for depth in (79, 80, 1_000, 3_000):
        why = problem(opening * depth + inner + closing * depth)
        assert why == "" or "expression recursion limit exceeded: " in why


@pytest.mark.parametrize("cut", [*range(1, 6), *range(7, 60)])
def test_expressions_that_end_too_early(cut: int) -> None:
    whole = "Object{a: [1, {2: 3}], b: object.l.all(c, c[?0] ? -x.y : !z)} "
    assert problem(whole[:cut], "bool") != ""


def test_a_long_chain_of_operators_is_no_nesting() -> None:
    assert problem(" && ".join(["true"] * 5_000), "bool") == ""
    for chain in ("object" + ".a" * 100, " + ".join(["1"] * 100)):
        assert problem(chain) == ""


@pytest.mark.parametrize("chain", ["object" + ".a" * 5_000, "1" + " + 1" * 5_000, "{}" + "[0]" * 5_000], ids=["fields", "sums", "indexes"])
def test_a_long_chain_of_what_is_nested(chain: str) -> None:
    assert "expression recursion limit exceeded: 200" in problem(chain)


def definition(versions: int) -> dict[str, Any]:
    """Versions that all differ, so that none is checked for another."""
    made = [
        {
            "name": f"v{number}",
            "served": True,
            "storage": number == 0,
            "schema": {"openAPIV3Schema": {"type": "object", "description": str(number), "properties": {"a": {"type": "string"}}}},
        }
        for number in range(versions)
    ]
    names = {"plural": "as", "kind": "A", "singular": "a", "listKind": "AList"}
    return {"metadata": {"name": "as.g.io"}, "spec": {"group": "g.io", "scope": "Cluster", "names": names, "versions": made}}


def test_300_versions_cost_what_three_times_100_do() -> None:
    few, many = definition(100), definition(300)
    assert DEFINITIONS.problems(many) == []
    ratio = calls(lambda: DEFINITIONS.problems(many)) / calls(lambda: DEFINITIONS.problems(few))
    assert ratio < 3.5


def test_300_versions_of_one_name_are_told_once() -> None:
    repeated = definition(300)
    for version in repeated["spec"]["versions"]:
        version["name"] = "v1"
    assert len([text for text in DEFINITIONS.problems(repeated) if "must contain unique version names" in text]) == 1


def spread(**changes: Any) -> dict[str, Any]:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **changes}
    return {"spec": {"containers": [{"name": "c", "image": "i"}], "topologySpreadConstraints": [constraint]}}


PATH = "spec.topologySpreadConstraints[0]"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, []),
        ({"maxSkew": 0}, [f"{PATH}.maxSkew: Invalid value: 0: must be greater than zero"]),
        ({"topologyKey": ""}, [f"{PATH}.topologyKey: Required value: can not be empty"]),
        (
            {"whenUnsatisfiable": "Never"},
            [f'{PATH}.whenUnsatisfiable: Unsupported value: "Never": supported values: "DoNotSchedule", "ScheduleAnyway"'],
        ),
        ({"minDomains": 0}, [f"{PATH}.minDomains: Invalid value: 0: must be greater than zero"]),
        (
            {"minDomains": 2, "whenUnsatisfiable": "ScheduleAnyway"},
            [f"{PATH}.minDomains: Invalid value: 2: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway"],
        ),
        (
            {"nodeTaintsPolicy": "Perhaps"},
            [f'{PATH}.nodeTaintsPolicy: Unsupported value: "Perhaps": supported values: "Honor", "Ignore"'],
        ),
    ],
    ids=["valid", "skew", "key", "action", "domains", "domains-anyway", "policy"],
)
def test_topology_spread_constraints(changes: dict[str, Any], why: list[str]) -> None:
    assert PODS.problems(spread(**changes)) == why


def test_many_topology_spread_constraints() -> None:
    def pod(count: int) -> dict[str, Any]:
        made = spread()
        made["spec"]["topologySpreadConstraints"] = [
            {"maxSkew": 1, "topologyKey": f"zone-{number}", "whenUnsatisfiable": "DoNotSchedule"} for number in range(count)
        ]
        return made

    few, many = pod(200), pod(800)
    assert PODS.problems(many) == []
    assert calls(lambda: PODS.problems(many)) / calls(lambda: PODS.problems(few)) < 4.5


class Compared(str):
    """Counts how often texts are compared."""

    comparisons = 0

    def __eq__(self, other: object) -> bool:
        Compared.comparisons += 1
        return str.__eq__(self, other)  # type: ignore[no-any-return]

    __hash__ = str.__hash__


@pytest.mark.parametrize("key", ["", "name"], ids=["texts", "fields"])
def test_items_that_must_differ_are_not_each_compared_with_each(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compared, "comparisons", 0)
    marks = [Compared(f"a{number}") for number in range(2000)]
    rule = each(unique=key or True)
    assert rule.errors_at([{key: mark} for mark in marks] if key else marks, "items") == []
    assert Compared.comparisons < 2000
    repeated = [True, 1, {"a": 1, "b": 2}, {"b": 2, "a": 1}, True, [1], [1]]
    assert [error.field for error in each(unique=True).errors_at(repeated, "items")] == ["items[3]", "items[4]", "items[6]"]


def test_many_claims_of_a_container() -> None:
    def pod(count: int) -> dict[str, Any]:
        names = [f"claim-{number}" for number in range(count)]
        container = {"name": "c", "image": "i", "resources": {"claims": [{"name": name, "request": "gpu"} for name in names]}}
        return {"spec": {"containers": [container], "resourceClaims": [{"name": "one", "resourceClaimName": "x"}]}}

    few, many = pod(200), pod(800)
    assert len(PODS.problems(many)) == 800
    assert calls(lambda: PODS.problems(many)) / calls(lambda: PODS.problems(few)) < 4.5


@pytest.mark.parametrize("field", ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"])
def test_negative_counts_in_the_status_of_a_stateful_set(field: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    old = STATEFUL_SETS.create({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, "serviceName": "s"}})
    _, problems = STATEFUL_SETS.update(old, "status", status={"replicas": 0, field: -1})
    assert f"status.{field}: Invalid value: -1: must be greater than or equal to 0" in problems
