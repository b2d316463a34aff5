"""What the API shows of a simulated pod from its binding to its end."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, PODS, SECRETS
from tests.controllers.kubelet.cluster import Cluster, conditions, container, pod, state

READY = {
    "PodReadyToStartContainers": "True",
    "Initialized": "True",
    "Ready": "True",
    "ContainersReady": "True",
    "PodScheduled": "True",
}


async def test_plain_pod_runs_with_one_status_write(cluster: Cluster) -> None:
    made = await cluster.create(pod())
    shown = await cluster.pod()
    status = objects.status(shown)
    assert status["phase"] == "Running"
    assert conditions(shown) == READY
    assert [entry["type"] for entry in status["conditions"]] == list(READY)
    assert all(entry["observedGeneration"] == 1 for entry in status["conditions"])
    assert status["podIP"] == "10.244.0.2" and status["podIPs"] == [{"ip": "10.244.0.2"}]
    assert status["hostIPs"] == [{"ip": status["hostIP"]}]
    assert status["startTime"] == "2026-01-01T00:00:00Z"
    (only,) = status["containerStatuses"]
    assert only["ready"] and only["started"] and only["restartCount"] == 0 and only["lastState"] == {}
    assert only["containerID"].startswith("kctl-sim://") and len(only["containerID"]) == 11 + 64
    assert only["image"] == "docker.io/library/nginx:1.27"
    assert only["imageID"].startswith("docker.io/library/nginx@sha256:")
    assert int(objects.resource_version(shown)) == int(objects.resource_version(made)) + 1
    assert await cluster.events() == [
        ("Pulled", 'Container image "nginx:1.27" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


async def test_deletion_stops_containers_then_removes_the_pod(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"stop-duration": "5s"}))
    await cluster.delete()
    await cluster.step(4)
    assert objects.deletion_timestamp(await cluster.pod())
    await cluster.step(1.5)
    assert await cluster.gone()
    assert ("Killing", "Stopping container c") in await cluster.events()
    await cluster.create(pod("q"))
    assert objects.status(await cluster.pod("q"))["podIP"] == "10.244.0.3"


async def test_deletion_is_seen_to_take_place(cluster: Cluster) -> None:
    """As `kubectl get pods -w` shows it: running, then terminating for a moment, then gone."""
    made = await cluster.create(pod())
    watch = await cluster.client.watch(PODS, "default", resource_version=objects.resource_version(made))
    await cluster.delete()
    shown = await cluster.pod()
    assert objects.deletion_timestamp(shown) and objects.metadata(shown)["deletionGracePeriodSeconds"] == 30
    assert state(shown) == "running"
    await cluster.step(1)
    assert await cluster.gone()
    seen = []
    async for batch in watch:
        seen += [(event.type, bool(objects.deletion_timestamp(event.object))) for event in batch]
        if seen[-1][0] == "DELETED":
            break
    assert seen[-2:] == [("MODIFIED", True), ("DELETED", True)]


async def test_two_pods_share_a_host_port_on_different_addresses(cluster: Cluster) -> None:
    def on(ip: str) -> list[Object]:
        return [container(ports=[{"containerPort": 80, "hostPort": 8080, **({"hostIP": ip} if ip else {})}])]

    await cluster.create(pod("a", containers=on("127.0.0.1")))
    await cluster.create(pod("b", containers=on("10.0.0.9")))
    await cluster.create(pod("same", containers=on("127.0.0.1")))
    await cluster.create(pod("all", containers=on("")))
    phases = {name: objects.status(await cluster.pod(name))["phase"] for name in ("a", "b", "same", "all")}
    assert phases == {"a": "Running", "b": "Running", "same": "Failed", "all": "Failed"}
    assert objects.status(await cluster.pod("all"))["reason"] == "NodePorts"
    await cluster.delete("a", grace=0)
    await cluster.create(pod("next", containers=on("127.0.0.1")))
    assert objects.status(await cluster.pod("next"))["phase"] == "Running"


FROM_ANNOTATION = {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['where']"}}}


@pytest.mark.parametrize(
    ("expression", "env", "message"),
    [
        pytest.param("$(NOWHERE)/x", [], "missing value for NOWHERE", id="missing"),
        pytest.param("$(WHERE)", [FROM_ANNOTATION], "missing value for WHERE", id="empty"),
        pytest.param("$(P)", [{"name": "P", "value": "/etc"}], "error SubPath `/etc` must not be an absolute path", id="absolute"),
        pytest.param("$(P)", [{"name": "P", "value": ".."}], "unable to provision SubPath `..`: must not contain '..'", id="backsteps"),
    ],
)
async def test_a_wrong_sub_path_stops_the_container(cluster: Cluster, expression: str, env: list[Object], message: str) -> None:
    mount = {"name": "v", "mountPath": "/data", "subPathExpr": expression}
    await cluster.create(pod(containers=[container(env=env, volumeMounts=[mount])], volumes=[{"name": "v", "emptyDir": {}}]))
    shown = await cluster.pod()
    assert state(shown) == "waiting CreateContainerConfigError"
    assert objects.status(shown)["containerStatuses"][0]["state"]["waiting"]["message"] == message
    assert ("Failed", f"Error: {message}") in await cluster.events()


async def test_a_container_starts_when_its_sub_path_is_mended(cluster: Cluster) -> None:
    mount = {"name": "v", "mountPath": "/data", "subPathExpr": "$(WHERE)/$$x"}
    given = [container(env=[FROM_ANNOTATION], volumeMounts=[mount])]
    await cluster.create(pod(containers=given, volumes=[{"name": "v", "emptyDir": {}}]))
    assert state(await cluster.pod()) == "waiting CreateContainerConfigError"
    await cluster.client.patch(PODS, "p", {"metadata": {"annotations": {"where": "here"}}}, "default")
    await cluster.settle()
    assert state(await cluster.pod()) == "running"


async def test_grace_period_ends_in_a_kill(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"stop-duration": "5m"}, restartPolicy="Never"))
    await cluster.client.patch(PODS, "p", {"metadata": {"finalizers": ["example.com/look"]}}, "default")
    await cluster.delete(grace=3)
    await cluster.step(3.5)
    shown = await cluster.pod()
    assert state(shown) == "terminated Error 137"
    assert objects.status(shown)["phase"] == "Failed"
    await cluster.client.patch(PODS, "p", {"metadata": {"finalizers": None}}, "default")
    await cluster.settle()
    assert await cluster.gone()


@pytest.mark.parametrize(
    ("policy", "annotations", "after", "phase", "shown"),
    [
        pytest.param("Never", {}, 2, "Succeeded", "terminated Completed 0", id="completes"),
        pytest.param("Never", {"exit-code": "3"}, 2, "Failed", "terminated Error 3", id="fails"),
        pytest.param("Never", {"run-duration": "1m"}, 30, "Running", "running", id="still-runs"),
        pytest.param("Never", {"oom-after": "500ms"}, 1, "Failed", "terminated OOMKilled 137", id="out-of-memory"),
        pytest.param("OnFailure", {"exit-code": "1,0"}, 10, "Succeeded", "terminated Completed 0", id="second-try"),
        pytest.param("Always", {"run-duration": "1s", "exit-code": "1"}, 1.1, "Running", "terminated Error 1", id="error"),
    ],
)
async def test_exits(cluster: Cluster, policy: str, annotations: dict[str, str], after: float, phase: str, shown: str) -> None:
    await cluster.create(pod(annotations=annotations, restartPolicy=policy))
    await cluster.step(after)
    present = await cluster.pod()
    assert (objects.status(present)["phase"], state(present)) == (phase, shown)


async def test_completed_pod_has_completed_conditions(cluster: Cluster) -> None:
    await cluster.create(pod(restartPolicy="Never"))
    await cluster.step(2)
    assert conditions(await cluster.pod()) == {
        "PodReadyToStartContainers": "False",
        "Initialized": "True PodCompleted",
        "Ready": "False PodCompleted",
        "ContainersReady": "False PodCompleted",
        "PodScheduled": "True",
    }
    await cluster.delete()
    assert await cluster.gone()


async def test_crash_loop_backs_off_and_doubles(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"run-duration": "1s", "exit-code": "1"}))
    uid = objects.uid(await cluster.pod())
    await cluster.step(2.1)  # ended at 1 s, the first restart needs no back-off
    first = objects.status(await cluster.pod())["containerStatuses"][0]
    assert first["restartCount"] == 1 and "running" in first["state"] and first["lastState"]["terminated"]["exitCode"] == 1
    waits = []
    for expected in ("10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"):
        await cluster.step(2.1)
        status = objects.status(await cluster.pod())
        waiting = status["containerStatuses"][0]["state"]["waiting"]
        assert waiting["reason"] == "CrashLoopBackOff" and status["phase"] == "Running"
        waits.append(waiting["message"])
        assert waiting["message"] == f"back-off {expected} restarting failed container=c pod=p_default({uid})"
        seconds = {"10s": 10, "20s": 20, "40s": 40, "1m20s": 80, "2m40s": 160, "5m0s": 300}[expected]
        await cluster.step(seconds - 1)
        assert state(await cluster.pod()) == "running"
    text = f"Back-off restarting failed container c in pod p_default({uid})"
    assert ("BackOff", text) in await cluster.events()


async def test_back_off_is_forgotten_after_ten_minutes(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"run-duration": "1s,1s,11m,1s", "exit-code": "1"}))
    await cluster.step(2.1 + 2.1 + 9)
    assert state(await cluster.pod()) == "running"
    await cluster.step(11 * 60 + 1.5)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 3
    await cluster.step(2.1)
    message = objects.status(await cluster.pod())["containerStatuses"][0]["state"]["waiting"]["message"]
    assert message.startswith("back-off 10s ")


async def test_image_pull_failure_backs_off(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"image-pull": "fail"}))
    present = await cluster.pod()
    assert state(present) == "waiting ErrImagePull" and objects.status(present)["phase"] == "Pending"
    assert conditions(present)["Ready"] == "False ContainersNotReady"
    await cluster.step(2)
    assert state(await cluster.pod()) == "waiting ImagePullBackOff"
    await cluster.client.patch(PODS, "p", {"metadata": {"annotations": {"kctl.dev/image-pull": "ok"}}}, "default")
    await cluster.step(10)
    assert state(await cluster.pod()) == "running"
    reasons = [reason for reason, _ in await cluster.events()]
    assert reasons[:3] == ["Pulling", "Failed", "Failed"] and reasons[-3:] == ["Pulled", "Created", "Started"]


@pytest.mark.parametrize(
    ("image", "reason"),
    [("registry.invalid/x:1", "ErrImagePull"), ("Nginx", "InvalidImageName")],
)
async def test_wrong_images(cluster: Cluster, image: str, reason: str) -> None:
    await cluster.create(pod(containers=[container(image=image)]))
    assert state(await cluster.pod()) == f"waiting {reason}"


async def test_slow_start_is_seen(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={"image-pull": "slow", "start-delay": "2s", "readiness-delay": "3s"}))
    assert state(await cluster.pod()) == "waiting ContainerCreating"
    await cluster.step(16)
    assert state(await cluster.pod()) == "waiting ContainerCreating"
    await cluster.step(1.5)
    present = await cluster.pod()
    assert state(present) == "running" and conditions(present)["Ready"] == "False ContainersNotReady"
    await cluster.step(3)
    assert conditions(await cluster.pod()) == READY
    assert await cluster.events() == [
        ("Pulling", 'Pulling image "nginx:1.27"'),
        ("Pulled", (await cluster.events())[1][1]),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]
    assert (await cluster.events())[1][1].startswith('Successfully pulled image "nginx:1.27" in 15s (15s including waiting)')


async def test_init_containers_run_in_order(cluster: Cluster) -> None:
    init = [container("i1"), container("side", restartPolicy="Always"), container("i2")]
    await cluster.create(pod(annotations={"i1.run-duration": "2s", "i2.run-duration": "2s"}, initContainers=init))
    present = await cluster.pod()
    names = ("i1", "side", "i2", "c")
    waits = ["waiting PodInitializing"]
    assert [state(present, name) for name in names] == ["running", *waits * 3]
    assert conditions(present)["Initialized"] == "False ContainersNotInitialized"
    assert objects.status(present)["phase"] == "Pending"
    await cluster.step(2.1)
    assert [state(await cluster.pod(), name) for name in names] == [
        "terminated Completed 0",
        "running",
        "running",
        *waits,
    ]
    await cluster.step(2.1)
    present = await cluster.pod()
    assert [state(present, name) for name in names] == [
        "terminated Completed 0",
        "running",
        "terminated Completed 0",
        "running",
    ]
    assert conditions(present) == READY


async def test_failed_init_container(cluster: Cluster) -> None:
    init = [container("i")]
    await cluster.create(pod(annotations={"i.exit-code": "1"}, initContainers=init, restartPolicy="Never"))
    await cluster.step(1)
    present = await cluster.pod()
    assert objects.status(present)["phase"] == "Failed"
    assert state(present, "i") == "terminated Error 1" and state(present) == "waiting PodInitializing"


async def test_sidecar_ends_with_the_pod(cluster: Cluster) -> None:
    await cluster.create(pod(initContainers=[container("side", restartPolicy="Always")], restartPolicy="Never"))
    await cluster.step(2)
    present = await cluster.pod()
    assert objects.status(present)["phase"] == "Succeeded"
    assert state(present, "side") == "terminated Completed 0"


async def test_active_deadline(cluster: Cluster) -> None:
    await cluster.create(pod(activeDeadlineSeconds=5))
    await cluster.step(6)
    status = objects.status(await cluster.pod())
    message = "Pod was active on the node longer than the specified deadline"
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "DeadlineExceeded", message)


async def test_readiness_gate(cluster: Cluster) -> None:
    await cluster.create(pod(readinessGates=[{"conditionType": "example.com/go"}]))
    present = await cluster.pod()
    assert conditions(present)["Ready"] == "False ReadinessGatesNotReady"
    assert conditions(present)["ContainersReady"] == "True"
    given = [{"type": "example.com/go", "status": "True"}, *objects.status(present)["conditions"]]
    await cluster.client.update_status(PODS, objects.with_status(present, conditions=given))
    await cluster.settle()
    present = await cluster.pod()
    assert conditions(present) == {"example.com/go": "True", **READY}


@pytest.mark.parametrize(
    ("spec", "resource", "reason", "message"),
    [
        pytest.param(
            {"volumes": [{"name": "v", "configMap": {"name": "x"}}]},
            CONFIG_MAPS,
            "FailedMount",
            'MountVolume.SetUp failed for volume "v" : configmap "x" not found',
            id="volume",
        ),
        pytest.param(
            {"containers": [container(envFrom=[{"configMapRef": {"name": "x"}}])]},
            CONFIG_MAPS,
            "Failed",
            'Error: configmap "x" not found',
            id="environment",
        ),
        pytest.param(
            {"containers": [container(env=[{"name": "E", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}])]},
            SECRETS,
            "Failed",
            'Error: secret "x" not found',
            id="secret-key",
        ),
    ],
)
async def test_missing_sources_are_waited_for(cluster: Cluster, spec: dict[str, Any], resource: Any, reason: str, message: str) -> None:
    await cluster.create(pod(**spec))
    await cluster.settle()
    present = await cluster.pod()
    wanted = "ContainerCreating" if reason == "FailedMount" else "CreateContainerConfigError"
    assert state(present) == f"waiting {wanted}"
    assert (reason, message) in await cluster.events()
    found: Object = {"apiVersion": "v1", "kind": resource.kind, "metadata": {"name": "x", "namespace": "default"}}
    await cluster.client.create(resource, {**found, "data": {"k": "dmFsdWU="}})
    await cluster.settle()
    assert state(await cluster.pod()) == "running"


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        pytest.param(
            {"containers": [container(resources={"requests": {"cpu": "5"}})]},
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000",
            id="cpu",
        ),
        pytest.param(
            {"nodeSelector": {"disk": "ssd"}},
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
            id="selector",
        ),
    ],
)
async def test_node_refuses_a_pod(cluster: Cluster, spec: dict[str, Any], reason: str, message: str) -> None:
    await cluster.create(pod(**spec))
    status = objects.status(await cluster.pod())
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", reason, f"Pod was rejected: {message}")
    assert (reason, message) in await cluster.events()


async def test_host_network_uses_the_node_address(cluster: Cluster) -> None:
    await cluster.create(pod(hostNetwork=True))
    status = objects.status(await cluster.pod())
    assert status["podIP"] == status["hostIP"] == objects.status(await cluster.node())["addresses"][0]["address"]


async def test_image_change_restarts_the_container(cluster: Cluster) -> None:
    await cluster.create(pod())
    await cluster.client.patch(
        PODS,
        "p",
        [{"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:2"}],
        "default",
        patch_type="application/json-patch+json",
    )
    await cluster.step(2)
    (only,) = objects.status(await cluster.pod())["containerStatuses"]
    assert only["restartCount"] == 1 and only["image"] == "docker.io/library/nginx:2"
    assert ("Killing", "Container c definition changed, will be restarted") in await cluster.events()


async def test_another_image_restarts_what_only_failures_do(cluster: Cluster) -> None:
    await cluster.create(pod(restartPolicy="OnFailure", annotations={"run-duration": "forever"}))
    change = [{"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:2"}]
    await cluster.client.patch(PODS, "p", change, "default", patch_type="application/json-patch+json")
    await cluster.step(3)
    assert state(await cluster.pod()) == "running"


async def test_what_others_write_into_a_status_is_put_right(cluster: Cluster) -> None:
    made = await cluster.create(pod())
    before = objects.status(await cluster.pod())
    wrong = {"phase": "Failed", "conditions": [{"type": "Ready", "status": "False"}], "message": "not so", "reason": "Nothing"}
    await cluster.client.patch(PODS, "p", {"status": wrong}, "default", subresource="status")
    await cluster.step(5)
    assert objects.status(await cluster.pod())["phase"] == "Failed"
    await cluster.step(6)
    after = objects.status(await cluster.pod())
    assert {**after, "conditions": None} == {**before, "conditions": None}
    assert conditions({"status": after}) == conditions({"status": before}) and objects.uid(made) == objects.uid(await cluster.pod())


async def test_forced_deletion_frees_everything(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[container(resources={"requests": {"cpu": "3"}})]))
    await cluster.delete(grace=0)
    assert await cluster.gone()
    await cluster.create(pod("q", containers=[container(resources={"requests": {"cpu": "3"}})]))
    assert objects.status(await cluster.pod("q"))["phase"] == "Running"
