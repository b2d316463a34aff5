"""The official conformance tests of volumes made of ConfigMaps and Secrets, on their own and projected."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.suite import PODS, Suite, container, suite
from tests.conformance.volumes import (
    BUSYBOX,
    CONFIG_MAPS,
    IN_LOOP,
    SECRETS,
    content,
    logs,
    mode,
    mount,
    mounttest,
    output,
    pod,
    runs,
    says,
)

pytestmark = pytest.mark.virtual_time
Volume = Callable[..., Object]
THREE = {f"data-{number}": f"value-{number}" for number in (1, 2, 3)}
READABLE, OWNERS, GROUPS = "-rw-r--r--", "-r--------", "-r--r-----"
NOBODY_SPECIAL = {"runAsUser": 1000}


def config_map(name: str, data: Object, **more: Any) -> Object:
    return {"metadata": {"name": name}, "data": data, **more}


def secret(name: str, data: Object) -> Object:
    return {"metadata": {"name": name}, "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def from_config_map(volume: str, name: str, **more: Any) -> Object:
    return {"name": volume, "configMap": {"name": name, **more}}


def from_secret(volume: str, name: str, **more: Any) -> Object:
    return {"name": volume, "secret": {"secretName": name, **more}}


def projected_config_map(volume: str, name: str, **more: Any) -> Object:
    return _projected(volume, "configMap", name, more)


def projected_secret(volume: str, name: str, **more: Any) -> Object:
    return _projected(volume, "secret", name, more)


def _projected(volume: str, kind: str, name: str, more: dict[str, Any]) -> Object:
    defaults = {"defaultMode": more.pop("defaultMode")} if "defaultMode" in more else {}
    return {"name": volume, "projected": {"sources": [{kind: {"name": name, **more}}], **defaults}}


async def _look(e2e: Suite, volume: Object, file: str, value: str, bits: str = READABLE, **spec: Any) -> None:
    """One pod that looks at one file: its content and its mode."""
    path = f"/etc/the-volume/{file}"
    looks = mounttest("c", [mount("v", "/etc/the-volume", readOnly=True)], f"--file_content={path}", f"--file_mode={path}")
    said = await output(e2e, pod("p", [volume], looks, **spec))
    assert content(path, value) in said and mode(path, bits) in said, said


async def _plain_and_mapped(e2e: Suite, volume: Volume, *, as_user: bool) -> None:
    """Keys as files; chosen keys under other names and with modes of their own."""
    await _look(e2e, volume("v", "three"), "data-1", "value-1")
    await _look(e2e, volume("v", "three", defaultMode=0o400), "data-1", "value-1", OWNERS)
    items = {"key": "data-2", "path": "path/to/data-2"}
    await _look(e2e, volume("v", "three", items=[items]), "path/to/data-2", "value-2")
    await _look(e2e, volume("v", "three", items=[{**items, "mode": 0o400}]), "path/to/data-2", "value-2", OWNERS)
    if as_user:
        await _look(e2e, volume("v", "three"), "data-1", "value-1", securityContext=NOBODY_SPECIAL)
        await _look(e2e, volume("v", "three", items=[items]), "path/to/data-2", "value-2", securityContext=NOBODY_SPECIAL)


async def _with_a_group(e2e: Suite, volume: Volume) -> None:
    whose = {"runAsUser": 1000, "fsGroup": 1001}
    await _look(e2e, volume("v", "three", defaultMode=0o440), "data-1", "value-1", GROUPS, securityContext=whose)


async def _twice_in_one_pod(e2e: Suite, volume: Volume) -> None:
    mounts = [mount("one", "/etc/one", readOnly=True), mount("two", "/etc/two", readOnly=True)]
    looks = mounttest("c", mounts, "--file_content=/etc/two/data-1", "--file_mode=/etc/two/data-1")
    also = mounttest("d", mounts, "--file_content=/etc/one/data-1", "--file_mode=/etc/one/data-1")
    for each, path in ((looks, "/etc/two/data-1"), (also, "/etc/one/data-1")):
        said = await output(e2e, pod("p", [volume("one", "three"), volume("two", "three")], each))
        assert content(path, "value-1") in said and mode(path, READABLE) in said


async def _optional_updates(e2e: Suite, volume: Volume, collection: str, make: Callable[[str, Object], Object]) -> None:
    """Of three volumes one loses its object, one has it changed, one gets it while the pod runs."""
    await e2e.create(collection, make("to-delete", {"data-1": "value-1"}))
    await e2e.create(collection, make("to-update", {"data-1": "value-1"}))
    files = {"delete": "data-1", "update": "data-3", "create": "data-1"}
    made = pod(
        "p",
        [volume(verb, f"to-{verb}", optional=True) for verb in files],
        *(
            mounttest(
                verb, [mount(verb, f"/etc/volumes/{verb}", readOnly=True)], *IN_LOOP, f"--file_content_in_loop=/etc/volumes/{verb}/{file}"
            )
            for verb, file in files.items()
        ),
    )
    await runs(e2e, made)
    await says(e2e, "p", "create", "Error reading file /etc/volumes/create/data-1")
    await says(e2e, "p", "update", "Error reading file /etc/volumes/update/data-3")
    await says(e2e, "p", "delete", "value-1")
    assert "Error reading" not in await logs(e2e, "p", "delete")
    await e2e.delete(f"{collection}/to-delete")
    await e2e.update(f"{collection}/to-update", make("to-update", {"data-3": "value-3"}))
    await e2e.create(collection, make("to-create", {"data-1": "value-1"}))
    await says(e2e, "p", "create", "value-1")
    await says(e2e, "p", "update", "value-3")
    await says(e2e, "p", "delete", "Error reading file /etc/volumes/delete/data-1")


async def _updates(e2e: Suite, volume: Volume) -> None:
    await e2e.create(CONFIG_MAPS, config_map("changing", {"data-1": "value-1"}))
    looks = mounttest("c", [mount("v", "/etc/v", readOnly=True)], *IN_LOOP, "--file_content_in_loop=/etc/v/data-1")
    await runs(e2e, pod("p", [volume("v", "changing")], looks))
    await says(e2e, "p", "c", "value-1")
    assert "value-2" not in await logs(e2e, "p", "c")
    await e2e.update(f"{CONFIG_MAPS}/changing", config_map("changing", {"data-1": "value-2"}))
    await says(e2e, "p", "c", "value-2")


async def test_config_maps() -> None:
    """[sig-storage] ConfigMap should be consumable from pods in volume [NodeConformance] [Conformance]
    [sig-storage] ConfigMap should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] ConfigMap should be consumable from pods in volume as non-root [NodeConformance] [Conformance]
    [sig-storage] ConfigMap should be consumable from pods in volume with mappings [NodeConformance] [Conformance]
    [sig-storage] ConfigMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly] [NodeConformance]
    [Conformance]
    [sig-storage] ConfigMap should be consumable from pods in volume with mappings as non-root [NodeConformance] [Conformance]
    [sig-storage] ConfigMap should be consumable in multiple volumes in the same pod [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CONFIG_MAPS, config_map("three", THREE))
        await _plain_and_mapped(e2e, from_config_map, as_user=True)
        await _twice_in_one_pod(e2e, from_config_map)


