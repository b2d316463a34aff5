"""HorizontalPodAutoscalers on a whole simulated cluster: what pods use comes from annotations, through metrics.k8s.io."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.metrics_resources import NODE_METRICS, POD_METRICS
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, PODS, built_in
from tests.integration.whole_cluster import Cluster, whole_cluster

AUTOSCALERS = built_in("autoscaling/v2", "HorizontalPodAutoscaler")
API_SERVICES = built_in("apiregistration.k8s.io/v1", "APIService")


def cpu(percent: int) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": percent}}}


async def deployment(cluster: Cluster, replicas: int = 1, cpu: str = "200m", containers: list[Object] | None = None, **notes: str) -> None:
    """`notes`: settings of the pods, with _ for -."""
    annotations = {f"kctl.dev/{name.replace('_', '-')}": value for name, value in notes.items()}
    own = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}} if cpu else {}}]
    template = {"metadata": {"labels": {"app": "web"}, "annotations": annotations}, "spec": {"containers": containers or own}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    await cluster.create(DEPLOYMENTS, "web", spec=spec)
    await cluster.settle(2)


async def autoscaler(cluster: Cluster, *metrics: Object, low: int = 1, high: int = 10, name: str = "web", **spec: Any) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"scaleTargetRef": target, "minReplicas": low, "maxReplicas": high, "metrics": list(metrics), **spec}
    await cluster.create(AUTOSCALERS, name, spec=body)


async def replicas(cluster: Cluster) -> int:
    return int(objects.spec(await cluster.get(DEPLOYMENTS, "web"))["replicas"])


async def conditions(cluster: Cluster, name: str = "web") -> dict[str, tuple[str, str, str]]:
    found = objects.status(await cluster.get(AUTOSCALERS, name)).get("conditions") or ()
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found}


async def test_metrics_are_served_as_a_metrics_server_serves_them() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, cpu_usage="150m", memory_usage="50%")
        (pod,) = await cluster.items(POD_METRICS)
        (container,) = pod["containers"]
        assert (pod["kind"], pod["window"], objects.labels(pod)["app"]) == ("PodMetrics", "15s", "web")
        assert container == {"name": "c", "usage": {"cpu": "150000000n", "memory": "32768Ki"}}
        assert (await cluster.get(POD_METRICS, objects.name(pod)))["containers"] == [container]
        nodes = {objects.name(node): node["usage"] for node in await cluster.items(NODE_METRICS)}
        where = objects.spec(await cluster.get(PODS, objects.name(pod)))["nodeName"]
        assert nodes[where] == {"cpu": "250000000n", "memory": f"{(256 + 32) * 1024}Ki"}
        assert len(nodes) == 3 and not (await cluster.client.list(POD_METRICS, "default", label_selector="app=other"))["items"]
        service = await cluster.get(API_SERVICES, "v1beta1.metrics.k8s.io")
        assert objects.is_condition_true(service, "Available")


async def test_load_that_is_shared_brings_more_replicas_and_fewer_when_it_ends() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, cpu_load="600m,400s:50m")
        await autoscaler(cluster, cpu(50))
        await cluster.settle(31)
        assert await replicas(cluster) == 4  # no faster than to four, or to the double
        shown = await conditions(cluster)
        assert shown["AbleToScale"] == ("True", "SucceededRescale", "the HPA controller was able to update the target scale to 4")
        limited = ("True", "ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
        assert shown["ScalingLimited"] == limited
        found = "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)"
        assert shown["ScalingActive"] == ("True", "ValidMetricFound", found)
        await cluster.settle(150)
        assert await replicas(cluster) == 6
        status = objects.status(await cluster.get(AUTOSCALERS, "web"))
        assert (status["currentReplicas"], status["desiredReplicas"]) == (6, 6) and "lastScaleTime" in status
        current = {"averageUtilization": 50, "averageValue": "100m"}
        assert status["currentMetrics"] == [{"type": "Resource", "resource": {"name": "cpu", "current": current}}]
        ready = ("True", "ReadyForNewScale", "recommended size matches current size")
        assert (await conditions(cluster))["AbleToScale"] == ready
        told = await cluster.events("web")
        above = "cpu resource utilization (percentage of request) above target"
        assert ("Normal", "SuccessfulRescale", f"New size: 4; reason: {above}") in told
        await cluster.settle(300)  # the load is gone; what was recommended lately still counts
        stable = "recent recommendations were higher than current one, applying the highest recent recommendation"
        assert await replicas(cluster) == 6
        assert (await conditions(cluster))["AbleToScale"] == ("True", "ScaleDownStabilized", stable)
        await cluster.settle(400)
        assert await replicas(cluster) < 6
        reasons = [message.partition("reason: ")[2] for _, reason, message in await cluster.events("web") if reason == "SuccessfulRescale"]
        assert "All metrics below target" in reasons


async def test_behavior_says_how_fast() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 2, cpu_usage="200m")
        up = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}], "stabilizationWindowSeconds": 0}
        down = {"policies": [{"type": "Percent", "value": 50, "periodSeconds": 30}], "stabilizationWindowSeconds": 0}
        await autoscaler(cluster, cpu(50), behavior={"scaleUp": up, "scaleDown": down})
        sizes = []
        for _ in range(12):
            await cluster.settle(15)
            sizes.append(await replicas(cluster))
        assert sizes == [2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5]
        for pod in await cluster.items(PODS):
            await cluster.merge(PODS, objects.name(pod), {"metadata": {"annotations": {"kctl.dev/cpu-usage": "1m"}}})
        before = await replicas(cluster)
        await cluster.settle(31)
        assert await replicas(cluster) <= before // 2 + 1


async def test_scaling_may_be_forbidden_in_one_direction() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 4, cpu_usage="1m")
        off = {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}
        await autoscaler(cluster, cpu(50), behavior={"scaleDown": off})
        await cluster.settle(400)
        assert await replicas(cluster) == 4
        limited = ("True", "ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
        assert (await conditions(cluster))["ScalingLimited"] == limited


async def test_a_tolerance_of_its_own() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 2, cpu_usage="140m")  # 70 %
        await autoscaler(cluster, cpu(50), behavior={"scaleUp": {"tolerance": "0.5"}})
        await cluster.settle(60)
        assert await replicas(cluster) == 2


async def test_one_container_of_several() -> None:
    async with whole_cluster() as cluster:
        containers = [
            {"name": name, "image": "i", "resources": {"requests": {"cpu": "100m"}}, "command": ["sleep", "infinity"]}
            for name in ("app", "log")
        ]
        await deployment(cluster, 1, containers=containers, **{"app.cpu_usage": "100m", "log.cpu_usage": "1m"})
        target = {"name": "cpu", "container": "app", "target": {"type": "Utilization", "averageUtilization": 50}}
        await autoscaler(cluster, {"type": "ContainerResource", "containerResource": target}, high=2)
        await cluster.settle(31)
        assert await replicas(cluster) == 2
        status = objects.status(await cluster.get(AUTOSCALERS, "web"))["currentMetrics"][0]["containerResource"]
        assert (status["container"], status["current"]) == ("app", {"averageUtilization": 100, "averageValue": "100m"})


async def test_memory_by_value() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 1, memory_usage="40Mi")
        target = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "20Mi"}}
        await autoscaler(cluster, {"type": "Resource", "resource": target})
        await cluster.settle(16)
        assert await replicas(cluster) == 2
        current = objects.status(await cluster.get(AUTOSCALERS, "web"))["currentMetrics"][0]["resource"]["current"]
        assert current == {"averageValue": "41943040"}


async def test_what_cannot_be_computed_is_said() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 1, cpu="")
        await autoscaler(cluster, cpu(50))
        await cluster.settle(31)
        (pod,) = await cluster.items(PODS)
        why = f"failed to get cpu utilization: missing request for cpu in container c of Pod {objects.name(pod)}"
        shown = await conditions(cluster)
        assert shown["ScalingActive"] == ("False", "FailedGetResourceMetric", f"the HPA was unable to compute the replica count: {why}")
        told = await cluster.events("web")
        assert ("Warning", "FailedGetResourceMetric", why) in told
        first = f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {why}"
        assert ("Warning", "FailedComputeMetricsReplicas", first) in told


async def test_custom_and_external_metrics_that_nobody_serves() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster)
        pods = {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
        described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
        of_object = {
            "type": "Object",
            "object": {"metric": {"name": "hits"}, "describedObject": described, "target": {"type": "Value", "value": "10"}},
        }
        external = {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}}}
        await autoscaler(cluster, pods, of_object, external)
        await cluster.settle(31)
        told = {(reason, message) for _, reason, message in await cluster.events("web")}
        custom = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
        assert ("FailedGetPodsMetric", f"unable to get metric rps: {custom}") in told
        assert ("FailedGetObjectMetric", f"unable to get metric hits: Service on default web/{custom}") in told
        absent = "the server could not find the requested resource (get queue.external.metrics.k8s.io)"
        fetched = f"unable to fetch metrics from external metrics API: {absent}"
        assert ("FailedGetExternalMetric", f"unable to get external metric default/queue/nil: {fetched}") in told


async def test_two_autoscalers_for_the_same_pods_do_nothing() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 2, cpu_usage="200m")
        await autoscaler(cluster, cpu(50), name="first")
        await autoscaler(cluster, cpu(50), name="second", low=2)
        await cluster.settle(40)
        message = "pods by selector app=web are controlled by multiple HPAs: [default/first default/second]"
        assert (await conditions(cluster, "second"))["ScalingActive"] == ("False", "AmbiguousSelector", message)


async def test_new_pods_that_are_not_ready_do_not_count_as_idle_or_busy() -> None:
    async with whole_cluster() as cluster:
        await deployment(cluster, 2, cpu_usage="200m", readiness_delay="1h")
        await autoscaler(cluster, cpu(50))
        await cluster.settle(31)
        assert await replicas(cluster) == 2
        why = "failed to get cpu utilization: did not receive metrics for targeted pods (pods might be unready)"
        assert why in (await conditions(cluster))["ScalingActive"][2]
