"""Devices for pods: claims made out of templates, allocated by the scheduler, reserved, and given back, on a whole simulated cluster."""

from __future__ import annotations

from typing import Any

from controllers.runtime.resource_claims import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    RESOURCE_CLAIM_TEMPLATES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from tests.integration.whole_cluster import Cluster, whole_cluster

DRIVER = "gpu.example.com"


def gpu(name: str, model: str = "A100", **more: Any) -> Object:
    return {"name": name, "attributes": {"model": {"string": model}}, "capacity": {"memory": {"value": "40Gi"}}, **more}


async def slice_of(cluster: Cluster, node: str, *devices: Object, **more: Any) -> None:
    spec = {"driver": DRIVER, "pool": {"name": node, "generation": 1, "resourceSliceCount": 1}, "nodeName": node, "devices": list(devices)}
    await cluster.create(RESOURCE_SLICES, f"{node}-{DRIVER}", spec={**spec, **more})


async def device_class(cluster: Cluster, name: str = "gpu", expression: str = f'device.driver == "{DRIVER}"', **more: Any) -> None:
    await cluster.create(DEVICE_CLASSES, name, spec={"selectors": [{"cel": {"expression": expression}}], **more})


def request(name: str = "gpu", cls: str = "gpu", **more: Any) -> Object:
    return {"name": name, "exactly": {"deviceClassName": cls, **more}}


async def template(cluster: Cluster, name: str, *requests: Object, **devices: Any) -> None:
    await cluster.create(RESOURCE_CLAIM_TEMPLATES, name, spec={"spec": {"devices": {"requests": list(requests), **devices}}})


async def pod(cluster: Cluster, name: str, from_template: str = "", claim: str = "", **more: Any) -> None:
    entry = {"name": "gpu"} | ({"resourceClaimTemplateName": from_template} if from_template else {"resourceClaimName": claim})
    containers = [{"name": "c", "image": "i", "resources": {"claims": [{"name": "gpu"}]}}]
    await cluster.pod(name, containers=containers, resourceClaims=[entry], terminationGracePeriodSeconds=0, **more)


async def devices_of(cluster: Cluster, name: str) -> list[str]:
    """That the claim of the pod's only entry got."""
    (status,) = objects.status(await cluster.get(PODS, name))["resourceClaimStatuses"]
    claim = await cluster.get(RESOURCE_CLAIMS, status["resourceClaimName"])
    return [result["device"] for result in objects.status(claim)["allocation"]["devices"]["results"]]


async def test_pods_get_devices_out_of_a_template_and_give_them_back() -> None:
    async with whole_cluster(nodes=2) as cluster:
        await device_class(cluster)
        await slice_of(cluster, "node-1", gpu("gpu-0"), gpu("gpu-1"))
        await template(cluster, "one", request())
        for name in ("a", "b", "c"):
            await pod(cluster, name, "one")
        await cluster.settle(2)
        claims = {claim["metadata"]["ownerReferences"][0]["name"]: claim for claim in await cluster.items(RESOURCE_CLAIMS)}
        assert sorted(claims) == ["a", "b", "c"]
        a = claims["a"]
        assert a["metadata"]["name"].startswith("a-gpu-") and a["metadata"]["annotations"] == {
            "resource.kubernetes.io/pod-claim-name": "gpu"
        }
        placed = {name: objects.spec(await cluster.get(PODS, name)).get("nodeName") for name in claims}
        assert sorted(placed.values(), key=str) == [None, "node-1", "node-1"]
        waiting = next(name for name, node in placed.items() if node is None)
        running = [name for name in claims if name != waiting]
        assert [await cluster.phase(PODS, name) for name in running] == ["Running", "Running"]
        refused = await cluster.condition(waiting)
        assert refused.startswith("0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: 0/2 nodes")
        first = await cluster.get(RESOURCE_CLAIMS, objects.name(claims[running[0]]))
        status = objects.status(first)
        assert status["reservedFor"] == [{"resource": "pods", "name": running[0], "uid": objects.uid(await cluster.get(PODS, running[0]))}]
        assert status["allocation"]["nodeSelector"]["nodeSelectorTerms"] == [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
        ]
        assert objects.finalizers(first) == ["resource.kubernetes.io/delete-protection"]
        freed = await devices_of(cluster, running[0])
        await cluster.delete(PODS, running[0])
        await cluster.settle(15)
        assert not await cluster.exists(RESOURCE_CLAIMS, objects.name(first))
        assert await cluster.phase(PODS, waiting) == "Running" and await devices_of(cluster, waiting) == freed


async def test_a_claim_is_shared_by_pods_and_free_again_after_the_last() -> None:
    async with whole_cluster(nodes=2) as cluster:
        await pod(cluster, "early", claim="shared")
        await cluster.settle(1)
        assert not await cluster.condition("early")  # it is not looked at before the claim is there
        await device_class(cluster)
        await slice_of(cluster, "node-0", gpu("gpu-0"))
        await cluster.create(RESOURCE_CLAIMS, "shared", spec={"devices": {"requests": [request()]}})
        await pod(cluster, "late", claim="shared")
        await cluster.settle(2)
        assert [objects.spec(await cluster.get(PODS, name))["nodeName"] for name in ("early", "late")] == ["node-0", "node-0"]
        claim = await cluster.get(RESOURCE_CLAIMS, "shared")
        assert sorted(user["name"] for user in objects.status(claim)["reservedFor"]) == ["early", "late"]
        await cluster.delete(PODS, "early")
        await cluster.settle(1)
        claim = await cluster.get(RESOURCE_CLAIMS, "shared")
        assert [user["name"] for user in objects.status(claim)["reservedFor"]] == ["late"]
        await cluster.delete(RESOURCE_CLAIMS, "shared")
        await cluster.settle(1)
        assert objects.deletion_timestamp(await cluster.get(RESOURCE_CLAIMS, "shared"))  # as long as somebody has it
        await cluster.delete(PODS, "late")
        await cluster.settle(1)
        assert not await cluster.exists(RESOURCE_CLAIMS, "shared")


