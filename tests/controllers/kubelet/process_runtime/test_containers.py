"""Pods that are real processes: commands, exit codes, order, restarts, ends, logs and what stays behind (nothing)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.resources import PODS
from tests.controllers.kubelet.process_runtime.cluster import container, process_cluster, state

pytestmark = [pytest.mark.real_time, pytest.mark.process]


async def test_output_exit_code_and_termination_message(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("echo out; echo err >&2; printf why > /dev/termination-log; exit 3"))
        pod = await cluster.ended()
        assert objects.status(pod)["phase"] == "Failed"
        terminated = state(pod)["terminated"]
        assert (terminated["exitCode"], terminated["reason"], terminated["message"]) == (3, "Error", "why")
        assert terminated["containerID"].startswith("kctl-process://")
        assert sorted((await cluster.logs()).splitlines()) == ["err", "out"]


async def test_a_signal_is_128_and_its_number_and_logs_may_be_the_message(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("echo last words; kill -SEGV $$$$", terminationMessagePolicy="FallbackToLogsOnError"))
        terminated = state(await cluster.ended())["terminated"]
        assert (terminated["exitCode"], terminated["reason"], terminated["message"]) == (139, "Error", "last words\n")


async def test_success(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container(command=["true"]))
        pod = await cluster.ended()
        assert objects.status(pod)["phase"] == "Succeeded"
        assert state(pod)["terminated"]["reason"] == "Completed"


async def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container(command=["./nope"], workingDir="/tmp"))
        terminated = state(await cluster.ended())["terminated"]
        assert (terminated["exitCode"], terminated["reason"]) == (128, "StartError")
        assert terminated["message"].endswith('unable to start container process: exec: "./nope": stat ./nope: no such file or directory')


@pytest.mark.parametrize(
    ("image", "command", "words"),
    [
        ("nginx:1.27", None, "what it runs by itself is not known here"),
        ("x", ["no-such-program"], 'this machine has no program "no-such-program"'),
    ],
)
async def test_images_that_cannot_be_had(tmp_path: Path, image: str, command: list[str] | None, words: str) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create({"name": "c", "image": image, **({"command": command} if command else {})})
        pod = await cluster.until(lambda pod: (state(pod).get("waiting") or {}).get("reason") == "ErrImagePull")
        assert words in state(pod)["waiting"]["message"] and "--image" in state(pod)["waiting"]["message"]


async def test_environment(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.config_map("settings", {"COLOUR": "red", "size": "xl"})
        await cluster.secret("hidden", {"key": "secret"})
        env = [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "$(A)-$(KUBERNETES_SERVICE_PORT)"},
            {"name": "SIZE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "size"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "hidden", "key": "key"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "requests.cpu", "divisor": "1m"}}},
        ]
        made = container(
            command=["sh", "-c", "echo $A $B $SIZE $KEY $IP $CPU $COLOUR $0; pwd", "$(A)"],
            env=env,
            envFrom=[{"configMapRef": {"name": "settings"}}],
            workingDir="/usr",
            resources={"requests": {"cpu": "250m"}},
        )
        await cluster.create(made)
        address = objects.status(await cluster.ended())["podIP"]
        assert address.startswith("127.")
        assert await cluster.logs() == f"1 1-443 xl secret {address} 250 red 1\n/usr\n"


async def test_init_containers_and_sidecars_come_in_order(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
        await cluster.create(
            container("cat /shared/first /shared/side; echo third", **shared),
            initContainers=[
                container("echo first > /shared/first", "one", **shared),
                container("echo second > /shared/side; exec sleep 1000", "side", restartPolicy="Always", **shared),
                container("while ! test -e /shared/side; do sleep 0.01; done", "two", **shared),
            ],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
        pod = await cluster.ended()
        assert await cluster.logs() == "first\nsecond\nthird\n"
        assert [state(pod, name)["terminated"]["exitCode"] for name in ("one", "two", "c")] == [0, 0, 0]
        pod = await cluster.until(lambda pod: "terminated" in state(pod, "side"))
        assert state(pod, "side")["terminated"]["exitCode"] == 143


async def test_restarts_and_the_log_of_the_run_before(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(
            container("test -e /kept/again && { echo second; exec sleep 1000; }; touch /kept/again; echo first; exit 1")
            | {"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]},
            restartPolicy="OnFailure",
            volumes=[{"name": "kept", "emptyDir": {}}],
        )
        pod = await cluster.until(lambda pod: any(each["restartCount"] for each in objects.status(pod).get("containerStatuses") or ()))
        assert objects.status(pod)["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1
        await cluster.logged("second")
        assert await cluster.logs(previous="true") == "first\n"


async def test_a_layer_of_its_own_over_the_host(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(
            container("echo x > /usr/kctl-was-here && cat /usr/kctl-was-here; hostname"),
            container("test -e /usr/kctl-was-here || echo unseen", "d"),
            hostname="web-1",
        )
        await cluster.ended()
        assert await cluster.logs() == "x\nweb-1\n"
    assert "kctl-was-here" not in os.listdir("/usr")


async def test_termination_is_graceful_first(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(
            container("trap 'sleep 0.1; exit 7' TERM; echo ready; while :; do sleep 0.05; done"), terminationGracePeriodSeconds=30
        )
        await cluster.logged("ready")
        meta = {"finalizers": ["example.com/look"]}
        await cluster.client.patch(PODS, "p", {"metadata": meta}, "default")
        await cluster.client.delete(PODS, "p", "default")
        pod = await cluster.until(lambda pod: "terminated" in state(pod))
        assert state(pod)["terminated"]["exitCode"] == 7
        await cluster.client.patch(PODS, "p", {"metadata": {"finalizers": None}}, "default")
        await cluster.gone()


async def test_what_does_not_end_is_killed_with_all_it_has_started(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        script = "trap '' TERM; setsid sh -c 'sleep 1001 & sleep 1002' & (sleep 1003 &) ; echo ready; while :; do sleep 0.1; done"
        await cluster.create(container(script), terminationGracePeriodSeconds=1)
        await cluster.logged("ready")
        await cluster.client.delete(PODS, "p", "default")
        await cluster.gone()  # that nothing is left is looked at when the cluster stops


async def test_pods_removed_by_force_leave_nothing(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        await cluster.create(container("trap '' TERM; echo ready; while :; do sleep 0.1; done"))
        await cluster.logged("ready")
        await cluster.client.delete(PODS, "p", "default", grace_period_seconds=0)
        await cluster.gone()


async def test_hooks(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        shared = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
        hooks = {
            "postStart": {"exec": {"command": ["sh", "-c", "echo after > /shared/after"]}},
            "preStop": {"exec": {"command": ["sh", "-c", "echo before > /shared/before"]}},
        }
        watcher = container("while ! test -e /shared/before; do sleep 0.01; done; cat /shared/after /shared/before; exec sleep 1000", "w")
        await cluster.create(
            container("exec sleep 1000", lifecycle=hooks, **shared),
            watcher | shared,
            volumes=[{"name": "shared", "hostPath": {"path": str(tmp_path / "shared"), "type": "DirectoryOrCreate"}}],
        )
        await cluster.running()
        await cluster.client.delete(PODS, "p", "default")
        await cluster.gone()
        assert (tmp_path / "shared" / "before").read_text() == "before\n"
        assert (tmp_path / "shared" / "after").read_text() == "after\n"


async def test_a_hook_that_fails_ends_the_container(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo no; exit 4"]}}}
        await cluster.create(container("exec sleep 1000", lifecycle=hook))
        await cluster.ended()
        assert (
            "FailedPostStartHook",
            "PostStartHook failed: command 'sh -c echo no; exit 4' exited with 4: no\n",
        ) in await cluster.events()


async def test_memory_beyond_the_limit(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        grow = "x = []\nwhile True: x.append(bytearray(b'x') * (4 << 20))"
        await cluster.create(
            {"name": "c", "image": "python", "command": ["python3", "-c", grow], "resources": {"limits": {"memory": "64Mi"}}},
        )
        terminated = state(await cluster.ended())["terminated"]
        assert (terminated["exitCode"], terminated["reason"]) == (137, "OOMKilled")


async def test_probes_ask_the_processes(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        fast = {"periodSeconds": 1, "failureThreshold": 60}
        served = container(
            command=["python3", "-m", "http.server", "18080", "--bind", "$(IP)"],
            env=[{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            startupProbe={"tcpSocket": {"port": 18080}, **fast},
            readinessProbe={"httpGet": {"path": "/", "port": 18080}, **fast},
            livenessProbe={"exec": {"command": ["test", "-d", "/usr"]}, **fast},
        )
        await cluster.create(served, container("exec sleep 1000", "d", readinessProbe={"exec": {"command": ["true"]}, **fast}))
        await cluster.running()


async def test_a_container_that_is_not_alive_is_restarted(tmp_path: Path) -> None:
    async with process_cluster(tmp_path) as cluster:
        probe = {"exec": {"command": ["sh", "-c", "echo unwell; exit 1"]}, "periodSeconds": 1, "failureThreshold": 1}
        await cluster.create(container("exec sleep 1000", livenessProbe=probe), restartPolicy="Always")
        await cluster.until(lambda pod: any(each["restartCount"] for each in objects.status(pod).get("containerStatuses") or ()))
        events = await cluster.events()
        assert ("Unhealthy", "Liveness probe failed: unwell") in events
        assert ("Killing", "Container c failed liveness probe, will be restarted") in events


async def test_simulated_and_real_pods_in_one_cluster(tmp_path: Path) -> None:
    async with process_cluster(tmp_path, default="simulated") as cluster:
        await cluster.create(container("uname; exec sleep 1000"), name="simulated")
        await cluster.create(container("cat /proc/self/comm; exec sleep 1000"), name="real", runtimeClassName="process")
        assert objects.status(await cluster.running("simulated"))["podIP"].startswith("10.244.")
        assert objects.status(await cluster.running("real"))["podIP"].startswith("127.")
        await cluster.logged("cat\n", name="real")