async def test_projected_config_maps() -> None:
    """[sig-storage] Projected configMap should be consumable from pods in volume [NodeConformance] [Conformance]
    [sig-storage] Projected configMap should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance]
    [Conformance]
    [sig-storage] Projected configMap should be consumable from pods in volume as non-root [NodeConformance] [Conformance]
    [sig-storage] Projected configMap should be consumable from pods in volume with mappings [NodeConformance] [Conformance]
    [sig-storage] Projected configMap should be consumable from pods in volume with mappings and Item mode set [LinuxOnly]
    [NodeConformance] [Conformance]
    [sig-storage] Projected configMap should be consumable from pods in volume with mappings as non-root [NodeConformance] [Conformance]
    [sig-storage] Projected configMap should be consumable in multiple volumes in the same pod [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CONFIG_MAPS, config_map("three", THREE))
        await _plain_and_mapped(e2e, projected_config_map, as_user=True)
        await _twice_in_one_pod(e2e, projected_config_map)


async def test_secrets() -> None:
    """[sig-storage] Secrets should be consumable from pods in volume [NodeConformance] [Conformance]
    [sig-storage] Secrets should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Secrets should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly]
    [NodeConformance] [Conformance]
    [sig-storage] Secrets should be consumable from pods in volume with mappings [NodeConformance] [Conformance]
    [sig-storage] Secrets should be consumable from pods in volume with mappings and Item Mode set [LinuxOnly] [NodeConformance]
    [Conformance]
    [sig-storage] Secrets should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SECRETS, secret("three", THREE))
        await _plain_and_mapped(e2e, from_secret, as_user=False)
        await _with_a_group(e2e, from_secret)
        await _twice_in_one_pod(e2e, from_secret)


