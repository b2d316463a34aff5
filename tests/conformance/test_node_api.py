"""The official conformance tests of sig-node (and of ConfigMaps and Secrets in sig-storage) that are about the API alone, step by step."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.operations import condition, operations
from tests.conformance.suite import CORE, JSON_PATCH, NAMESPACE, PODS, STRATEGIC, Suite, pod, selected, suite, template

pytestmark = pytest.mark.virtual_time
CONFIG_MAPS, SECRETS, TEMPLATES = f"{CORE}/configmaps", f"{CORE}/secrets", f"{CORE}/podtemplates"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
RUNTIME_CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
NODES = "/api/v1/nodes"


async def test_config_map_with_an_empty_key() -> None:
    """[sig-node] ConfigMap should fail to create ConfigMap with empty key [Conformance]"""
    async with suite() as e2e:
        message = await e2e.refused("POST", CONFIG_MAPS, {"metadata": {"name": "emptykey"}, "data": {"": "value-1"}}, status=422)
        assert 'data[]: Invalid value: "": a valid config key must consist of' in message


async def test_secret_with_an_empty_key() -> None:
    """[sig-node] Secrets should fail to create secret due to empty secret key [Conformance]"""
    async with suite() as e2e:
        message = await e2e.refused("POST", SECRETS, {"metadata": {"name": "emptykey"}, "data": {"": "dmFsdWU="}}, status=422)
        assert 'data[]: Invalid value: "": a valid config key must consist of' in message


async def test_config_map_lifecycle() -> None:
    """[sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]"""
    label, path = "test-configmap-static=true", f"{CONFIG_MAPS}/test-configmap"
    async with suite() as e2e:
        since, watched = await e2e.get(selected(CONFIG_MAPS, label)), selected(CONFIG_MAPS, label)
        body = {"metadata": {"name": "test-configmap", "labels": {"test-configmap-static": "true"}}, "data": {"valueName": "value"}}
        await e2e.create(CONFIG_MAPS, body)
        await e2e.seen(watched, since, "ADDED")
        change = {"metadata": {"labels": {"test-configmap": "patched"}}, "data": {"valueName": "value1"}}
        await e2e.patch(path, change, STRATEGIC)
        await e2e.seen(watched, since, "MODIFIED", lambda each: objects.labels(each).get("test-configmap") == "patched")
        read = await e2e.get(path)
        assert read["data"]["valueName"] == "value1" and objects.labels(read)["test-configmap"] == "patched"
        (listed,) = await e2e.items("/api/v1/configmaps", label)
        assert objects.key(listed) == f"{NAMESPACE}/test-configmap" and listed["data"]["valueName"] == "value1"
        await e2e.delete(watched)
        await e2e.seen(watched, since, "DELETED")
        assert await e2e.names(CONFIG_MAPS, label) == []


async def test_config_map_update() -> None:
    """[sig-node] ConfigMap should update ConfigMap successfully [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        made = await e2e.create(CONFIG_MAPS, {"metadata": {"name": "test"}, "data": {}})
        await e2e.update(f"{CONFIG_MAPS}/test", {**made, "data": {"data": "value"}})
        assert (await e2e.get(f"{CONFIG_MAPS}/test"))["data"] == {"data": "value"}


async def test_secret_lifecycle() -> None:
    """[sig-node] Secrets should patch a secret [Conformance]"""
    label, path = "testsecret-constant=true", f"{SECRETS}/test-secret"
    async with suite() as e2e:
        body = {
            "metadata": {"name": "test-secret", "labels": {"testsecret-constant": "true"}},
            "data": {"key": "dmFsdWU="},
            "type": "Opaque",
        }
        await e2e.create(SECRETS, body)
        assert await e2e.names("/api/v1/secrets", label) == ["test-secret"]
        value = base64.b64encode(b"value1").decode()
        await e2e.patch(path, {"metadata": {"labels": {"testsecret": "true"}}, "data": {"key": value}}, STRATEGIC)
        read = await e2e.get(path)
        assert read["data"]["key"] == value and objects.labels(read)["testsecret"] == "true"
        await e2e.delete(selected(SECRETS, label))
        assert await e2e.names("/api/v1/secrets", "testsecret=true") == []


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
async def test_immutable(kind: str) -> None:
    """[sig-storage] ConfigMap should be immutable if `immutable` field is set [Conformance]
    [sig-storage] Secrets should be immutable if `immutable` field is set [Conformance]"""
    collection = f"{CORE}/{kind}"
    one, two = ("dmFsdWUtMQ==", "dmFsdWUtMg==")
    async with suite() as e2e:
        await e2e.create(collection, {"metadata": {"name": "immutable"}, "data": {"data-1": one}})
        path = f"{collection}/immutable"
        current = await e2e.get(path)
        current = await e2e.update(path, {**current, "data": {"data-1": two}})
        current = await e2e.update(path, {**current, "immutable": True})
        assert current["immutable"] is True
        message = await e2e.refused("PUT", path, {**current, "data": {"data-1": one}}, status=422)
        assert message.endswith("data: Forbidden: field is immutable when `immutable` is set")
        message = await e2e.refused("PUT", path, {**current, "immutable": False}, status=422)
        assert message.endswith("immutable: Forbidden: field is immutable when `immutable` is set")
        labelled = await e2e.update(path, objects.with_metadata(current, labels={"label1": "value1"}))
        assert objects.labels(labelled) == {"label1": "value1"}
        await e2e.delete(path)


async def test_pod_template_lifecycle() -> None:
    """[sig-node] PodTemplates should run the lifecycle of PodTemplates [Conformance]"""
    path = f"{TEMPLATES}/nginx-pod-template"
    async with suite() as e2e:
        body = {"metadata": {"name": "nginx-pod-template", "labels": {"podtemplate-static": "true"}}, "template": template({"a": "b"})}
        await e2e.create(TEMPLATES, body)
        assert await e2e.names("/api/v1/podtemplates", "podtemplate-static=true") == ["nginx-pod-template"]
        await e2e.patch(path, {"metadata": {"labels": {"podtemplate": "patched"}}}, STRATEGIC)
        assert objects.labels(await e2e.get(path))["podtemplate"] == "patched"
        await e2e.delete(path)
        assert await e2e.names("/api/v1/podtemplates", "podtemplate=patched") == []


async def test_collection_of_pod_templates() -> None:
    """[sig-node] PodTemplates should delete a collection of pod templates [Conformance]"""
    async with suite() as e2e:
        names = [f"test-podtemplate-{number}" for number in (1, 2, 3)]
        for name in names:
            await e2e.create(TEMPLATES, {"metadata": {"name": name, "labels": {"podtemplate-set": "true"}}, "template": template({})})
        assert await e2e.names(TEMPLATES, "podtemplate-set=true") == names
        await e2e.delete(selected(TEMPLATES, "podtemplate-set=true"))
        await e2e.empty(TEMPLATES, "podtemplate-set=true")


async def test_pod_template_is_replaced() -> None:
    """[sig-node] PodTemplates should replace a pod template [Conformance]"""
    async with suite() as e2e:
        await e2e.create(TEMPLATES, {"metadata": {"name": "podtemplate-x", "labels": {"a": "b"}}, "template": template({})})
        path = f"{TEMPLATES}/podtemplate-x"
        updated = await e2e.update_until(path, lambda each: objects.with_metadata(each, annotations={"updated": "true"}))
        assert objects.annotations(updated)["updated"] == "true" == objects.annotations(await e2e.get(path))["updated"]


async def test_leases() -> None:
    """[sig-node] Lease lease API should be available [Conformance]"""
    path = f"{LEASES}/lease"
    spec = {
        "holderIdentity": "holder",
        "leaseDurationSeconds": 30,
        "acquireTime": "2017-09-19T13:49:11.000000Z",
        "renewTime": "2017-09-19T13:49:16.000000Z",
        "leaseTransitions": 0,
    }
    second = {**spec, "holderIdentity": "holder2", "leaseDurationSeconds": 60, "leaseTransitions": 1}
    third = {**spec, "holderIdentity": "holder3", "renewTime": "2017-09-19T13:50:07.500000Z", "leaseTransitions": 2}
    async with suite() as e2e:
        await e2e.create(LEASES, {"metadata": {"name": "lease"}, "spec": spec})
        read = await e2e.get(path)
        assert read["spec"] == spec
        await e2e.update(path, {**read, "spec": second})
        assert (await e2e.get(path))["spec"] == second
        await e2e.patch(path, {"spec": third}, STRATEGIC)
        assert (await e2e.get(path))["spec"] == {**second, **third}
        await e2e.create(LEASES, {"metadata": {"name": "lease2", "labels": {"deletecollection": "true"}}, "spec": spec})
        assert await e2e.names(LEASES) == ["lease", "lease2"]
        await e2e.delete(selected(LEASES, "deletecollection=true"))
        assert await e2e.names(LEASES) == ["lease"]
        await e2e.delete(path)
        await e2e.refused("GET", path, status=404)
        leases = await e2e.items("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
        assert sorted(map(objects.name, leases)) == await e2e.names(NODES)


async def test_runtime_class_operations() -> None:
    """[sig-node] RuntimeClass should support RuntimeClasses API operations [Conformance]"""
    async with suite() as e2e:
        await operations(e2e, "node.k8s.io/v1", "RuntimeClass", {"handler": "e2e-handler"})


async def test_unknown_runtime_class() -> None:
    """[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        message = await e2e.refused("POST", PODS, pod("p", runtimeClassName="e2e-nonexistent"), status=403)
        assert message == 'pods "p" is forbidden: pod rejected: RuntimeClass "e2e-nonexistent" not found'


async def test_deleted_runtime_class() -> None:
    """[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(RUNTIME_CLASSES, {"metadata": {"name": "gone"}, "handler": "runc"})
        await e2e.delete(f"{RUNTIME_CLASSES}/gone")
        await e2e.gone(f"{RUNTIME_CLASSES}/gone")
        await e2e.settle(1)
        assert 'RuntimeClass "gone" not found' in await e2e.refused("POST", PODS, pod("p", runtimeClassName="gone"), status=403)


async def test_runtime_class_without_overhead() -> None:
    """[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead [NodeConformance] [Conformance]"""
    async with suite() as e2e:
        await e2e.create(RUNTIME_CLASSES, {"metadata": {"name": "runc"}, "handler": "runc"})
        made = await e2e.create(PODS, pod("p", runtimeClassName="runc"))
        assert "overhead" not in made["spec"]
        await e2e.until(f"{PODS}/p", lambda each: objects.is_condition_true(each, "PodScheduled"))


async def test_runtime_class_with_overhead() -> None:
    """[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance] [Conformance]"""  # noqa: E501
    fixed = {"cpu": "10m", "memory": "1Mi"}
    async with suite() as e2e:
        await e2e.create(RUNTIME_CLASSES, {"metadata": {"name": "runc"}, "handler": "runc", "overhead": {"podFixed": fixed}})
        made = await e2e.create(PODS, pod("p", runtimeClassName="runc"))
        assert made["spec"]["overhead"] == fixed
        await e2e.until(f"{PODS}/p", lambda each: objects.is_condition_true(each, "PodScheduled"))


async def test_node_lifecycle() -> None:
    """[sig-node] Node Lifecycle should run through the lifecycle of a node [Conformance]"""
    node = {
        "metadata": {"name": "e2e-fake-node"},
        "status": {
            "phase": "Running",
            "conditions": [condition("Ready", reason="KubeletReady")],
            "allocatable": {"pods": "0"},
            "capacity": {"pods": "0"},
        },
    }
    path = f"{NODES}/e2e-fake-node"
    async with suite() as e2e:
        await e2e.create(NODES, node)
        read = await e2e.get(path)
        assert objects.name(read) == "e2e-fake-node" and read["status"]["capacity"] == {"pods": "0"}
        patched = await e2e.patch(path, {"metadata": {"labels": {"e2e-fake-node": "patched"}}}, STRATEGIC)
        assert objects.labels(patched)["e2e-fake-node"] == "patched"
        assert await e2e.names(NODES, "e2e-fake-node=patched") == ["e2e-fake-node"]

        def changed(each: Object) -> Object:
            return objects.with_metadata(each, labels={**objects.labels(each), "e2e-fake-node": "updated"})

        assert objects.labels(await e2e.update_until(path, changed))["e2e-fake-node"] == "updated"
        await e2e.delete(path)
        await e2e.gone(path)
        assert await e2e.names(NODES, "e2e-fake-node=updated") == []


async def test_invalid_sysctls() -> None:
    """[sig-node] Sysctls [LinuxOnly] [NodeConformance] should reject invalid sysctls [Conformance]"""
    names = ("foo-", "kernel.shmmax", "safe-and-unsafe", "bar..")
    sysctls = [{"name": name, "value": "bar"} for name in names]
    async with suite() as e2e:
        message = await e2e.refused("POST", PODS, pod("p", securityContext={"sysctls": sysctls}), status=422)
        assert 'Invalid value: "foo-"' in message and 'Invalid value: "bar.."' in message
        assert "safe-and-unsafe" not in message and "kernel.shmmax" not in message


REQUEST = {"name": "req-0", "exactly": {"deviceClassName": "e2e-class"}}
DRA: dict[str, tuple[str, Object, Any]] = {
    "DeviceClass": ("deviceclasses", {"spec": {"selectors": [{"cel": {"expression": 'device.driver == "e2e"'}}]}}, None),
    "ResourceClaim": ("resourceclaims", {"spec": {"devices": {"requests": [REQUEST]}}}, None),
    "ResourceClaimTemplate": ("resourceclaimtemplates", {"spec": {"spec": {"devices": {"requests": [REQUEST]}}}}, None),
    "ResourceSlice": (
        "resourceslices",
        {
            "spec": {
                "nodeName": "e2e-node",
                "driver": "e2e.example.com",
                "pool": {"name": "e2e", "generation": 1, "resourceSliceCount": 1},
                "devices": [{"name": "device-0"}],
            }
        },
        None,
    ),
}


@pytest.mark.parametrize("kind", DRA)
async def test_dynamic_resources(kind: str) -> None:
    """[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass [Conformance]
    [sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim [Conformance]
    [sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate [Conformance]
    [sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice [Conformance]"""
    plural, body, _ = DRA[kind]

    async def status(e2e: Suite, path: str) -> None:
        made = await e2e.get(f"{path}/status")
        pod_reference = [{"resource": "pods", "name": "e2e", "uid": "12345"}]
        results = [{"request": "req-0", "driver": "e2e.example.com", "pool": "e2e", "device": "device-0"}]
        allocation = {"devices": {"results": results}}
        updated = await e2e.update(f"{path}/status", {**made, "status": {"allocation": allocation, "reservedFor": pod_reference}})
        assert updated["status"]["reservedFor"] == pod_reference
        patched = await e2e.patch(f"{path}/status", {"status": {"reservedFor": None, "allocation": None}})
        assert patched.get("status", {}) == {}

    async with suite() as e2e:
        await operations(e2e, "resource.k8s.io/v1", kind, body, status=status if kind == "ResourceClaim" else None)
        collection = f"/apis/resource.k8s.io/v1/{plural}"
        if kind in ("ResourceClaim", "ResourceClaimTemplate"):
            collection = f"/apis/resource.k8s.io/v1/namespaces/{NAMESPACE}/{plural}"
        await e2e.create(collection, {"metadata": {"name": "named"}, **body})
        applied = {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": {"name": "named", "labels": {"a": "b"}}}
        code, answer = await e2e.ask(
            "PATCH", f"{collection}/named?fieldManager=e2e&force=true", {**applied, **body}, kind="application/apply-patch+yaml"
        )
        assert code == 200 and objects.labels(answer) == {"a": "b"}, answer
        patched = await e2e.patch(f"{collection}/named", [{"op": "add", "path": "/metadata/labels/c", "value": "d"}], JSON_PATCH)
        assert objects.labels(patched) == {"a": "b", "c": "d"}
        await e2e.delete(f"{collection}/named")
        await e2e.gone(f"{collection}/named")
