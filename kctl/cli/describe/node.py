"""`kctl describe node`: conditions, capacity, who runs there and what they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import LEASES, PODS
from kctl.apimachinery.status import ApiError
from kctl.cli.describe.events import describe_events
from kctl.cli.describe.values import go_bool, long_time, or_unset, since, sorted_resources
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_ROLE = "node-role.kubernetes.io/"
_SYSTEM_INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)
_STANDARD = ("cpu", "memory", "ephemeral-storage")


async def describe_node(client: Client, node: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(node), objects.spec(node), objects.status(node)
    out.line(0, f"Name:\t{meta['name']}")
    roles = sorted(key.removeprefix(_ROLE) for key in meta.get("labels") or {} if key.startswith(_ROLE))
    out.line(0, f"Roles:\t{','.join(roles) or '<none>'}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    _taints(out, spec.get("taints") or [])
    out.line(0, f"Unschedulable:\t{go_bool(spec.get('unschedulable'))}")
    await _lease(out, client, meta["name"])
    _conditions(out, status.get("conditions") or [])
    out.line(0, "Addresses:")
    for address in status.get("addresses") or []:
        out.line(1, f"{address['type']}:\t{address['address']}")
    for title, field in (("Capacity", "capacity"), ("Allocatable", "allocatable")):
        if status.get(field):
            out.line(0, f"{title}:")
            for name, value in sorted_resources(status[field]):
                out.line(1, f"{name}:\t{value}")
    info = status.get("nodeInfo") or {}
    out.line(0, "System Info:")
    for title, field in _SYSTEM_INFO:
        if field != "kubeProxyVersion" or info.get(field):
            out.line(1, f"{title}:\t{info.get(field, '')}")
    if spec.get("podCIDR"):
        out.line(0, f"PodCIDR:\t{spec['podCIDR']}")
    if spec.get("podCIDRs"):
        out.line(0, f"PodCIDRs:\t{','.join(spec['podCIDRs'])}")
    if spec.get("providerID"):
        out.line(0, f"ProviderID:\t{spec['providerID']}")
    selector = f"spec.nodeName={meta['name']},status.phase!=Succeeded,status.phase!=Failed"
    pods = (await client.list(PODS, field_selector=selector)).get("items") or []
    _pods(out, pods, status.get("allocatable") or status.get("capacity") or {}, now)
    if show_events:
        describe_events(out, await _events(client, node), now)
    return out.text()


async def _events(client: Client, node: Object) -> list[Object]:
    """A kubelet reports with the node's name as its uid and no namespace, others with the real uid."""
    from kctl.apimachinery.resources import EVENTS

    name = objects.name(node)
    events: list[Object] = []
    for uid in dict.fromkeys((objects.uid(node), name)):
        selector = f"involvedObject.kind=Node,involvedObject.name={name},involvedObject.uid={uid}"
        events += (await client.list(EVENTS, field_selector=selector)).get("items") or []
    return events


def _taints(out: Writer, taints: Sequence[Object]) -> None:
    texts = []
    for taint in taints:
        value = f"={taint['value']}" if taint.get("value") else ""
        texts.append(f"{taint['key']}{value}:{taint['effect']}")
    out.raw("Taints:\t" + ("\n\t".join(sorted(texts)) or "<none>") + "\n")


async def _lease(out: Writer, client: Client, name: str) -> None:
    try:
        lease = await client.get(LEASES, name, "kube-node-lease")
    except ApiError:
        out.line(0, "Lease:\tFailed to get lease: leases.coordination.k8s.io " + f'"{name}" not found')
        return
    spec = objects.spec(lease)
    out.line(0, "Lease:")
    out.line(1, f"HolderIdentity:\t{or_unset(spec.get('holderIdentity'))}")
    out.line(1, f"AcquireTime:\t{long_time(spec['acquireTime']) if spec.get('acquireTime') else '<unset>'}")
    out.line(1, f"RenewTime:\t{long_time(spec['renewTime']) if spec.get('renewTime') else '<unset>'}")


