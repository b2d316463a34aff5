"""A container whose command reads files, variables or time lives: its script runs over simulated files, by the clock."""

from __future__ import annotations

import base64
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, PODS, SECRETS
from tests.controllers.kubelet.cluster import Cluster, pod, state
from tests.controllers.kubelet.test_logs import read


def shell(script: str, name: str = "c", **more: Any) -> Object:
    return {"name": name, "image": "busybox:1.37", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script], **more}


async def finished(cluster: Cluster, *containers: Object, seconds: float = 3.0, **spec: Any) -> tuple[str, str]:
    """(state, log) of the first container of a pod that runs once."""
    await cluster.create(pod(containers=list(containers), restartPolicy="Never", **spec))
    await cluster.step(seconds)
    name = containers[0]["name"]
    return state(await cluster.pod(), name), await read(cluster, name)


async def test_a_script_has_variables_loops_and_pipes(cluster: Cluster) -> None:
    script = 'for i in 1 2 3; do sum=$((${sum:-0} + i)); done; echo "$GREETING $(echo "$sum" | tr 6 7)"; exit 4'
    shown, log = await finished(cluster, shell(script, env=[{"name": "GREETING", "value": "hello"}]))
    assert (shown, log) == ("terminated Error 4", "hello 7\n")


async def test_a_script_lives_by_the_clock(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[shell("i=0; while true; do echo tick $i; i=$((i+1)); sleep 10; done")]))
    await cluster.step(25)
    assert await read(cluster) == "tick 0\ntick 1\ntick 2\n"
    await cluster.step(10)
    assert (await read(cluster, tailLines="1")) == "tick 3\n"


async def test_volumes_of_config_maps_and_secrets(cluster: Cluster) -> None:
    meta = {"namespace": "default"}
    await cluster.client.create(
        CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": "cm"}, "data": {"a": "A"}}
    )
    secret = {"password": base64.b64encode(b"hidden").decode()}
    await cluster.client.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "name": "s"}, "data": secret})
    mounts = [{"name": "cm", "mountPath": "/etc/cm"}, {"name": "s", "mountPath": "/etc/s", "readOnly": True}]
    volumes = [
        {"name": "cm", "configMap": {"name": "cm", "items": [{"key": "a", "path": "sub/a", "mode": 0o400}]}},
        {"name": "s", "secret": {"secretName": "s"}},
    ]
    script = "cat /etc/cm/sub/a /etc/s/password; stat -L -c ' %a' /etc/cm/sub/a; echo x > /etc/s/password"
    shown, log = await finished(cluster, shell(script, volumeMounts=mounts), volumes=volumes)
    assert log.startswith("Ahidden 400\n")
    assert "Read-only file system" in log
    assert shown == "terminated Error 1"


async def test_a_config_map_changes_under_a_running_container(cluster: Cluster) -> None:
    made: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "before"}}
    await cluster.client.create(CONFIG_MAPS, made)
    container = shell("while true; do cat /c/a; echo; sleep 5; done", volumeMounts=[{"name": "cm", "mountPath": "/c"}])
    await cluster.create(pod(containers=[container], volumes=[{"name": "cm", "configMap": {"name": "cm"}}]))
    await cluster.client.update(CONFIG_MAPS, {**made, "data": {"a": "after"}})
    await cluster.step(6)
    assert await read(cluster) == "before\nafter\n"


async def test_an_empty_dir_is_shared_and_outlives_restarts(cluster: Cluster) -> None:
    mount = [{"name": "e", "mountPath": "/e"}]
    writer = shell("echo x >> /e/f; echo y >> /root-file; wc -l < /e/f; wc -l < /root-file; exit 1", volumeMounts=mount)
    await cluster.create(
        pod(containers=[writer, shell("sleep 1000; cat /e/f", "other", volumeMounts=mount)], volumes=[{"name": "e", "emptyDir": {}}])
    )
    await cluster.step(5)
    assert (await read(cluster)).split() == ["2", "1"]


