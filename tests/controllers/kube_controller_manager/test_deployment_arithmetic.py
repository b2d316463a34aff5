"""Rollout sizes, revisions, conditions and progress: dicts in, numbers out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controllers.kube_controller_manager.deployment import conditions, progress, rolling
from controllers.runtime import deployment_revisions as revisions
from controllers.runtime.revisions import hash_of
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}


def deployment(replicas: int = 10, surge: Any = "25%", unavailable: Any = "25%", **spec: Any) -> Object:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return {
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "strategy": strategy,
            "template": TEMPLATE,
            "progressDeadlineSeconds": 600,
            **spec,
        },
    }


def rs(name: str, replicas: int, available: int | None = None, *, created: int = 0, **annotations: str) -> Object:
    stamp = f"2026-01-01T00:00:{created:02}Z"
    notes = {f"deployment.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    meta = {"name": name, "namespace": "default", "uid": name, "creationTimestamp": stamp, "annotations": notes}
    have = replicas if available is None else available
    status = {"replicas": replicas, "readyReplicas": have, "availableReplicas": have, "terminatingReplicas": 0}
    return {"metadata": meta, "spec": {"replicas": replicas, "template": TEMPLATE}, "status": status}


def sizes(scale: rolling.Scale) -> dict[str, int]:
    return {objects.name(obj): size for obj, size in scale}


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 3, (1, 0)),
        (0, 0, 5, (0, 1)),
        ("0%", "10%", 5, (0, 1)),
        (2, 3, 2, (2, 2)),
        ("100%", 0, 4, (4, 0)),
        ("25%", "25%", 0, (0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(surge: Any, unavailable: Any, replicas: int, expected: tuple[int, int]) -> None:
    wished = deployment(replicas, surge, unavailable)
    assert (rolling.max_surge(wished), rolling.max_unavailable(wished)) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (rs("new", 0), [rs("old", 10)], {"new": 3}),
        (rs("new", 3), [rs("old", 8)], {"new": 5}),
        (rs("new", 10), [], {}),
        (rs("new", 12), [], {"new": 10}),
        (rs("new", 3), [rs("old", 10)], {}),
        (rs("new", 5), [rs("old", 2)], {"new": 10}),
    ],
    ids=["first step", "next step", "done", "too many", "no room", "the rest"],
)
def test_the_new_replica_set_grows_within_the_surge(new: Object, old: list[Object], expected: dict[str, int]) -> None:
    assert sizes(rolling.scale_new(deployment(), new, old)) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (rs("new", 3, 0), [rs("old", 10)], {"old": 8}),
        (rs("new", 3, 3), [rs("old", 10)], {"old": 5}),
        (rs("new", 3, 0), [rs("old", 8)], {}),
        (rs("new", 10, 10), [rs("old", 3)], {"old": 0}),
        (rs("new", 3, 0), [rs("a", 4, 4, created=1), rs("b", 6, 2, created=2)], {"b": 4}),
        (rs("new", 4, 4), [], {}),
    ],
    ids=["first step", "new is available", "none to spare", "end", "unavailable first", "nothing old"],
)
def test_old_replica_sets_shrink_within_availability(new: Object, old: list[Object], expected: dict[str, int]) -> None:
    assert sizes(rolling.scale_old(deployment(), new, old)) == expected


def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    noted = {"desired_replicas": "10", "max_replicas": "13"}
    new, old = rs("new", 5, created=2, **noted), rs("old", 8, created=1, **noted)
    assert sizes(rolling.resize(deployment(20), new, [old])) == {"old": 15, "new": 10}
    assert sum(sizes(rolling.resize(deployment(5), new, [old])).values()) == 7
    assert rolling.is_scaling(deployment(20), [new, old])
    assert not rolling.is_scaling(deployment(10), [new, old])


def test_one_active_replica_set_just_follows() -> None:
    assert sizes(rolling.resize(deployment(4), rs("new", 2), [rs("old", 0)])) == {"new": 4}
    assert sizes(rolling.resize(deployment(4), None, [rs("a", 0, created=1), rs("b", 0, created=2)])) == {"b": 4}


def test_the_hash_is_stable_and_depends_on_template_and_collisions() -> None:
    first = hash_of(TEMPLATE, None)
    assert first == hash_of(objects.deep_copy(TEMPLATE), 0)
    assert set(first) <= set("bcdfghjklmnpqrstvwxz2456789") and 8 <= len(first) <= 10
    assert first != hash_of(TEMPLATE, 1)
    assert first != hash_of({**TEMPLATE, "spec": {"containers": []}}, None)


def test_the_new_replica_set_is_the_oldest_with_this_template() -> None:
    labelled = objects.deep_copy(TEMPLATE)
    labelled["metadata"]["labels"]["pod-template-hash"] = "x"
    late, early = rs("late", 1, created=5), rs("early", 1, created=1)
    early["spec"]["template"] = labelled
    other = rs("other", 1)
    other["spec"] = {"template": {"spec": {}}}
    assert revisions.find_new(deployment(), [late, other, early]) is early


def test_rolling_back_gives_a_new_number_and_remembers_the_old() -> None:
    found = revisions.new_annotations(deployment(), rs("a", 0, revision="1"), 3)
    assert found[revisions.REVISION] == "3" and found[revisions.REVISION_HISTORY] == "1"
    found = revisions.new_annotations(deployment(), rs("a", 0, revision="3", revision_history="1"), 5)
    assert found[revisions.REVISION_HISTORY] == "1,3"


def test_annotations_are_copied_but_not_kubectls_own() -> None:
    wished = deployment()
    wished["metadata"]["annotations"] = {"team": "a", revisions.LAST_APPLIED: "{}", revisions.REVISION: "7"}
    assert revisions.copied_annotations(wished) == {"team": "a"}


def test_history_beyond_the_limit_goes_oldest_first() -> None:
    old = [rs(f"r{number}", 0, revision=str(number)) for number in (3, 1, 2)]
    for entry in old:
        entry["metadata"]["generation"] = entry["status"]["observedGeneration"] = 1
    assert [objects.name(entry) for entry in revisions.to_clean_up(deployment(revisionHistoryLimit=1), old)] == [
        "r1",
        "r2",
    ]
    old[1]["status"]["replicas"] = 1
    assert [objects.name(entry) for entry in revisions.to_clean_up(deployment(revisionHistoryLimit=1), old)] == ["r2"]
    assert revisions.to_clean_up(deployment(), old) == []


def progressing(status: dict[str, Any]) -> tuple[str, str, str]:
    found = objects.find_condition(status["conditions"], "Progressing")
    assert found is not None
    return found["status"], found["reason"], found["message"]


def test_progress_from_creation_to_completion() -> None:
    wished = deployment(3)
    created = conditions.new("Progressing", "True", conditions.NEW_CREATED, "", "2026-01-01T00:00:00Z")
    wished["status"] = {"conditions": [created]}
    part = progress.rollout_status(wished, rs("a", 3, 1), [rs("a", 3, 1)], NOW)
    assert progressing(part) == ("True", "ReplicaSetUpdated", 'ReplicaSet "a" is progressing.')
    assert part["unavailableReplicas"] == 2 and part["availableReplicas"] == 1
    available = objects.find_condition(part["conditions"], "Available")
    assert available is not None and available["reason"] == "MinimumReplicasUnavailable"
    wished["status"] = part
    full = progress.rollout_status(wished, rs("a", 3), [rs("a", 3)], NOW)
    assert progressing(full) == ("True", "NewReplicaSetAvailable", 'ReplicaSet "a" has successfully progressed.')
    assert full["terminatingReplicas"] == 0 and "unavailableReplicas" not in full
    assert [entry["type"] for entry in full["conditions"]] == ["Available", "Progressing"]


def test_deadline() -> None:
    wished = deployment(3, progressDeadlineSeconds=3)
    stuck = [rs("a", 3, 0)]
    status = progress.rollout_status(wished, stuck[0], stuck, NOW)
    wished["status"] = status
    assert progress.seconds_to_deadline(wished, status, NOW) == 4
    assert progress.rollout_status(wished, stuck[0], stuck, NOW + timedelta(seconds=2)) == status
    late = progress.rollout_status(wished, stuck[0], stuck, NOW + timedelta(seconds=4))
    assert progressing(late) == ("False", "ProgressDeadlineExceeded", 'ReplicaSet "a" has timed out progressing.')
    assert progress.seconds_to_deadline(wished, late, NOW) is None


def test_pause_and_resume_are_noted_once() -> None:
    wished = deployment(paused=True)
    noted = progress.pause_condition(wished, NOW)
    assert noted is not None and (noted["status"], noted["reason"]) == ("Unknown", "DeploymentPaused")
    wished["status"] = {"conditions": [noted]}
    assert progress.pause_condition(wished, NOW) is None
    wished["spec"]["paused"] = False
    noted = progress.pause_condition(wished, NOW)
    assert noted is not None and noted["message"] == "Deployment is resumed"


def test_a_replica_failure_shows_in_the_deployment() -> None:
    failing = rs("a", 3, 0)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    failing["status"]["conditions"] = [{**failure, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    status = progress.rollout_status(deployment(3), failing, [failing], NOW)
    found = objects.find_condition(status["conditions"], "ReplicaFailure")
    assert found is not None and found["message"] == "quota"
    wished = {**deployment(3), "status": status}
    assert objects.find_condition(progress.rollout_status(wished, rs("a", 3), [rs("a", 3)], NOW)["conditions"], "ReplicaFailure") is None
