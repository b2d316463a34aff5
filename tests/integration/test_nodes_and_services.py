"""Nodes that fail, what a namespace contains, and what stands behind a Service, on the real API server."""

from __future__ import annotations

from typing import Any

from controllers.kube_controller_manager.clusterrole_aggregation import CLUSTER_ROLES
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from kctl.apimachinery.times import rfc3339_micro
from tests.integration.control_plane import ControlPlane, control_plane, deployment

NODE_CONTROLLERS = ("node-lifecycle-controller", "taint-eviction-controller", "node-ipam-controller", "ttl-controller")


async def run_pod(plane: ControlPlane, name: str, node: str, tolerate: int | None = None) -> None:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}], "nodeName": node}
    if tolerate is not None:
        keys = ("not-ready", "unreachable")
        spec["tolerations"] = [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": tolerate,
            }
            for key in keys
        ]
    await plane.client.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}, "default")


def taints(node: Object) -> list[tuple[str, str]]:
    return [(entry["key"].split("/")[1], entry["effect"]) for entry in objects.spec(node).get("taints") or ()]


async def test_a_new_node_gets_a_cidr_and_loses_its_taint() -> None:
    async with control_plane(*NODE_CONTROLLERS) as plane:
        for name in ("a", "b"):
            await plane.add_node(name)
        await plane.settle(1)
        found = {objects.name(node): node for node in await plane.items(NODES)}
        assert sorted(objects.spec(node)["podCIDR"] for node in found.values()) == ["10.244.0.0/24", "10.244.1.0/24"]
        assert taints(found["a"]) == []
        assert objects.annotations(found["a"]) == {"node.alpha.kubernetes.io/ttl": "0"}
        registered = ("Node", "RegisteredNode", "Node a event: Registered Node a in Controller", 1)
        assert registered in await plane.events()


async def test_not_ready_taints_and_evicts() -> None:
    async with control_plane(*NODE_CONTROLLERS) as plane:
        await plane.add_node("a")
        await plane.add_node("b")
        await run_pod(plane, "short", "a", 1)
        await run_pod(plane, "long", "a", 300)
        await plane.settle(1)
        await plane.report_node("a", "False")
        await plane.settle(0.5)
        assert taints(await plane.get(NODES, "a")) == [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")]
        await plane.settle(2)
        assert not await plane.exists(PODS, "short")
        # The kubelet said so itself; the controller leaves the pods' status to it.
        assert objects.is_condition_true(await plane.get(PODS, "long"), "Ready")
        assert ("Pod", "TaintManagerEviction", "Marking for deletion Pod default/short", 1) in await plane.events()
        await plane.report_node("a", "Unknown")
        await plane.settle(0.5)
        assert taints(await plane.get(NODES, "a")) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
        await plane.report_node("a", "True")
        await plane.settle(0.5)
        assert taints(await plane.get(NODES, "a")) == []
        await plane.settle(30)
        assert await plane.exists(PODS, "long")
        assert ("Pod", "TaintManagerEviction", "Cancelling deletion of Pod default/long", 1) in await plane.events()


async def heartbeat(plane: ControlPlane, node: str) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": node}}
    lease["spec"] = {"renewTime": rfc3339_micro(plane.clock.now())}  # type: ignore[assignment]
    if await plane.exists(LEASES, node, "kube-node-lease"):
        await plane.merge(LEASES, node, {"spec": lease["spec"]}, "kube-node-lease")
    else:
        await plane.client.create(LEASES, lease, "kube-node-lease")


async def test_a_silent_kubelet_becomes_unknown_after_forty_seconds() -> None:
    async with control_plane(*NODE_CONTROLLERS) as plane:
        for name in ("silent", "alive"):
            await plane.add_node(name)
        await run_pod(plane, "p", "silent", 300)
        for _ in range(3):
            await heartbeat(plane, "alive")
            await plane.settle(10)
        assert objects.is_condition_true(await plane.get(NODES, "silent"), "Ready")
        for _ in range(2):
            await heartbeat(plane, "alive")
            await plane.settle(10)
        assert objects.is_condition_true(await plane.get(NODES, "alive"), "Ready")
        node = await plane.get(NODES, "silent")
        ready = objects.condition(node, "Ready")
        assert ready is not None
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert ready["message"] == "Kubelet stopped posting node status."
        assert ("unreachable", "NoExecute") in taints(node)
        assert not objects.is_condition_true(await plane.get(PODS, "p"), "Ready")
        events = await plane.events()
        assert ("Node", "NodeNotReady", "Node silent status is now: NodeNotReady", 1) in events
        assert ("Pod", "NodeNotReady", "Node is not ready", 1) in events


async def test_a_node_that_never_reports_is_given_a_minute() -> None:
    async with control_plane("node-lifecycle-controller") as plane:
        await plane.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "new"}})
        await plane.settle(55)
        assert objects.condition(await plane.get(NODES, "new"), "Ready") is None
        await plane.settle(10)
        ready = objects.condition(await plane.get(NODES, "new"), "Ready")
        assert ready is not None
        assert (ready["reason"], ready["message"]) == ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


async def test_pods_of_a_removed_node_are_collected() -> None:
    async with control_plane("pod-garbage-collector-controller") as plane:
        await plane.add_node("a")
        await run_pod(plane, "p", "a")
        await plane.settle(1)
        await plane.client.delete(NODES, "a")
        await plane.settle(30)
        assert await plane.exists(PODS, "p")
        await plane.settle(15)
        assert not await plane.exists(PODS, "p")


