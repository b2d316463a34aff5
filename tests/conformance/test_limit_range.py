"""The official conformance tests of LimitRange, as their text says."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, PODS, built_in
from kctl.apimachinery.status import ApiError
from tests.integration.control_plane import ControlPlane, control_plane

pytestmark = pytest.mark.virtual_time
RANGES = built_in("v1", "LimitRange")
LIMITS = {
    "type": "Container",
    "min": {"cpu": "50m", "memory": "100Mi", "ephemeral-storage": "100Gi"},
    "max": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    "default": {"cpu": "500m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    "defaultRequest": {"cpu": "100m", "memory": "200Mi", "ephemeral-storage": "200Gi"},
}


async def create_pod(plane: ControlPlane, name: str, requests: Object, limits: Object) -> Object:
    container = {"name": "c", "image": "i", "resources": {"requests": requests, "limits": limits}}
    made = await plane.client.create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container]}}, "default")
    resources: Object = made["spec"]["containers"][0]["resources"]
    return resources


async def test_defaults_and_bounds() -> None:
    """[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied. [Conformance]"""
    async with control_plane() as plane:
        made = await plane.client.create(
            RANGES, {"metadata": {"name": "lr", "labels": {"time": "now"}}, "spec": {"limits": [LIMITS]}}, "default"
        )
        listed = await plane.client.list(RANGES, "default", label_selector="time=now")
        assert [objects.name(each) for each in listed["items"]] == ["lr"]
        assert (await plane.get(RANGES, "lr"))["spec"]["limits"] == [LIMITS]
        assert await create_pod(plane, "none", {}, {}) == {"requests": LIMITS["defaultRequest"], "limits": LIMITS["default"]}
        partial = {"cpu": "300m", "memory": "150Mi"}, {"cpu": "300m", "ephemeral-storage": "200Gi"}
        assert await create_pod(plane, "partial", *partial) == {
            "requests": {"cpu": "300m", "memory": "150Mi", "ephemeral-storage": "200Gi"},
            "limits": {"cpu": "300m", "memory": "500Mi", "ephemeral-storage": "200Gi"},
        }
        for requests, limits in (({"cpu": "10m", "memory": "50Mi"}, {}), ({}, {"cpu": "600m", "memory": "600Mi"})):
            with pytest.raises(ApiError) as error:
                await create_pod(plane, "refused", requests, limits)
            assert error.value.http_status == 403
        lower = {**LIMITS, "min": {"cpu": "9m", "memory": "49Mi", "ephemeral-storage": "49Gi"}}
        await plane.client.update(RANGES, {**made, "spec": {"limits": [lower]}})
        assert (await plane.get(RANGES, "lr"))["spec"]["limits"][0]["min"]["cpu"] == "9m"
        await create_pod(plane, "small", {"cpu": "10m", "memory": "50Mi", "ephemeral-storage": "50Gi"}, {})
        with pytest.raises(ApiError):
            await create_pod(plane, "large", {}, {"cpu": "600m", "memory": "600Mi", "ephemeral-storage": "600Gi"})
        await plane.client.delete(RANGES, "lr", "default")
        assert not await plane.exists(RANGES, "lr")
        assert await create_pod(plane, "free", {}, {"cpu": "600m"}) == {"requests": {"cpu": "600m"}, "limits": {"cpu": "600m"}}


async def test_list_patch_and_delete_by_collection() -> None:
    """[sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]"""
    async with control_plane() as plane:
        await plane.client.create(NAMESPACES, {"metadata": {"name": "other"}})
        labels = {"e2e": "limit-range"}
        for space in ("default", "other"):
            await plane.client.create(RANGES, {"metadata": {"name": "lr", "labels": labels}, "spec": {"limits": [LIMITS]}}, space)
        assert len((await plane.client.list(RANGES, "", label_selector="e2e=limit-range"))["items"]) == 2
        change = {"metadata": {"labels": {"lr": "patched"}}, "spec": {"limits": [{**LIMITS, "min": {"cpu": "40m"}}]}}
        patched = await plane.client.patch(RANGES, "lr", change, "default")
        assert (patched["metadata"]["labels"]["lr"], patched["spec"]["limits"][0]["min"]) == ("patched", {"cpu": "40m"})
        await plane.client.delete_collection(RANGES, "default", label_selector="lr=patched")
        left = (await plane.client.list(RANGES, "", label_selector="e2e=limit-range"))["items"]
        assert [objects.namespace(each) for each in left] == ["other"]
