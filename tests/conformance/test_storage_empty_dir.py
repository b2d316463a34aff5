"""The official conformance tests of volumes that begin empty, of what kubelets keep in such ones, and of parts of volumes."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.execution import execute
from tests.conformance.suite import CORE, PODS, Suite, container, suite
from tests.conformance.test_storage_keys import config_map, from_config_map, from_secret, secret
from tests.conformance.volumes import BUSYBOX, CONFIG_MAPS, SECRETS, content, mount, mounttest, output, pod, runs

pytestmark = pytest.mark.virtual_time
PERMISSIONS = {"0644": "-rw-r--r--", "0666": "-rw-rw-rw-", "0777": "-rwxrwxrwx"}
MEMORY: Object = {"medium": "Memory"}
DISK: Object = {}
PAUSE = "registry.k8s.io/pause:3.10.1"


async def _look(e2e: Suite, medium: Object, user: int | None, *arguments: str) -> str:
    who = {"securityContext": {"runAsUser": user}} if user is not None else {}
    looks = mounttest("test-container", [mount("test-volume", "/test-volume")], "--fs_type=/test-volume", *arguments, **who)
    said = await output(e2e, pod("empty", [{"name": "test-volume", "emptyDir": medium}], looks))
    if medium is MEMORY:
        assert 'mount type of "/test-volume": tmpfs' in said, said
    return said


async def _new_files(e2e: Suite, medium: Object, user: int | None) -> None:
    """Of every mode, written by the user and looked at by the same."""
    path = "/test-volume/test-file"
    for bits, shown in PERMISSIONS.items():
        said = await _look(e2e, medium, user, f"--new_file_{bits}={path}", f"--file_perm={path}")
        assert f'perms of file "{path}": {shown}' in said and content(path, "mount-tester new file") in said, said


async def test_files_on_a_tmpfs() -> None:
    """[sig-storage] EmptyDir volumes volume on tmpfs should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0644,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0666,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0777,tmpfs) [LinuxOnly] [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        said = await _look(e2e, MEMORY, None, "--file_perm=/test-volume")
        assert 'perms of file "/test-volume": -rwxrwxrwx' in said
        await _new_files(e2e, MEMORY, None)
        await _new_files(e2e, MEMORY, 1001)


async def test_files_on_the_nodes_disk() -> None:
    """[sig-storage] EmptyDir volumes volume on default medium should have the correct mode [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0644,default) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0666,default) [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] EmptyDir volumes should support (non-root,0777,default) [LinuxOnly] [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        said = await _look(e2e, DISK, None, "--file_perm=/test-volume")
        assert 'perms of file "/test-volume": -rwxrwxrwx' in said and "tmpfs" not in said
        await _new_files(e2e, DISK, None)
        await _new_files(e2e, DISK, 1001)


async def _printed(e2e: Suite, pod_name: str, of: str, command: list[str]) -> str:
    """The output of a command that must succeed, without white space around it (as the official tests take it)."""
    done = await execute(e2e, f"{PODS}/{pod_name}", command, of)
    assert done.code == 0, done
    return done.output.strip()


async def test_containers_share_a_volume() -> None:
    """[sig-storage] EmptyDir volumes pod should support shared volumes between containers [Conformance]"""
    async with suite() as e2e:
        main = container(
            "busybox-main-container",
            BUSYBOX,
            command=["/bin/sh"],
            args=["-c", "sleep 100000"],
            volumeMounts=[mount("shared-data", "/usr/share/volumeshare")],
        )
        message = "Hello from the busy-box sub-container"
        sub = container(
            "busybox-sub-container",
            BUSYBOX,
            command=["/bin/sh"],
            args=["-c", f"echo {message} > /pod-data/shareddata.txt"],
            volumeMounts=[mount("shared-data", "/pod-data")],
        )
        await e2e.create(PODS, pod("shared", [{"name": "shared-data", "emptyDir": {}}], main, sub, terminationGracePeriodSeconds=0))
        await e2e.until(f"{PODS}/shared", lambda seen: seen["status"].get("phase") == "Running")
        await e2e.settle(1)
        reads = ["/bin/sh", "-c", "cat /usr/share/volumeshare/shareddata.txt"]
        assert await _printed(e2e, "shared", "busybox-main-container", reads) == message


async def test_what_is_kept_in_wrapped_volumes_does_not_conflict() -> None:
    """[sig-storage] EmptyDir wrapper volumes should not conflict [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SECRETS, secret("wrapped", {"data-1": "value-1\n"}))
        await e2e.create(CONFIG_MAPS, {"metadata": {"name": "wrapped"}, "binaryData": {"data-1": "dmFsdWUtMQo="}})
        mounts = [mount("s", "/etc/secret-volume", readOnly=True), mount("m", "/etc/configmap-volume")]
        serves = container("secret-test", args=["test-webserver"], volumeMounts=mounts)
        await runs(e2e, pod("wrapping", [from_secret("s", "wrapped"), from_config_map("m", "wrapped")], serves, restartPolicy="Always"))
        for folder in ("/etc/secret-volume", "/etc/configmap-volume"):
            assert await _printed(e2e, "wrapping", "secret-test", ["cat", f"{folder}/data-1"]) == "value-1"


async def test_many_config_maps_in_pods_of_one_node() -> None:
    """[sig-storage] EmptyDir wrapper volumes should not cause race condition when used for configmaps [Serial] [Conformance]"""
    async with suite() as e2e:
        names = [f"racey-configmap-{number}" for number in range(50)]
        for name in names:
            await e2e.create(CONFIG_MAPS, config_map(name, {"data-1": "value-1"}))
        volumes = [from_config_map(name, name, items=[{"key": "data-1", "path": "data-1"}]) for name in names]
        mounts = [mount(name, f"/etc/config-{number}") for number, name in enumerate(names)]
        worker = (await e2e.names("/api/v1/nodes"))[-1]
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [worker]}]}
        affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
        for turn in range(3):
            name = f"wrapped-volume-race-{turn}"
            spec = {"containers": [container("test-container", PAUSE, volumeMounts=mounts)], "volumes": volumes, "affinity": affinity}
            template = {"metadata": {"labels": {"name": name}}, "spec": {**spec, "dnsPolicy": "Default"}}
            controller = {"metadata": {"name": name}, "spec": {"replicas": 5, "selector": {"name": name}, "template": template}}
            await e2e.create(f"{CORE}/replicationcontrollers", controller)
            running = await e2e.running(f"name={name}", 5)
            assert {each["spec"]["nodeName"] for each in running} == {worker}
            await e2e.delete(f"{CORE}/replicationcontrollers/{name}", propagationPolicy="Background")
            await e2e.empty(PODS, f"name={name}")