def _conditions(out: Writer, conditions: Sequence[Object]) -> None:
    if not conditions:
        return
    out.raw("Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage\n")
    out.raw("  ----\t------\t-----------------\t------------------\t------\t-------\n")
    for condition in conditions:
        out.line(
            1,
            f"{condition['type']} \t{condition['status']} \t{long_time(condition.get('lastHeartbeatTime'))} \t"
            f"{long_time(condition.get('lastTransitionTime'))} \t{condition.get('reason', '')} \t{condition.get('message', '')}",
        )


def pod_resources(pod: Object) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    """What a pod requests and is limited to: containers and sidecars together, or the greediest init container, plus overhead."""
    spec = objects.spec(pod)
    totals: list[dict[str, Fraction]] = []
    for field in ("requests", "limits"):
        total: dict[str, Fraction] = {}
        for container in spec.get("containers") or ():
            _add(total, (container.get("resources") or {}).get(field))
        peak: dict[str, Fraction] = {}
        sidecars: dict[str, Fraction] = {}
        for container in spec.get("initContainers") or ():
            wanted = (container.get("resources") or {}).get(field)
            if container.get("restartPolicy") == "Always":
                _add(total, wanted)
                _add(sidecars, wanted)
                continue
            needed = dict(sidecars)
            _add(needed, wanted)
            for name, value in needed.items():
                peak[name] = max(peak.get(name, Fraction(0)), value)
        for name, value in peak.items():
            total[name] = max(total.get(name, Fraction(0)), value)
        if field == "requests" or total:
            _add(total, spec.get("overhead"))
        totals.append(total)
    return totals[0], totals[1]


def _add(total: dict[str, Fraction], more: Object | None) -> None:
    for name, value in (more or {}).items():
        total[name] = total.get(name, Fraction(0)) + quantity.parse(value)


def _text(value: Fraction, resource: str) -> str:
    return quantity.format_quantity(value, "DecimalSI" if resource == "cpu" else "BinarySI")


def _percent(value: Fraction, allocatable: Object, resource: str) -> int:
    whole = quantity.milli(allocatable.get(resource, "0"))
    return int(value * 1000 * 100 / whole) if whole else 0


def _pods(out: Writer, pods: Sequence[Object], allocatable: Object, now: datetime) -> None:
    out.line(0, f"Non-terminated Pods:\t({len(pods)} in total)")
    out.line(1, "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge")
    out.line(1, "---------\t----\t\t------------\t----------\t---------------\t-------------\t---")
    requested: dict[str, Fraction] = {}
    limited: dict[str, Fraction] = {}
    for pod in pods:
        requests, limits = pod_resources(pod)
        cells = [
            f"{_text(table.get(name, Fraction(0)), name)} ({_percent(table.get(name, Fraction(0)), allocatable, name)}%)"
            for name in ("cpu", "memory")
            for table in (requests, limits)
        ]
        age = since(objects.metadata(pod).get("creationTimestamp"), now)
        out.line(1, "\t".join([objects.namespace(pod), objects.name(pod), "", *cells, age]))
        for total, more in ((requested, requests), (limited, limits)):
            for name, value in more.items():
                total[name] = total.get(name, Fraction(0)) + value
    out.line(0, "Allocated resources:\n  (Total limits may be over 100 percent, i.e., overcommitted.)")
    out.line(1, "Resource\tRequests\tLimits")
    out.line(1, "--------\t--------\t------")
    others = sorted(name for name in allocatable if name not in (*_STANDARD, "pods"))
    for name in (*_STANDARD, *others):
        request, limit = requested.get(name, Fraction(0)), limited.get(name, Fraction(0))
        if name in others and not name.startswith("hugepages-"):
            out.line(1, f"{name}\t{_text(request, name)}\t{_text(limit, name)}")
            continue
        out.line(
            1,
            f"{name}\t{_text(request, name)} ({_percent(request, allocatable, name)}%)\t"
            f"{_text(limit, name)} ({_percent(limit, allocatable, name)}%)",
        )