async def test_projected_secrets() -> None:
    """[sig-storage] Projected secret should be consumable from pods in volume [NodeConformance] [Conformance]
    [sig-storage] Projected secret should be consumable from pods in volume with defaultMode set [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Projected secret should be consumable from pods in volume as non-root with defaultMode and fsGroup set [LinuxOnly]
    [NodeConformance] [Conformance]
    [sig-storage] Projected secret should be consumable from pods in volume with mappings [NodeConformance] [Conformance]
    [sig-storage] Projected secret should be consumable from pods in volume with mappings and Item Mode set [LinuxOnly] [NodeConformance]
    [Conformance]
    [sig-storage] Projected secret should be consumable in multiple volumes in a pod [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(SECRETS, secret("three", THREE))
        await _plain_and_mapped(e2e, projected_secret, as_user=False)
        await _with_a_group(e2e, projected_secret)
        await _twice_in_one_pod(e2e, projected_secret)


async def test_updates_of_config_maps() -> None:
    """[sig-storage] ConfigMap updates should be reflected in volume [NodeConformance] [Conformance]
    [sig-storage] ConfigMap optional updates should be reflected in volume [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _updates(e2e, from_config_map)
        await e2e.delete(f"{PODS}/p", gracePeriodSeconds=0)
        await _optional_updates(e2e, from_config_map, CONFIG_MAPS, config_map)


async def test_updates_of_projected_config_maps() -> None:
    """[sig-storage] Projected configMap updates should be reflected in volume [NodeConformance] [Conformance]
    [sig-storage] Projected configMap optional updates should be reflected in volume [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _updates(e2e, projected_config_map)
        await e2e.delete(f"{PODS}/p", gracePeriodSeconds=0)
        await _optional_updates(e2e, projected_config_map, CONFIG_MAPS, config_map)


async def test_updates_of_secrets() -> None:
    """[sig-storage] Secrets optional updates should be reflected in volume [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _optional_updates(e2e, from_secret, SECRETS, secret)


async def test_updates_of_projected_secrets() -> None:
    """[sig-storage] Projected secret optional updates should be reflected in volume [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _optional_updates(e2e, projected_secret, SECRETS, secret)


async def test_binary_data() -> None:
    """[sig-storage] ConfigMap binary data should be reflected in volume [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        binary = {"dump.bin": base64.b64encode(bytes.fromhex("decafebad0feff")).decode()}
        await e2e.create(CONFIG_MAPS, config_map("binary", {"data-1": "value-1"}, binaryData=binary))
        mounts = [mount("v", "/etc/v", readOnly=True)]
        text = mounttest("text", mounts, *IN_LOOP, "--file_content_in_loop=/etc/v/data-1")
        dump = container("dump", BUSYBOX, command=["hexdump", "-C", "/etc/v/dump.bin"], volumeMounts=mounts)
        await e2e.create(PODS, pod("p", [from_config_map("v", "binary")], text, dump))
        await e2e.until(f"{PODS}/p", lambda seen: seen["status"].get("phase") == "Running")
        await says(e2e, "p", "text", "value-1")
        await says(e2e, "p", "dump", "de ca fe ba d0 fe ff")


async def test_a_secret_of_the_same_name_elsewhere() -> None:
    """[sig-storage] Secrets should be able to mount in a volume regardless of a different secret existing with same name in different
    namespace [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
        await e2e.create("/api/v1/namespaces/other/secrets", secret("same", {"this_should_not_match_content_of_other_secret": "s"}))
        await e2e.create(SECRETS, secret("same", {"data-1": "value-1"}))
        await _look(e2e, from_secret("v", "same"), "data-1", "value-1")


async def test_all_of_the_projection_api() -> None:
    """[sig-storage] Projected combined should project all components that make up the projection API [Projection] [NodeConformance]
    [Conformance]"""
    async with suite() as e2e:
        await e2e.create(CONFIG_MAPS, config_map("configuration", {"configmap-data": "configmap-value-1"}))
        await e2e.create(SECRETS, secret("hidden", {"secret-data": "secret-value-1"}))
        sources = [
            {"downwardAPI": {"items": [{"path": "podname", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            {"secret": {"name": "hidden"}},
            {"configMap": {"name": "configuration"}},
        ]
        command = ["sh", "-c", "cat /all/podname && cat /all/secret-data && cat /all/configmap-data"]
        reads = container("c", BUSYBOX, command=command, volumeMounts=[mount("all", "/all", readOnly=False)])
        said = await output(e2e, pod("combined", [{"name": "all", "projected": {"sources": sources}}], reads))
        assert said == "combinedsecret-value-1configmap-value-1"