async def test_what_every_namespace_contains_and_gets_back() -> None:
    """[sig-auth] ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace [Conformance]"""
    async with control_plane("serviceaccount-controller", "root-ca-certificate-publisher-controller") as plane:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
        await plane.client.create(NAMESPACES, space)
        await plane.settle(1)
        root_ca = await plane.get(CONFIG_MAPS, "kube-root-ca.crt", "n")
        assert root_ca["data"] == {"ca.crt": "-----BEGIN CERTIFICATE-----\n"}
        assert objects.annotations(root_ca)["kubernetes.io/description"].startswith("Contains a CA bundle that can be")
        await plane.merge(CONFIG_MAPS, "kube-root-ca.crt", {"data": {"x": "y"}}, "n")
        await plane.client.delete(SERVICE_ACCOUNTS, "default", "n")
        await plane.settle(1)
        assert (await plane.get(CONFIG_MAPS, "kube-root-ca.crt", "n"))["data"] == root_ca["data"]
        assert await plane.exists(SERVICE_ACCOUNTS, "default", "n")
        await plane.client.delete(CONFIG_MAPS, "kube-root-ca.crt", "n")
        await plane.settle(1)
        assert await plane.exists(CONFIG_MAPS, "kube-root-ca.crt", "n")


async def test_token_secrets_are_filled_and_go_with_their_account() -> None:
    async with control_plane("serviceaccount-token-controller") as plane:
        meta = {"name": "tok", "annotations": {"kubernetes.io/service-account.name": "default"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/service-account-token"}
        await plane.client.create(SECRETS, secret, "default")
        await plane.settle(1)
        filled = await plane.get(SECRETS, "tok")
        account = await plane.get(SERVICE_ACCOUNTS, "default")
        assert set(filled["data"]) == {"ca.crt", "namespace", "token"}
        assert objects.annotations(filled)["kubernetes.io/service-account.uid"] == objects.uid(account)
        await plane.client.delete(SERVICE_ACCOUNTS, "default", "default")
        await plane.settle(1)
        assert not await plane.exists(SECRETS, "tok")


async def test_cluster_roles_are_aggregated() -> None:
    async with control_plane("clusterrole-aggregation-controller") as plane:
        version = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
        rule = {"clusterRoleSelectors": [{"matchLabels": {"to": "c"}}]}
        await plane.client.create(CLUSTER_ROLES, {**version, "metadata": {"name": "all"}, "aggregationRule": rule})
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
        part = {**version, "metadata": {"name": "part", "labels": {"to": "c"}}, "rules": rules}
        await plane.client.create(CLUSTER_ROLES, part)
        await plane.settle(1)
        assert (await plane.get(CLUSTER_ROLES, "all"))["rules"] == rules
        await plane.client.delete(CLUSTER_ROLES, "part")
        await plane.settle(1)
        assert not (await plane.get(CLUSTER_ROLES, "all")).get("rules")


SERVICE_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "endpointslice-controller",
    "endpoints-controller",
    "garbage-collector-controller",
)


def service(name: str = "web", **spec: Any) -> Object:
    wanted = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"tier": "x"}}, "spec": wanted}


async def test_endpoints_of_a_service() -> None:
    async with control_plane(*SERVICE_CONTROLLERS) as plane:
        await plane.client.create(SERVICES, service(), "default")
        await plane.settle(1)
        [empty] = await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        assert not empty.get("endpoints")
        await plane.client.create(DEPLOYMENTS, deployment(replicas=3), "default")
        await plane.settle(2)
        [piece] = await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        pods = {objects.name(pod): pod for pod in await plane.items(PODS)}
        assert {entry["targetRef"]["name"] for entry in piece["endpoints"]} == set(pods)
        assert all(entry["conditions"] == {"ready": True, "serving": True, "terminating": False} for entry in piece["endpoints"])
        assert piece["ports"] == [{"name": "", "port": 8080, "protocol": "TCP"}]
        assert piece["addressType"] == "IPv4"
        assert objects.labels(piece) == {
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "kubernetes.io/service-name": "web",
            "tier": "x",
        }
        legacy = await plane.get(ENDPOINTS, "web")
        assert len(legacy["subsets"][0]["addresses"]) == 3
        assert legacy["subsets"][0]["ports"] == [{"port": 8080, "protocol": "TCP"}]
        await plane.merge(DEPLOYMENTS, "web", {"spec": {"replicas": 1}})
        await plane.settle(2)
        [piece] = await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        assert len(piece["endpoints"]) == 1
        await plane.client.delete(SERVICES, "web", "default")
        await plane.settle(1)
        assert await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web") == []
        assert not await plane.exists(ENDPOINTS, "web")


async def test_many_endpoints_are_spread_over_slices_of_a_hundred() -> None:
    async with control_plane(*SERVICE_CONTROLLERS) as plane:
        await plane.client.create(SERVICES, service(clusterIP="None"), "default")
        await plane.client.create(DEPLOYMENTS, deployment(replicas=250), "default")
        await plane.settle(2)
        pieces = await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        sizes = sorted(len(piece["endpoints"]) for piece in pieces)
        assert sum(sizes) == 250 and max(sizes) <= 100 and len(sizes) <= 4
        assert objects.labels(pieces[0])["service.kubernetes.io/headless"] == ""
        await plane.client.delete(ENDPOINT_SLICES, objects.name(pieces[0]), "default")
        await plane.settle(1)
        pieces = await plane.items(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        assert sum(len(piece["endpoints"]) for piece in pieces) == 250