async def test_selectors_preferences_constraints_and_configuration() -> None:
    async with whole_cluster(nodes=1) as cluster:
        opaque = {"opaque": {"driver": DRIVER, "parameters": {"mode": "fast"}}}
        await device_class(cluster, config=[opaque])
        await slice_of(
            cluster,
            "node-0",
            gpu("old", "V100"),
            gpu("a", "A100"),
            gpu("b", "A100"),
            gpu("bad", taints=[{"key": "broken", "effect": "NoSchedule"}]),
        )
        big = [{"cel": {"expression": f'device.capacity["{DRIVER}"].memory.compareTo(quantity("80Gi")) >= 0'}}]
        prefer = {
            "name": "gpu",
            "firstAvailable": [
                {"name": "big", "deviceClassName": "gpu", "selectors": big},
                {"name": "pair", "deviceClassName": "gpu", "count": 2},
            ],
        }
        same = [{"requests": ["gpu"], "matchAttribute": f"{DRIVER}/model"}]
        await template(cluster, "pair", prefer, constraints=same)
        await pod(cluster, "p", "pair")
        await cluster.settle(2)
        assert await devices_of(cluster, "p") == ["a", "b"]
        (claim,) = await cluster.items(RESOURCE_CLAIMS)
        devices = objects.status(claim)["allocation"]["devices"]
        assert {result["request"] for result in devices["results"]} == {"gpu/pair"}
        assert devices["config"] == [{"source": "FromClass", **opaque}]
        await device_class(cluster, "typo", f'device.attributes["{DRIVER}"].modle == "x"')
        await template(cluster, "typo", request(cls="typo"))
        await pod(cluster, "q", "typo")
        await cluster.settle(2)
        why = 'running "DynamicResources" filter plugin: class typo: selector #0: CEL runtime error: no such key: modle'
        assert await cluster.condition("q") == why
        await template(cluster, "lost", request(cls="missing"))
        await pod(cluster, "r", "lost")
        await cluster.settle(2)
        assert "request gpu: device class missing does not exist" in await cluster.condition("r")


async def test_pods_are_deleted_when_their_devices_are_tainted_and_not_tolerated_for_long() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await device_class(cluster)
        await slice_of(cluster, "node-0", gpu("gpu-0"), gpu("gpu-1"))
        await template(cluster, "one", request())
        await template(cluster, "patient", request(tolerations=[{"operator": "Exists", "tolerationSeconds": 60}]))
        await pod(cluster, "a", "one")
        await pod(cluster, "b", "patient")
        await cluster.settle(2)
        assert [await cluster.phase(PODS, name) for name in ("a", "b")] == ["Running", "Running"]
        spec = {"deviceSelector": {"driver": DRIVER}, "taint": {"key": "broken", "effect": "NoExecute"}}
        await cluster.create(DEVICE_TAINT_RULES, "broken", spec=spec)
        await cluster.settle(2)
        assert not await cluster.exists(PODS, "a") and await cluster.exists(PODS, "b")
        assert ("Normal", "DeviceTaintManagerEviction", "Marking for deletion") in await cluster.events("a")
        await cluster.settle(60)
        assert not await cluster.exists(PODS, "b")


async def test_a_pod_without_its_template_is_told_and_goes_on_when_it_comes() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await device_class(cluster)
        await slice_of(cluster, "node-0", gpu("gpu-0"))
        await pod(cluster, "p", "absent")
        events = await cluster.events("p")
        why = 'PodResourceClaim gpu: resource claim template "absent": resourceclaimtemplate.resource.k8s.io "absent" not found'
        assert events == [("Warning", "FailedResourceClaimCreation", why)]
        await template(cluster, "absent", request())
        await cluster.settle(2)
        assert await cluster.phase(PODS, "p") == "Running"


async def test_a_pod_that_was_bound_by_hand_waits_for_its_claim() -> None:
    async with whole_cluster(nodes=1) as cluster:
        await device_class(cluster)
        await slice_of(cluster, "node-0", gpu("gpu-0"))
        await cluster.create(RESOURCE_CLAIMS, "shared", spec={"devices": {"requests": [request()]}})
        await pod(cluster, "by-hand", claim="shared", nodeName="node-0")
        await cluster.settle(5)
        assert await cluster.phase(PODS, "by-hand") == "Pending"
        why = "Failed to prepare dynamic resources: prepare dynamic resources: pod by-hand ("
        told = [event for event in await cluster.events("by-hand") if event[1] == "FailedPrepareDynamicResources"]
        assert len(told) == 1 and told[0][2].startswith(why) and ") is not allowed to use ResourceClaim shared (" in told[0][2]
        await pod(cluster, "scheduled", claim="shared")
        await cluster.settle(10)
        assert [await cluster.phase(PODS, name) for name in ("scheduled", "by-hand")] == ["Running", "Running"]
        claim = await cluster.get(RESOURCE_CLAIMS, "shared")
        assert sorted(user["name"] for user in objects.status(claim)["reservedFor"]) == ["by-hand", "scheduled"]
