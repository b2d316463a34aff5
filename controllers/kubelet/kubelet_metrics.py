"""A kubelet's numbers: /metrics, /metrics/resource, /metrics/cadvisor in Prometheus' text, and /stats/summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from kctl.apimachinery import objects, times
from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.objects import Object
from kctl.client.kubelet import ContainerUsage, NodeUsage, PodUsage


class Counters:
    """CPU time used since a container began, from what it uses whenever somebody looks: it never goes back."""

    def __init__(self, began: datetime) -> None:
        """`began`: since when the node's own are counted."""
        self.began = began
        self._known: dict[str, tuple[datetime, int]] = {}

    def nanoseconds(self, key: str, since: datetime, now: datetime, nanocores: int) -> int:
        before, total = self._known.get(key, (since, 0))
        total += int(max((now - before).total_seconds(), 0) * nanocores)
        self._known[key] = max(now, before), total
        return total

    def keep(self, pods: Sequence[PodUsage]) -> None:
        """Forget the containers that are gone."""
        keys = {_key(found, each) for found in pods for each in found.containers}
        for key in [key for key in self._known if key and key not in keys]:
            del self._known[key]


def _started(pod: Object, container: str) -> datetime | None:
    for field in ("containerStatuses", "initContainerStatuses"):
        for status in objects.status(pod).get(field) or ():
            running = (status.get("state") or {}).get("running") or {}
            if status.get("name") == container and running.get("startedAt"):
                return times.parse(running["startedAt"])
    return None


def _key(found: PodUsage, container: ContainerUsage) -> str:
    return f"{objects.uid(found.pod)}/{container.name}"


def _cpu_nanoseconds(found: PodUsage, container: ContainerUsage, counters: Counters) -> int:
    since = _started(found.pod, container.name) or found.timestamp
    return counters.nanoseconds(_key(found, container), since, found.timestamp, container.cpu_nanocores)


def _head(name: str, kind: str, text: str) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} {kind}"


def _labels(found: PodUsage, container: str = "") -> str:
    first = f'container="{container}",' if container else ""
    return f'{{{first}namespace="{objects.namespace(found.pod)}",pod="{objects.name(found.pod)}"}}'


def own(node: str, usage: NodeUsage, pods: Sequence[PodUsage], counters: Counters) -> Iterator[str]:
    yield _head("kubelet_node_name", "gauge", "[ALPHA] The node's name. The count is always 1.")
    yield f'kubelet_node_name{{node="{node}"}} 1'
    yield _head("kubelet_running_pods", "gauge", "[BETA] Number of pods that have a running pod sandbox")
    yield f"kubelet_running_pods {len(pods)}"
    yield _head("kubelet_running_containers", "gauge", "[BETA] Number of containers currently running")
    yield f'kubelet_running_containers{{container_state="running"}} {sum(len(found.containers) for found in pods)}'
    yield _head("kubernetes_build_info", "gauge", "[ALPHA] A metric with a constant '1' value labeled by the version of this build.")
    yield f'kubernetes_build_info{{git_version="{KUBERNETES_VERSION}"}} 1'


def resource(node: str, usage: NodeUsage, pods: Sequence[PodUsage], counters: Counters) -> Iterator[str]:
    """What a metrics server scrapes."""
    cpu = [(found, [_cpu_nanoseconds(found, each, counters) for each in found.containers]) for found in pods]
    stamp = int(usage.timestamp.timestamp() * 1000)
    yield _head("container_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the container in core-seconds")
    for found, amounts in cpu:
        for container, amount in zip(found.containers, amounts, strict=True):
            yield f"container_cpu_usage_seconds_total{_labels(found, container.name)} {amount / 1e9:g} {stamp}"
    yield _head("container_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the container in bytes")
    for found in pods:
        for container in found.containers:
            yield f"container_memory_working_set_bytes{_labels(found, container.name)} {container.memory_bytes} {stamp}"
    yield _head("container_start_time_seconds", "gauge", "[STABLE] Start time of the container since unix epoch in seconds")
    for found in pods:
        for container in found.containers:
            if (began := _started(found.pod, container.name)) is not None:
                yield f"container_start_time_seconds{_labels(found, container.name)} {began.timestamp():.3f}"
    yield _head("node_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the node in core-seconds")
    yield f"node_cpu_usage_seconds_total {_node_nanoseconds(usage, counters) / 1e9:g} {stamp}"
    yield _head("node_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the node in bytes")
    yield f"node_memory_working_set_bytes {usage.memory_bytes} {stamp}"
    yield _head("pod_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds")
    for found, amounts in cpu:
        yield f"pod_cpu_usage_seconds_total{_labels(found)} {sum(amounts) / 1e9:g} {stamp}"
    yield _head("pod_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the pod in bytes")
    for found in pods:
        yield f"pod_memory_working_set_bytes{_labels(found)} {sum(each.memory_bytes for each in found.containers)} {stamp}"
    yield _head("resource_scrape_error", "gauge", "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise")
    yield "resource_scrape_error 0"


