"""sig-cli: what users do to workloads with kubectl, done with kctl and with the real kubectl in a running cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conformance.command_line import PROGRAMS, CommandLine, command_line
from tests.conformance.running import AGNHOST
from tests.e2e.live import eventually, live

__all__ = ["live"]
pytestmark = [pytest.mark.kubectl, pytest.mark.process]

NAUTILUS = "registry.k8s.io/e2e-test-images/nautilus:1.7"
HTTPD = "registry.k8s.io/e2e-test-images/httpd:2.4.38-4"
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"
PAUSE = "registry.k8s.io/pause:3.10.1"
REDIS_PORT = 6379
STORE_ARGS = ["guestbook", "--http-port", str(REDIS_PORT)]
UPDATE_DEMO = {"name": "update-demo", "version": "nautilus"}
PRIMARY = {"app": "agnhost", "role": "primary"}
IMAGE_OF = '{{if (exists . "spec" "containers")}}{{range .spec.containers}}{{if eq .name "update-demo"}}{{.image}}{{end}}{{end}}{{end}}'
IS_RUNNING = (
    '{{if (exists . "status" "containerStatuses")}}{{range .status.containerStatuses}}'
    '{{if (and (eq .name "update-demo") (exists . "state" "running"))}}true{{end}}{{end}}{{end}}'
)


@pytest.fixture(params=PROGRAMS)
def cli(live: Any, request: pytest.FixtureRequest) -> Iterator[CommandLine]:
    with command_line(live, request) as made:
        yield made


def controller(name: str, labels: dict[str, str], replicas: int, /, **container: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": labels, "template": template}
    return {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name, "labels": labels}, "spec": spec}


def deployment(name: str, labels: dict[str, str], replicas: int, /, **container: Any) -> dict[str, Any]:
    made = controller(name, labels, replicas, **container)
    spec = {**made["spec"], "selector": {"matchLabels": labels}}
    return {**made, "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


def service(name: str, labels: dict[str, str], port: int, target: Any = None) -> dict[str, Any]:
    ports = [{"port": port, **({"targetPort": target} if target else {})}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"selector": labels, "ports": ports},
    }


def demo(replicas: int = 2) -> dict[str, Any]:
    ports = [{"containerPort": 80, "protocol": "TCP"}]
    return controller("update-demo-nautilus", UPDATE_DEMO, replicas, name="update-demo", image=NAUTILUS, ports=ports)


def primary() -> dict[str, Any]:
    ports = [{"name": "agnhost-server", "containerPort": REDIS_PORT}]
    return controller("agnhost-primary", PRIMARY, 1, name="agnhost-primary", image=AGNHOST, args=STORE_ARGS, ports=ports)


def start_primary(cli: CommandLine) -> list[str]:
    """The names of its pods, which run."""
    cli.create(primary())
    return cli.running("app=agnhost,role=primary", 1)


class TestUpdateDemo:
    def _demo_runs(self, cli: CommandLine, replicas: int) -> None:
        """So many pods, all of the image, which serve what it has."""
        names = "{{range.items}}{{.metadata.name}} {{end}}"

        def pods() -> list[str]:
            return cli("get", "pods", "-o", "template", f"--template={names}", "-l", "name=update-demo").out.split()

        eventually(lambda: len(pods()) == replicas, f"there are {replicas} pods")
        for name in pods():
            template = ("get", "pods", name, "-o", "template", "--template")
            eventually(lambda template=template: cli(*template, IS_RUNNING).out == "true", f"{name} runs")  # type: ignore[misc]
            assert cli(*template, IMAGE_OF).out == NAUTILUS
            data = cli("get", "--raw", f"/api/v1/namespaces/{cli.namespace}/pods/{name}/proxy/data.json")
            assert "nautilus.jpg" in data.out

    def test_a_replication_controller_is_made_and_stopped(self, cli: CommandLine) -> None:
        """[sig-cli] Kubectl client Update Demo should create and stop a replication controller [Conformance]"""
        cli.create(demo())
        self._demo_runs(cli, 2)
        cli.must("delete", "--grace-period=0", "--force", "-f", "-", stdin=json.dumps(demo()))
        assert cli.must("get", "rc,svc", "-l", "name=update-demo", "--no-headers") == ""
        template = "{{ range .items }}{{ if not .metadata.deletionTimestamp }}{{ .metadata.name }}{{ end }}{{ end }}"
        eventually(lambda: cli("get", "pods", "-l", "name=update-demo", "-o", "go-template=" + template).out == "", "no pod is left")

    def test_a_replication_controller_is_scaled(self, cli: CommandLine) -> None:
        """[sig-cli] Kubectl client Update Demo should scale a replication controller [Conformance]"""
        cli.create(demo())
        self._demo_runs(cli, 2)
        for replicas in (1, 2):
            said = cli.must("scale", "rc", "update-demo-nautilus", f"--replicas={replicas}", "--timeout=5m")
            assert said == "replicationcontroller/update-demo-nautilus scaled\n"
            self._demo_runs(cli, replicas)


def test_the_guestbook_keeps_what_is_written(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Guestbook application should create and stop a working application [Conformance]"""
    replica, frontend = {**PRIMARY, "role": "replica"}, {"app": "guestbook", "tier": "frontend"}
    store = {"image": AGNHOST, "ports": [{"containerPort": REDIS_PORT, "name": "http-server"}]}
    application = [
        service("agnhost-replica", {**replica, "tier": "backend"}, REDIS_PORT, "http-server"),
        service("agnhost-primary", {**PRIMARY, "tier": "backend"}, REDIS_PORT, "http-server"),
        service("frontend", frontend, 80),
        deployment(
            "frontend",
            frontend,
            3,
            name="guestbook-frontend",
            image=AGNHOST,
            args=["guestbook", "--backend-port", str(REDIS_PORT)],
            ports=[{"name": "http-server", "containerPort": 80}],
        ),
        deployment(
            "agnhost-primary",
            {**PRIMARY, "tier": "backend"},
            1,
            name="primary",
            args=["guestbook", "--http-port", str(REDIS_PORT)],
            **store,
        ),
        deployment(
            "agnhost-replica",
            {**replica, "tier": "backend"},
            2,
            name="replica",
            args=["guestbook", "--replicaof", "agnhost-primary", "--http-port", str(REDIS_PORT)],
            **store,
        ),
    ]
    for each in application:
        cli.create(each)
    cli.running("app=guestbook,tier=frontend", 3)
    cli.running("app=agnhost,role=replica", 2)

    def asked(command: str, value: str = "") -> str:
        query = urlencode({"cmd": command, "key": "messages", "value": value})
        return cli("get", "--raw", f"/api/v1/namespaces/{cli.namespace}/services/frontend/proxy/guestbook?{query}").out.strip()

    eventually(lambda: asked("get") == '{"data":""}', "the guestbook is empty")
    eventually(lambda: asked("set", "TestEntry") == '{"message":"Updated"}', "an entry is taken")
    eventually(lambda: asked("get") == '{"data":"TestEntry"}', "the entry is read")
    for each in application:
        cli.must("delete", "--grace-period=0", "--force", "-f", "-", stdin=json.dumps(each))
    assert cli.must("get", "deploy,svc", "--no-headers") == ""


