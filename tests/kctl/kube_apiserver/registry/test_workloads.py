"""Deployments and the other controllers of pods: defaults, refusals, immutable fields, conversion of autoscalers."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import cron
from kctl.apimachinery.objects import Object, deep_copy
from kctl.kube_apiserver.registry.autoscaling.conversion import from_storage, to_storage
from tests.kctl.kube_apiserver.registry.harness import Harness

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
SELECTOR = {"matchLabels": {"a": "b"}}
DEPLOYMENTS = Harness("apps/v1", "Deployment")
STATEFUL_SETS = Harness("apps/v1", "StatefulSet")
DAEMON_SETS = Harness("apps/v1", "DaemonSet")
JOBS = Harness("batch/v1", "Job")


def workload(**spec: Any) -> Object:
    return {"spec": {"selector": SELECTOR, "template": deep_copy(TEMPLATE), **spec}}


def test_deployment_defaults() -> None:
    spec = DEPLOYMENTS.create(workload())["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert "enableServiceLinks" not in spec["template"]["spec"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"selector": {"matchLabels": {"x": "y"}}},
            'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
            id="selector of other pods",
        ),
        pytest.param({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0", id="negative"),
        pytest.param(
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
            id="no room to roll",
        ),
    ],
)
def test_refused_deployments(spec: dict[str, Any], expected: str) -> None:
    assert DEPLOYMENTS.problems(workload(**spec)) == [expected]


def test_a_selector_never_changes() -> None:
    old = DEPLOYMENTS.create(workload())
    spec = {**deep_copy(old["spec"]), "selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
    assert DEPLOYMENTS.update(old, spec=spec)[1] == [
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Exists"}]}: field is immutable'
    ]


def test_a_changed_annotation_is_a_new_generation_of_a_deployment() -> None:
    old = DEPLOYMENTS.create(workload())
    changed, problems = DEPLOYMENTS.update(old, metadata={**old["metadata"], "annotations": {"x": "y"}})
    assert problems == []
    assert changed["metadata"]["generation"] == old["metadata"].get("generation", 0) + 1


def test_pods_of_a_stateful_set_may_mount_its_claims() -> None:
    template = deep_copy(TEMPLATE)
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    obj = workload(template=template, serviceName="s", volumeClaimTemplates=[claim])
    assert STATEFUL_SETS.problems(obj) == []
    del obj["spec"]["volumeClaimTemplates"]
    assert STATEFUL_SETS.problems(obj) == ['spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"']


def test_template_generation_of_a_daemon_set() -> None:
    key = "deprecated.daemonset.template.generation"
    old = DAEMON_SETS.create(workload())
    assert old["metadata"]["annotations"] == {key: "1"}
    spec = deep_copy(old["spec"])
    spec["template"]["spec"]["containers"][0]["image"] = "nginx:2"
    changed, problems = DAEMON_SETS.update(old, spec=spec)
    assert (changed["metadata"]["annotations"][key], problems) == ("2", [])


def job(**spec: Any) -> Object:
    template = {"spec": {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}}
    return {"metadata": {"name": "j", "uid": "u"}, "spec": {"template": template, **spec}}


def test_a_job_gets_its_selector_from_its_uid() -> None:
    made = JOBS.create(job())
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["metadata"]["labels"] == made["spec"]["template"]["metadata"]["labels"]
    assert (made["spec"]["completions"], made["spec"]["backoffLimit"]) == (1, 6)
    assert JOBS.problems(job()) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"completionMode": "Indexed", "completions": 3, "successPolicy": {"rules": [{"succeededIndexes": "0-5"}]}},
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too large index: "5"',
            id="index beyond the last",
        ),
        pytest.param(
            {"podFailurePolicy": {"rules": [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1]}}]}},
            'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
            id="FailIndex without a limit per index",
        ),
    ],
)
def test_refused_jobs(spec: dict[str, Any], expected: str) -> None:
    assert JOBS.problems(job(**spec)) == [expected]


@pytest.mark.parametrize("schedule", ["* * * * *", "*/5 0-4 1,15 jan-mar MON", "@daily", "@every 1h30m", "0 0 1/2 * ?"])
def test_valid_schedules(schedule: str) -> None:
    cron.parse(schedule)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("61 * * * *", "end of range (61) above maximum (59): 61"),
        ("5-2 * * * *", "beginning of range (5) beyond end of range (2): 5-2"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("@often", "unrecognized descriptor: @often"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
    ],
)
def test_wrong_schedules(schedule: str, message: str) -> None:
    with pytest.raises(cron.ScheduleError) as caught:
        cron.parse(schedule)
    assert str(caught.value) == message


def test_an_autoscaler_survives_the_way_through_v1() -> None:
    harness = Harness("autoscaling/v2", "HorizontalPodAutoscaler")
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "5"}},
    }
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    obj = {"spec": {"scaleTargetRef": reference, "maxReplicas": 3, "metrics": [pods], "behavior": behavior}}
    made = harness.create(obj)
    old = from_storage(made, "autoscaling/v1")
    assert "metrics" not in old["spec"] and "behavior" not in old["spec"]
    again = to_storage(old, "autoscaling/v1")
    assert again["spec"] == made["spec"]
    assert "annotations" not in again["metadata"]
