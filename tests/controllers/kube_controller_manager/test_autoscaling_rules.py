"""How many replicas metrics ask for, and how fast that may be followed: upstream's arithmetic, without a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.kube_controller_manager.horizontal_pod_autoscaler import replicas
from controllers.kube_controller_manager.horizontal_pod_autoscaler.behavior import History, limit
from controllers.kube_controller_manager.horizontal_pod_autoscaler.replicas import MetricFailure, Sample, Tolerances
from controllers.kube_controller_manager.horizontal_pod_autoscaler.sources import go_selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EQUAL = Tolerances()


def pod(name: str, *, ready: str = "True", phase: str = "Running", age: float = 3600, changed: float = 3600, request: str = "1") -> Object:
    stamp = rfc3339(NOW - timedelta(seconds=changed))
    status = {"phase": phase, "startTime": rfc3339(NOW - timedelta(seconds=age))}
    conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": stamp}]
    container = {"name": "c", "resources": {"requests": {"cpu": request}}}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}, "status": {**status, "conditions": conditions}}


def pods(count: int, **facts: Any) -> list[Object]:
    return [pod(f"p{number}", **facts) for number in range(count)]


def samples(*values: int, first: int = 0) -> dict[str, Sample]:
    return {f"p{number}": Sample(value, NOW, timedelta(seconds=60)) for number, value in enumerate(values, first)}


def by_cpu(current: int, target: int, all_pods: list[Object], found: dict[str, Sample], tolerances: Tolerances = EQUAL) -> int:
    requests = replicas.requests_of(all_pods, "cpu")
    return replicas.for_pods(current, target, all_pods, found, tolerances, NOW, resource="cpu", requests=requests).replicas


@pytest.mark.parametrize(
    ("current", "target", "values", "wanted"),
    [
        (3, 30, (300, 500, 700), 5),
        (3, 50, (100, 300, 500), 2),
        (3, 100, (1010, 1030, 1020), 3),  # within a tenth
        (3, 100, (1200, 1300, 1400), 4),
        (2, 50, (500, 0), 1),
        (5, 50, (100, 100, 100, 100, 100), 1),
    ],
)
def test_all_pods_ready(current: int, target: int, values: tuple[int, ...], wanted: int) -> None:
    assert by_cpu(current, target, pods(len(values)), samples(*values)) == wanted


def test_pods_that_are_not_ready_count_as_idle_when_it_goes_up() -> None:
    some = [*pods(2), pod("p2", ready="False", age=60, changed=60)]
    assert by_cpu(3, 30, some, samples(500, 700, 900)) == 4
    assert by_cpu(3, 50, some, samples(600, 600, 600)) == 3  # with the third idle it would go down


def test_pods_that_are_not_ready_are_left_out_when_it_goes_down() -> None:
    some = [*pods(2), pod("p2", ready="False", age=60, changed=60)]
    assert by_cpu(3, 50, some, samples(100, 100, 900)) == 1


def test_cpu_of_a_starting_pod_counts_one_window_after_it_became_ready() -> None:
    fresh, settled = pod("p1", age=120, changed=30), pod("p1", age=120, changed=90)
    assert by_cpu(2, 50, [pod("p0"), fresh], samples(500, 5000)) == 2
    assert by_cpu(2, 50, [pod("p0"), settled], samples(500, 5000)) == 11


def test_missing_pods_count_as_full_when_it_goes_down_and_as_idle_when_it_goes_up() -> None:
    assert by_cpu(4, 50, pods(4), samples(100, 100, 100)) == 3
    assert by_cpu(4, 50, pods(4), samples(600, 600, 600)) == 4
    assert by_cpu(4, 50, pods(4), samples(900, 900, 900)) == 6


def test_pods_that_are_going_or_have_failed_do_not_count() -> None:
    gone = pod("p1")
    gone["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    assert by_cpu(3, 50, [pod("p0"), gone, pod("p2", phase="Failed")], samples(1000, 0, 0)) == 2


def test_tolerances_of_either_direction() -> None:
    assert by_cpu(2, 50, pods(2), samples(700, 700), Tolerances(up=0.5)) == 2
    assert by_cpu(2, 50, pods(2), samples(700, 700), Tolerances(down=0.5)) == 3
    assert by_cpu(4, 50, pods(4), samples(300, 300, 300, 300), Tolerances(down=0.5)) == 4


@pytest.mark.parametrize(
    ("all_pods", "found", "why"),
    [
        ([], {}, "no pods returned by selector while calculating replica count"),
        (pods(1, ready="False", age=60, changed=60), samples(100), "did not receive metrics for targeted pods (pods might be unready)"),
        (pods(1, request="0"), samples(100), "no metrics returned matched known pods"),
    ],
)
def test_no_number_can_be_had(all_pods: list[Object], found: dict[str, Sample], why: str) -> None:
    with pytest.raises(MetricFailure) as failure:
        by_cpu(1, 50, all_pods, found)
    assert str(failure.value) == why


def test_requests_count_sidecars_and_what_the_pod_says_as_a_whole() -> None:
    one = pod("p0", request="250m")
    one["spec"]["initContainers"] = [
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "50m"}}},
        {"name": "init", "resources": {"requests": {"cpu": "5"}}},
    ]
    assert replicas.requests_of([one], "cpu") == {"p0": 300}
    assert replicas.requests_of([one], "cpu", "side") == {"p0": 50}
    one["spec"]["resources"] = {"requests": {"cpu": "2"}}
    assert replicas.requests_of([one], "cpu") == {"p0": 2000}
    with pytest.raises(MetricFailure, match="missing request for memory in container c of Pod p0"):
        replicas.requests_of([one], "memory")
    with pytest.raises(MetricFailure, match="container other not found in Pod p0"):
        replicas.requests_of([one], "cpu", "other")


def test_values_that_are_not_of_pods() -> None:
    assert replicas.for_value(3, 20_000, 10_000, pods(3), EQUAL) == 6
    assert replicas.for_value(3, 10_500, 10_000, pods(3), EQUAL) == 3
    assert replicas.for_value(0, 25_000, 10_000, [], EQUAL) == 3
    assert replicas.for_average(4, 100_000, 10_000, EQUAL) == (10, 25_000)
    assert replicas.for_average(4, 41_000, 10_000, EQUAL) == (4, 10_250)
    assert replicas.for_average(0, 41_000, 10_000, EQUAL) == (5, 0)
    assert replicas.for_average(0, 0, 10_000, EQUAL) == (0, 0)


# ---- behaviour


def rules(up: Object | None = None, down: Object | None = None) -> Object:
    policies = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
    default_up = {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, *policies],
    }
    return {"scaleUp": default_up | (up or {}), "scaleDown": {"selectPolicy": "Max", "policies": policies, **(down or {})}}


@pytest.mark.parametrize(
    ("current", "desired", "size", "reason"),
    [
        (3, 5, 5, "DesiredWithinRange"),
        (1, 9, 4, "ScaleUpLimit"),
        (6, 20, 10, "TooManyReplicas"),
        (4, 9, 8, "ScaleUpLimit"),
        (3, 1, 2, "TooFewReplicas"),
    ],
)
def test_without_behavior(current: int, desired: int, size: int, reason: str) -> None:
    found = limit(History(), None, current, desired, 2, 10, 1000.0)
    assert (found.replicas, found.limited[1]) == (size, reason)


def test_the_highest_of_five_minutes_counts_on_the_way_down() -> None:
    history = History()
    assert limit(history, None, 5, 5, 1, 10, 0.0).replicas == 5
    assert limit(history, None, 5, 2, 1, 10, 299.0).replicas == 5
    assert limit(history, None, 5, 2, 1, 10, 301.0).replicas == 2


def test_the_lowest_of_a_window_counts_on_the_way_up() -> None:
    history, behavior = History(), rules({"stabilizationWindowSeconds": 60})
    history.begin(2, 0.0)
    found = limit(history, behavior, 2, 6, 1, 10, 30.0)
    assert (found.replicas, found.stabilized[0]) == (2, "ScaleUpStabilized")
    assert limit(history, behavior, 2, 6, 1, 10, 61.0).replicas == 6


def test_policies_of_pods_and_percent_and_which_is_chosen() -> None:
    policies = [{"type": "Pods", "value": 2, "periodSeconds": 60}, {"type": "Percent", "value": 50, "periodSeconds": 60}]
    for choice, size in (("Max", 15), ("Min", 12), ("Disabled", 10)):
        behavior = rules({"policies": policies, "selectPolicy": choice})
        assert limit(History(), behavior, 10, 100, 1, 100, 0.0).replicas == size
    for choice, size in (("Max", 5), ("Min", 8), ("Disabled", 10)):
        behavior = rules(down={"policies": policies, "selectPolicy": choice, "stabilizationWindowSeconds": 0})
        found = limit(History(), behavior, 10, 1, 1, 100, 0.0)
        assert (found.replicas, found.limited[1]) == (size, "ScaleDownLimit")


def test_what_was_done_in_the_period_counts() -> None:
    history = History()
    behavior = rules({"policies": [{"type": "Pods", "value": 3, "periodSeconds": 60}]})
    history.scaled(5, 8, behavior, 0.0)
    assert limit(history, behavior, 8, 20, 1, 100, 30.0).replicas == 8
    assert limit(history, behavior, 8, 20, 1, 100, 61.0).replicas == 11
    history.scaled(8, 11, behavior, 61.0)
    assert history.ups == [(61.0, 3)]


def test_selectors_as_go_prints_them() -> None:
    assert go_selector(None) == "nil"
    shown = "&LabelSelector{MatchLabels:map[string]string{queue: worker_tasks,},MatchExpressions:[]LabelSelectorRequirement{},}"
    assert go_selector({"matchLabels": {"queue": "worker_tasks"}}) == shown
