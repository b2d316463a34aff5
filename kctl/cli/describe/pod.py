"""`kctl describe pod`, and the pod template inside workloads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kctl.apimachinery import labels as label_selectors
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.describe.containers import describe_containers
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import controlled_by, long_time, since
from kctl.cli.describe.volumes import describe_volumes
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_LOST_NODE = "NodeLost"


async def describe_pod(client: Client, pod: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    _head(out, pod, now)
    spec, status = objects.spec(pod), objects.status(pod)

    def resolve(source: dict[str, Any], container: Object) -> str:
        return _resolved(pod, source, container)

    for title, field, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    ):
        containers = spec.get(field) or []
        if containers or field == "containers":
            describe_containers(out, title, containers, status.get(statuses) or [], "", resolve)
    _conditions(out, spec, status)
    describe_volumes(out, spec.get("volumes") or [])
    out.line(0, f"QoS Class:\t{status.get('qosClass', '')}")
    write_labels(out, "Node-Selectors", spec.get("nodeSelector"))
    tolerations(out, spec.get("tolerations") or [])
    _spread(out, spec.get("topologySpreadConstraints") or [])
    if show_events:
        describe_events(out, await events_of(client, pod), now)
    return out.text()


def _head(out: Writer, pod: Object, now: datetime) -> None:
    spec, status, meta = objects.spec(pod), objects.status(pod), objects.metadata(pod)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    if spec.get("priority") is not None:
        out.line(0, f"Priority:\t{spec['priority']}")
    for title, field in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if spec.get(field):
            out.line(0, f"{title}:\t{spec[field]}")
    node = f"{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else "<none>"
    out.line(0, f"Node:\t{node}")
    if status.get("startTime"):
        out.line(0, f"Start Time:\t{long_time(status['startTime'])}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    if meta.get("deletionTimestamp") and status.get("reason") != _LOST_NODE:
        out.line(0, f"Status:\tTerminating (lasts {since(meta['deletionTimestamp'], now)})")
        out.line(0, f"Termination Grace Period:\t{meta.get('deletionGracePeriodSeconds', 0)}s")
    else:
        out.line(0, f"Status:\t{status.get('phase', '')}")
    for title, field in (("Reason", "reason"), ("Message", "message")):
        if status.get(field):
            out.line(0, f"{title}:\t{status[field]}")
    profile = (spec.get("securityContext") or {}).get("seccompProfile") or {}
    if profile:
        out.line(0, f"SeccompProfile:\t{profile.get('type')}")
        if profile.get("type") == "Localhost":
            out.line(0, f"LocalhostProfile:\t{profile.get('localhostProfile')}")
    out.line(0, f"IP:\t{status.get('podIP', '')}")
    addresses = status.get("podIPs") or []
    out.line(0, "IPs:" if addresses else "IPs:\t<none>")
    for address in addresses:
        out.line(1, f"IP:\t{address['ip']}")
    if controlled_by(pod):
        out.line(0, f"Controlled By:\t{controlled_by(pod)}")
    if status.get("nominatedNodeName"):
        out.line(0, f"NominatedNodeName:\t{status['nominatedNodeName']}")


def _conditions(out: Writer, spec: Object, status: Object) -> None:
    conditions = status.get("conditions") or []
    gates = spec.get("readinessGates") or []
    if gates:
        by_type = {condition["type"]: condition["status"] for condition in conditions}
        out.raw("Readiness Gates:\n  Type\tStatus\n")
        for gate in gates:
            out.line(1, f"{gate['conditionType']} \t{by_type.get(gate['conditionType'], '<none>')} ")
    if conditions:
        out.raw("Conditions:\n  Type\tStatus\n")
        for condition in conditions:
            out.line(1, f"{condition['type']} \t{condition['status']} ")


def tolerations(out: Writer, entries: Sequence[Object], indent: str = "") -> None:
    out.raw(f"{indent}Tolerations:\t")
    if not entries:
        out.raw("<none>\n")
        return
    for number, tolerated in enumerate(sorted(entries, key=lambda toleration: str(toleration.get("key") or ""))):
        if number:
            out.raw(f"{indent}\t")
        key, effect, value = tolerated.get("key") or "", tolerated.get("effect") or "", tolerated.get("value") or ""
        text = key + (f"={value}" if value else "") + (f":{effect}" if effect else "")
        if tolerated.get("operator") == "Exists" and not value:
            text += " op=Exists" if key or effect else "op=Exists"
        if tolerated.get("tolerationSeconds") is not None:
            text += f" for {tolerated['tolerationSeconds']}s"
        out.raw(text + "\n")


def _spread(out: Writer, constraints: Sequence[Object], indent: str = "") -> None:
    if not constraints:
        return
    out.raw(f"{indent}Topology Spread Constraints:\t")
    for number, spread in enumerate(sorted(constraints, key=lambda constraint: str(constraint["topologyKey"]))):
        if number:
            out.raw(f"{indent}\t")
        text = f"{spread['topologyKey']}:{spread['whenUnsatisfiable']} when max skew {spread['maxSkew']} is exceeded"
        if spread.get("labelSelector"):
            text += f" for selector {label_selectors.format_selector(spread['labelSelector'])}"
        out.raw(text + "\n")


def _resolved(pod: Object, source: dict[str, Any], container: Object) -> str:
    """The value behind a fieldRef; kubectl shows only what stands in the metadata."""
    path = str((source.get("fieldRef") or {}).get("fieldPath") or "")
    table, _, field = path.partition(".")
    meta = objects.metadata(pod)
    if table != "metadata":
        return ""
    subscript = re.fullmatch(r"(labels|annotations)\['(.+)'\]", field)
    if subscript:
        return str((meta.get(subscript[1]) or {}).get(subscript[2]) or "")
    return str(meta.get(field) or "") if field in ("name", "namespace", "uid") else ""


def describe_template(out: Writer, template: Object | None) -> None:
    """The `Pod Template:` block of a workload."""
    out.line(0, "Pod Template:")
    if template is None:
        out.line(1, "<unset>")
        return
    meta, spec = template.get("metadata") or {}, template.get("spec") or {}
    write_labels(out, "  Labels", meta.get("labels"))
    if meta.get("annotations"):
        write_annotations(out, "  Annotations", meta["annotations"])
    if spec.get("serviceAccountName"):
        out.raw(f"  Service Account:\t{spec['serviceAccountName']}\n")
    if spec.get("initContainers"):
        describe_containers(out, "Init Containers", spec["initContainers"], [], "  ")
    describe_containers(out, "Containers", spec.get("containers") or [], [], "  ")
    describe_volumes(out, spec.get("volumes") or [], "  ")
    _spread(out, spec.get("topologySpreadConstraints") or [], "  ")
    if spec.get("priorityClassName"):
        out.raw(f"  Priority Class Name:\t{spec['priorityClassName']}\n")
    write_labels(out, "Node-Selectors", spec.get("nodeSelector"), indent="  ")
    tolerations(out, spec.get("tolerations") or [], "  ")