def _node_nanoseconds(usage: NodeUsage, counters: Counters) -> int:
    return counters.nanoseconds("", counters.began, usage.timestamp, usage.cpu_nanocores)


def cadvisor(node: str, usage: NodeUsage, pods: Sequence[PodUsage], counters: Counters) -> Iterator[str]:
    yield _head("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.")
    for found in pods:
        for container in found.containers:
            amount = _cpu_nanoseconds(found, container, counters)
            yield f"container_cpu_usage_seconds_total{_cadvisor_labels(found, container.name)} {amount / 1e9:g}"
    yield _head("container_memory_working_set_bytes", "gauge", "Current working set in bytes.")
    for found in pods:
        for container in found.containers:
            yield f"container_memory_working_set_bytes{_cadvisor_labels(found, container.name)} {container.memory_bytes}"


def _cadvisor_labels(found: PodUsage, container: str) -> str:
    pod = found.pod
    where = f'namespace="{objects.namespace(pod)}",pod="{objects.name(pod)}"'
    return f'{{container="{container}",id="/kubepods/pod{objects.uid(pod)}/{container}",image="",name="{container}",{where}}}'


def summary(node: Object, usage: NodeUsage, pods: Sequence[PodUsage], counters: Counters) -> Object:
    """stats.v1alpha1 Summary."""
    stamp = times.rfc3339(usage.timestamp)
    head = {
        "nodeName": objects.name(node),
        "startTime": objects.metadata(node).get("creationTimestamp"),
        "cpu": {"time": stamp, "usageNanoCores": usage.cpu_nanocores, "usageCoreNanoSeconds": _node_nanoseconds(usage, counters)},
        "memory": {"time": stamp, "usageBytes": usage.memory_bytes, "workingSetBytes": usage.memory_bytes},
    }
    return {"node": head, "pods": [_pod_summary(found, counters) for found in pods]}


def _pod_summary(found: PodUsage, counters: Counters) -> Object:
    pod, stamp = found.pod, times.rfc3339(found.timestamp)
    containers: list[Object] = []
    for each in found.containers:
        began = _started(pod, each.name)
        containers.append(
            {
                "name": each.name,
                "startTime": times.rfc3339(began) if began is not None else None,
                "cpu": {
                    "time": stamp,
                    "usageNanoCores": each.cpu_nanocores,
                    "usageCoreNanoSeconds": _cpu_nanoseconds(found, each, counters),
                },
                "memory": {"time": stamp, "usageBytes": each.memory_bytes, "workingSetBytes": each.memory_bytes},
            }
        )
    memory = sum(each.memory_bytes for each in found.containers)
    return {
        "podRef": {"name": objects.name(pod), "namespace": objects.namespace(pod), "uid": objects.uid(pod)},
        "startTime": objects.status(pod).get("startTime"),
        "containers": containers,
        "cpu": {
            "time": stamp,
            "usageNanoCores": sum(each.cpu_nanocores for each in found.containers),
            "usageCoreNanoSeconds": sum(each["cpu"]["usageCoreNanoSeconds"] for each in containers),
        },
        "memory": {"time": stamp, "usageBytes": memory, "workingSetBytes": memory},
    }