def test_describe_says_what_matters(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods
    [Conformance]"""
    cli.create(service("agnhost-primary", PRIMARY, REDIS_PORT, "agnhost-server"))
    (pod,) = start_primary(cli)
    labels = [("Labels:", "app=agnhost"), ("role=primary",), ("Annotations:",)]
    named = [("Name:", "agnhost-primary"), ("Namespace:", cli.namespace)]
    cli.says(
        ("describe", "pod", pod),
        *named,
        ("Node:",),
        *labels,
        ("Status:", "Running"),
        ("IP:",),
        ("Controlled By:", "ReplicationController/agnhost-primary"),
        ("Image:", AGNHOST),
        ("State:", "Running"),
        ("QoS Class:", "BestEffort"),
    )
    cli.says(
        ("describe", "rc", "agnhost-primary"),
        *named,
        ("Selector:", "app=agnhost,role=primary"),
        *labels,
        ("Replicas:", "1 current", "1 desired"),
        ("Pods Status:", "1 Running", "0 Waiting", "0 Succeeded", "0 Failed"),
        ("Pod Template:",),
        ("Image:", AGNHOST),
        ("Events:",),
    )
    cli.says(
        ("describe", "service", "agnhost-primary"),
        *named,
        *labels,
        ("Selector:", "app=agnhost", "role=primary"),
        ("Type:", "ClusterIP"),
        ("IP:",),
        ("Port:", "<unset>", "6379/TCP"),
        ("Endpoints:",),
        ("Session Affinity:", "None"),
    )
    node = cli.must("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    heading = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")
    rest = [(f"{word}:",) for word in ("Addresses", "Capacity", "Kernel Version", "Container Runtime Version", "Kubelet Version")]
    about = [("Labels:",), ("Annotations:",), ("CreationTimestamp:",), ("Conditions:",), heading]
    cli.says(("describe", "node", node), ("Name:", node), *about, *rest)
    cli.says(("describe", "namespace", cli.namespace), ("Name:", cli.namespace), ("Labels:",), ("Annotations:",), ("Status:", "Active"))


def test_diff_finds_another_image(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments [Conformance]"""
    live_one = deployment("httpd-deployment", {"app": "httpd"}, 1, name="httpd", image=HTTPD)
    cli.create(live_one)
    declared = json.dumps(live_one).replace(HTTPD, BUSYBOX)
    found = cli("diff", "-f", "-", stdin=declared)
    assert found.code == 1, found
    lines = [(line[:1], line[1:].strip()) for line in found.out.splitlines()]
    assert ("-", f"- image: {HTTPD}") in lines and ("+", f"- image: {BUSYBOX}") in lines, found.out
    cli.must("delete", "-f", "-", stdin=declared)


def test_services_are_exposed(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl expose should create services for rc [Conformance]"""
    (pod,) = start_primary(cli)
    address = cli.must("get", "pod", pod, "-o", "jsonpath={.status.podIP}")
    for what, name, port in (("rc/agnhost-primary", "rm2", 1234), ("service/rm2", "rm3", 2345)):
        kind, _, source = what.partition("/")
        cli.must("expose", kind, source, f"--name={name}", f"--port={port}", f"--target-port={REDIS_PORT}")
        made = json.loads(cli.must("get", "service", name, "-o", "json"))
        assert [(each["port"], each["targetPort"]) for each in made["spec"]["ports"]] == [(port, REDIS_PORT)]
        leads = "jsonpath={.subsets[0].addresses[*].ip}:{.subsets[0].ports[*].port}"
        eventually(lambda name=name, leads=leads: cli("get", "endpoints", name, "-o", leads).out == f"{address}:{REDIS_PORT}", name)  # type: ignore[misc]


def test_labels_come_and_go(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl label should update the label on a resource [Conformance]"""
    pod = {"metadata": {"name": "pause", "labels": {"name": "pause"}}, "spec": {"containers": [{"name": "pause", "image": PAUSE}]}}
    cli.create({"apiVersion": "v1", "kind": "Pod", **pod})
    cli.running("name=pause", 1)
    cli.must("label", "pods", "pause", "testing-label=testing-label-value")
    assert "testing-label-value" in cli.must("get", "pod", "pause", "-L", "testing-label")
    assert cli.must("get", "pod", "-l", "testing-label=testing-label-value", "-o", "name") == "pod/pause\n"
    cli.must("label", "pods", "pause", "testing-label-")
    assert "testing-label-value" not in cli.must("get", "pod", "pause", "-L", "testing-label")
    assert cli.must("get", "pod", "-l", "testing-label", "-o", "name") == ""


def test_pods_of_a_controller_are_annotated(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl patch should add annotations for pods in rc [Conformance]"""
    pods = start_primary(cli)
    for pod in pods:
        cli.must("patch", "pod", pod, "-p", '{"metadata":{"annotations":{"x":"y"}}}')
    listed = json.loads(cli.must("get", "pods", "-l", "app=agnhost", "-o", "json"))["items"]
    assert [each["metadata"]["annotations"]["x"] for each in listed] == ["y"] * len(pods)


def test_an_image_is_replaced(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl replace should update a single-container pod's image [Conformance]"""
    name = "e2e-test-httpd-pod"
    cli.must("run", name, f"--image={HTTPD}", "--pod-running-timeout=2m0s", f"--labels=run={name}")
    cli.running(f"run={name}", 1)
    text = cli.must("get", "pod", name, "-o", "json")
    changed = json.loads(text.replace(HTTPD, BUSYBOX))
    del changed["metadata"]["resourceVersion"]  # the kubelet may write its status meanwhile
    cli.must("replace", "-f", "-", stdin=json.dumps(changed))
    image = ("get", "pod", name, "-o", "jsonpath={.spec.containers[*].image}")
    assert cli.must(*image) == BUSYBOX
    cli.must("replace", "--force", "-f", "-", stdin=json.dumps(_created(json.loads(text))))
    assert cli.must(*image) == HTTPD


def _created(pod: dict[str, Any]) -> dict[str, Any]:
    """What of a pod a user writes."""
    kept = {name: pod["metadata"][name] for name in ("name", "namespace", "labels")}
    containers = [{name: each[name] for name in ("name", "image")} for each in pod["spec"]["containers"]]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": {"containers": containers}}


def test_a_pod_is_run_from_an_image(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never [Conformance]"""
    name = "e2e-test-httpd-pod"
    cli.must("run", name, "--restart=Never", "--pod-running-timeout=2m0s", f"--image={HTTPD}")
    spec = json.loads(cli.must("get", "pod", name, "-o", "json"))["spec"]
    assert [each["image"] for each in spec["containers"]] == [HTTPD] and spec["restartPolicy"] == "Never"


def test_a_dry_run_on_the_server_changes_nothing(cli: CommandLine) -> None:
    """[sig-cli] Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods [Conformance]"""
    name = "e2e-test-httpd-pod"
    cli.must("run", name, f"--image={HTTPD}", "--pod-running-timeout=2m0s", f"--labels=run={name}")
    patch = json.dumps({"spec": {"containers": [{"name": name, "image": BUSYBOX}]}})
    assert cli.must("patch", "pod", name, "-p", patch, "--dry-run=server").startswith(f"pod/{name} patched")
    image = ("get", "pod", name, "-o", "jsonpath={.spec.containers[*].image}")
    assert cli.must(*image) == HTTPD