async def _part(e2e: Suite, source: Object, part: str, expected: str, path: str = "/test-volume") -> None:
    probes = mount("liveness-probe-volume", "/probe-volume")
    mounts = [mount("test-volume", path, subPath=part), probes]
    reads = mounttest("subpath", mounts, f"--file_content_in_loop={path}", "--retry_time=20")
    beside = mounttest("volume", [mount("test-volume", "/test-volume"), probes])
    volumes = [{"name": "test-volume", **source}, {"name": "liveness-probe-volume", "emptyDir": {}}]
    said = await output(e2e, pod("pod-subpath-test", volumes, reads, beside, terminationGracePeriodSeconds=1))
    assert content(path, expected) in said, said


async def test_parts_of_volumes() -> None:
    """[sig-storage] Subpath Atomic writer volumes should support subpaths with secret pod [Conformance]
    [sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod [Conformance]
    [sig-storage] Subpath Atomic writer volumes should support subpaths with configmap pod with mountPath of existing file [Conformance]
    [sig-storage] Subpath Atomic writer volumes should support subpaths with downward pod [Conformance]
    [sig-storage] Subpath Atomic writer volumes should support subpaths with projected pod [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SECRETS, secret("my-secret", {"secret-key": "secret-value"}))
        await e2e.create(CONFIG_MAPS, config_map("my-configmap", {"configmap-key": "configmap-value"}))
        await _part(e2e, {"secret": {"secretName": "my-secret"}}, "secret-key", "secret-value")
        values: dict[str, Any] = {"configMap": {"name": "my-configmap"}}
        await _part(e2e, values, "configmap-key", "configmap-value")
        await _part(e2e, values, "configmap-key", "configmap-value", "/etc/resolv.conf")
        name = {"path": "downward/podname", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}
        await _part(e2e, {"downwardAPI": {"items": [name]}}, "downward/podname", "pod-subpath-test")
        chosen = {"name": "my-configmap", "items": [{"path": "projected/configmap-key", "key": "configmap-key"}]}
        await _part(e2e, {"projected": {"sources": [{"configMap": chosen}]}}, "projected/configmap-key", "configmap-value")
