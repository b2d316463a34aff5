"""The official conformance tests of volumes that tell a pod about itself, on their own and projected."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from kctl.apimachinery.objects import Object
from tests.conformance.suite import PODS, Suite, suite
from tests.conformance.volumes import IN_LOOP, content, mode, mount, mounttest, output, pod, runs, says

pytestmark = pytest.mark.virtual_time
Volume = Callable[..., Object]
RESOURCES = {"requests": {"cpu": "250m", "memory": "32Mi"}, "limits": {"cpu": "1250m", "memory": "64Mi"}}
NAME = {"path": "podname", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}


def own(items: list[Object], **more: Any) -> Object:
    return {"name": "podinfo", "downwardAPI": {"items": items, **more}}


def projected(items: list[Object], **more: Any) -> Object:
    return {"name": "podinfo", "projected": {"sources": [{"downwardAPI": {"items": items}}], **more}}


def resource(path: str) -> Object:
    """cpu_limit: limits.cpu of the container that asks."""
    what, _, kind = path.partition("_")
    return {"path": path, "resourceFieldRef": {"containerName": "client-container", "resource": f"{kind}s.{what}"}}


def client(*arguments: str, **more: Any) -> Object:
    return mounttest("client-container", [mount("podinfo", "/etc/podinfo", readOnly=False)], *arguments, **more)


async def _read(e2e: Suite, volume: Object, file: str, **of_container: Any) -> str:
    looks = client(f"--file_content=/etc/podinfo/{file}", **of_container)
    said = await output(e2e, pod("downward", [volume], looks))
    start = content(f"/etc/podinfo/{file}", "")
    assert said.startswith(start), said
    return said.removeprefix(start)


async def _names_and_modes(e2e: Suite, volume: Volume) -> None:
    assert (await _read(e2e, volume([NAME]), "podname")).rstrip("\n") == "downward"
    looks = client("--file_mode=/etc/podinfo/podname")
    for made in (volume([NAME], defaultMode=0o400), volume([{**NAME, "mode": 0o400}])):
        assert mode("/etc/podinfo/podname", "-r--------") in await output(e2e, pod("downward", [made], looks))


async def _resources(e2e: Suite, volume: Volume) -> None:
    for file, expected in (("cpu_limit", "2"), ("memory_limit", "67108864"), ("cpu_request", "1"), ("memory_request", "33554432")):
        assert (await _read(e2e, volume([resource(file)]), file, resources=RESOURCES)).rstrip("\n") == expected, file
    node = (await e2e.items("/api/v1/nodes"))[0]["status"]["allocatable"]
    assert (await _read(e2e, volume([resource("cpu_limit")]), "cpu_limit")).rstrip("\n") == node["cpu"]
    memory = (await _read(e2e, volume([resource("memory_limit")]), "memory_limit")).rstrip("\n")
    assert re.fullmatch("[1-9][0-9]*", memory) and int(memory) == int(node["memory"].removesuffix("Mi")) * 2**20


async def _follows(e2e: Suite, volume: Volume, what: str, before: Object, change: Object, first: str, then: str) -> None:
    item = {"path": what, "fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.{what}"}}
    made = pod("changing", [volume([item])], client(*IN_LOOP, f"--file_content_in_loop=/etc/podinfo/{what}"))
    made["metadata"][what] = before
    await runs(e2e, made)
    await says(e2e, "changing", "client-container", first)
    await e2e.patch(f"{PODS}/changing", {"metadata": {what: change}})
    await says(e2e, "changing", "client-container", then)
    await e2e.delete(f"{PODS}/changing", gracePeriodSeconds=0)
    await e2e.gone(f"{PODS}/changing")


async def _changes(e2e: Suite, volume: Volume) -> None:
    labels = {"key1": "value1", "key2": "value2"}
    await _follows(e2e, volume, "labels", labels, {"key3": "value3"}, 'key1="value1"\n', 'key3="value3"\n')
    await _follows(e2e, volume, "annotations", {"builder": "bar"}, {"builder": "foo"}, 'builder="bar"\n', 'builder="foo"\n')


async def test_the_downward_api_as_a_volume() -> None:
    """[sig-storage] Downward API volume should provide podname only [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide container's cpu limit [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide container's memory limit [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide container's cpu request [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide container's memory request [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide node allocatable (cpu) as default cpu limit if the limit is not set
    [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should provide node allocatable (memory) as default memory limit if the limit is not set
    [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _names_and_modes(e2e, own)
        await _resources(e2e, own)


async def test_the_downward_api_projected() -> None:
    """[sig-storage] Projected downwardAPI should provide podname only [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should set DefaultMode on files [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should set mode on item file [LinuxOnly] [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide container's cpu limit [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide container's memory limit [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide container's cpu request [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide container's memory request [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide node allocatable (cpu) as default cpu limit if the limit is not set
    [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should provide node allocatable (memory) as default memory limit if the limit is not set
    [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _names_and_modes(e2e, projected)
        await _resources(e2e, projected)


async def test_labels_and_annotations_are_followed() -> None:
    """[sig-storage] Downward API volume should update labels on modification [NodeConformance] [Conformance]
    [sig-storage] Downward API volume should update annotations on modification [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _changes(e2e, own)


async def test_projected_labels_and_annotations_are_followed() -> None:
    """[sig-storage] Projected downwardAPI should update labels on modification [NodeConformance] [Conformance]
    [sig-storage] Projected downwardAPI should update annotations on modification [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await _changes(e2e, projected)
