"""Pods: defaults, what creates and updates are refused for, deletion, warnings."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object, deep_copy
from kctl.kube_apiserver.registry.core.pod_defaults import image_pull_policy
from kctl.kube_apiserver.registry.core.pod_qos import qos_class
from tests.kctl.kube_apiserver.registry.harness import Harness

PODS = Harness("v1", "Pod")
CONTAINER = {"name": "c", "image": "nginx"}


def pod(container: dict[str, Any] | None = None, **spec: Any) -> Object:
    return {"spec": {"containers": [{**CONTAINER, **(container or {})}], "serviceAccountName": "default", **spec}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry.local:5000/app", "Always"),
        ("registry.local:5000/app:v1", "IfNotPresent"),
        ("g@sha256:00", "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert image_pull_policy(image) == policy


def test_defaults_of_a_pod() -> None:
    made = PODS.create(
        pod(
            {
                "ports": [{"containerPort": 80}],
                "livenessProbe": {"httpGet": {"port": 80}},
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            },
            hostNetwork=True,
            volumes=[{"name": "v"}, {"name": "w", "secret": {"secretName": "s"}}],
        )
    )
    spec, container = made["spec"], made["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert container["livenessProbe"]["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert container["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert spec["volumes"][0] == {"name": "v", "emptyDir": {}}
    assert spec["volumes"][1]["secret"]["defaultMode"] == 420
    assert (spec["restartPolicy"], spec["dnsPolicy"], spec["enableServiceLinks"]) == ("Always", "ClusterFirst", True)
    assert spec["serviceAccount"] == "default"
    assert made["status"] == {"phase": "Pending", "qosClass": "Burstable"}


def test_a_gated_pod_says_so() -> None:
    made = PODS.create(pod(schedulingGates=[{"name": "example.com/wait"}]))
    condition = made["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1Gi"}}, "Burstable"),
        ({"requests": {"example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}, "BestEffort"),
    ],
)
def test_qos_class(resources: dict[str, Any], expected: str) -> None:
    assert qos_class({"containers": [{"resources": resources}]}) == expected


REFUSED: list[tuple[str, Object, list[str]]] = [
    ("no containers", {"spec": {"containers": []}}, ["spec.containers: Required value"]),
    (
        "request above limit",
        pod({"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}),
        ['spec.containers[0].resources.requests: Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi'],
    ),
    (
        "huge pages of half a page",
        pod({"resources": {"limits": {"hugepages-2Mi": "3Mi", "cpu": "1"}}}),
        [
            'spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple '
            "of hugepages-2Mi",
            'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer '
            "multiple of hugepages-2Mi",
        ],
    ),
    (
        "claim that the pod does not have",
        pod({"resources": {"claims": [{"name": "gpu"}]}}),
        ['spec.containers[0].resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty'],
    ),
    (
        "sleep longer than the grace period",
        pod({"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}),
        [
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 60: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)"
        ],
    ),
    (
        "init container with the name of a container",
        pod(initContainers=[CONTAINER]),
        ['spec.initContainers[0].name: Duplicate value: "c"'],
    ),
    (
        "Windows with Linux settings",
        pod({"securityContext": {"privileged": True}}, os={"name": "windows"}, hostPID=True),
        [
            "spec.hostPID: Forbidden: cannot be set for a windows pod",
            "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod",
        ],
    ),
    (
        "seccomp profile without its file",
        pod(securityContext={"seccompProfile": {"type": "Localhost"}}),
        ["spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"],
    ),
    (
        "spread over two equal constraints",
        pod(topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}] * 2),
        ['spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}"'],
    ),
    (
        "projected files at one path",
        pod(
            volumes=[
                {
                    "name": "v",
                    "projected": {
                        "sources": [
                            {"secret": {"name": "a", "items": [{"key": "k", "path": "x"}]}},
                            {"configMap": {"name": "b", "items": [{"key": "k", "path": "x"}]}},
                        ]
                    },
                }
            ]
        ),
        ['spec.volumes[0].projected: Invalid value: "b": conflicting duplicate paths'],
    ),
]


@pytest.mark.parametrize(("obj", "expected"), [pytest.param(o, e, id=i) for i, o, e in REFUSED])
def test_refused_pods(obj: Object, expected: list[str]) -> None:
    assert PODS.problems(obj) == expected


def test_updates_may_only_change_what_a_kubelet_can_follow() -> None:
    old = PODS.create(pod())
    fine = deep_copy(old["spec"])
    fine["containers"][0]["image"] = "nginx:2"
    fine["tolerations"] = [{"key": "k", "operator": "Exists"}]
    assert PODS.update(old, spec=fine)[1] == []
    moved = {**deep_copy(old["spec"]), "nodeName": "n1"}
    [problem] = PODS.update(old, spec=moved)[1]
    assert problem.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,")
    assert '- "NodeName": "",\n+ "NodeName": "n1",\n' in problem


def test_a_terminated_container_stays_terminated() -> None:
    old = PODS.create(pod(restartPolicy="Never"))
    old["status"]["containerStatuses"] = [{"name": "c", "state": {"terminated": {"exitCode": 0}}}]
    status = {**old["status"], "containerStatuses": [{"name": "c", "state": {"running": {}}}]}
    assert PODS.update(old, "status", status=status)[1] == [
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    ]


def test_pod_ip_and_pod_ips_agree() -> None:
    old = PODS.create(pod())
    made, problems = PODS.update(old, "status", status={**old["status"], "podIP": "10.0.0.1"})
    assert (made["status"]["podIPs"], problems) == ([{"ip": "10.0.0.1"}], [])


@pytest.mark.parametrize(
    ("node", "phase", "requested", "granted"),
    [("n1", "Running", None, 30), ("n1", "Running", 5, 5), ("n1", "Running", -1, 1), ("", "Pending", None, 0), ("n1", "Succeeded", 5, 0)],
)
def test_grace_period(node: str, phase: str, requested: int | None, granted: int) -> None:
    obj = {"spec": {"nodeName": node, "terminationGracePeriodSeconds": 30}, "status": {"phase": phase}}
    assert PODS.strategy.deletion_grace_seconds(obj, requested) == granted


def test_warnings() -> None:
    made = PODS.create(
        pod(
            {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            nodeSelector={"beta.kubernetes.io/os": "linux"},
        )
    )
    assert PODS.strategy.warnings_on_create(PODS.context(), made) == [
        'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
        'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    ]