async def test_hosts_host_name_and_downward_variables(cluster: Cluster) -> None:
    env = [
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"name": "BOTH", "value": "$(IP)/$(HOST)"},
    ]
    aliases = [{"ip": "123.45.67.89", "hostnames": ["foo", "bar"]}]
    _, log = await finished(cluster, shell("echo $BOTH; hostname; tail -n 2 /etc/hosts", env=env), hostAliases=aliases)
    shown = objects.status(await cluster.pod())
    assert log == f"{shown['podIP']}/{shown['hostIP']}\np\n# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\n"


async def test_identity_and_a_read_only_root(cluster: Cluster) -> None:
    context = {"runAsUser": 1001, "runAsGroup": 2002, "readOnlyRootFilesystem": True}
    shown, log = await finished(cluster, shell("id -u; id -g; touch /file", securityContext=context))
    assert log.startswith("1001\n2002\n")
    assert "Read-only file system" in log
    assert shown == "terminated Error 1"


async def test_termination_messages(cluster: Cluster) -> None:
    await finished(cluster, shell("x=DONE; echo -n $x > /dev/termination-custom", terminationMessagePath="/dev/termination-custom"))
    assert objects.status(await cluster.pod())["containerStatuses"][0]["state"]["terminated"]["message"] == "DONE"
    await cluster.delete(grace=0)
    await finished(cluster, shell("x=DONE; echo -n $x; exit 1", terminationMessagePolicy="FallbackToLogsOnError"))
    assert objects.status(await cluster.pod())["containerStatuses"][0]["state"]["terminated"]["message"] == "DONE"


async def test_a_trap_decides_how_it_ends(cluster: Cluster) -> None:
    polite = shell("trap 'echo bye; exit 7' TERM; while true; do sleep 1; done", "polite")
    deaf = shell("trap : TERM; while true; do sleep 1; done", "deaf")
    await cluster.create(pod(containers=[polite, deaf], restartPolicy="Never"))
    await cluster.step(2)
    made = await cluster.pod()
    await cluster.client.update(PODS, {**made, "metadata": {**made["metadata"], "finalizers": ["example.com/wait"]}})
    await cluster.delete(grace=10)
    await cluster.step(12)
    assert state(await cluster.pod(), "polite") == "terminated Error 7"
    assert state(await cluster.pod(), "deaf") == "terminated Error 137"
    assert (await read(cluster, "polite")) == "bye\n"


async def test_an_exec_probe_looks_at_its_files(cluster: Cluster) -> None:
    probe = {"exec": {"command": ["cat", "/tmp/health"]}, "initialDelaySeconds": 1, "periodSeconds": 5, "failureThreshold": 1}
    container = shell("echo ok > /tmp/health; sleep 10; rm -rf /tmp/health; sleep 600", livenessProbe=probe)
    await cluster.create(pod(containers=[container]))
    await cluster.step(9)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 0
    await cluster.step(10)
    assert objects.status(await cluster.pod())["containerStatuses"][0]["restartCount"] == 1


async def test_what_it_cannot_run_is_named_and_goes_on_without(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[shell("echo $HOME; frobnicate --all")]))
    await cluster.step(5)
    assert state(await cluster.pod()) == "running"
    said = [message for reason, message in await cluster.events() if reason == "NotInterpreted"]
    assert said == ['Container c is simulated and cannot run the command "frobnicate": it goes on as one without a command']


async def test_sub_paths_by_expression(cluster: Cluster) -> None:
    env = [{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    mounts = [{"name": "e", "mountPath": "/own", "subPathExpr": "of/$(NAME)"}, {"name": "e", "mountPath": "/all"}]
    container = shell("echo hi > /own/f; cat /all/of/p/f", env=env, volumeMounts=mounts)
    shown, log = await finished(cluster, container, volumes=[{"name": "e", "emptyDir": {}}])
    assert (shown, log) == ("terminated Completed 0", "hi\n")
