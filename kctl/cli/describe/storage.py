"""`kctl describe` of storage: PersistentVolumes and claims, StorageClasses, VolumeAttributesClasses, CSINodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import joined_pairs, long_time, since
from kctl.cli.describe.volumes import describe_persistent_source
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!exists", "Gt": ">", "Lt": "<"}


def _modes(modes: Sequence[str] | None) -> str:
    return ",".join(short for name, short in _MODES.items() if name in (modes or ()))


def _class_of(obj: Object) -> str:
    annotations = objects.metadata(obj).get("annotations") or {}
    return str(annotations.get(_CLASS_ANNOTATION) or objects.spec(obj).get("storageClassName") or "")


def _status(out: Writer, obj: Object, now: datetime) -> None:
    deleted = objects.metadata(obj).get("deletionTimestamp")
    if deleted:
        out.line(0, f"Status:\tTerminating (lasts {since(deleted, now)})")
    else:
        out.line(0, f"Status:\t{objects.status(obj).get('phase', '')}")


def _finalizers(meta: Object) -> str:
    return f"[{' '.join(meta.get('finalizers') or ())}]"


async def describe_persistent_volume(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec = objects.metadata(obj), objects.spec(obj)
    out.line(0, f"Name:\t{meta['name']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"Finalizers:\t{_finalizers(meta)}")
    out.line(0, f"StorageClass:\t{_class_of(obj)}")
    if spec.get("volumeAttributesClassName"):
        out.line(0, f"VolumeAttributesClass:\t{spec['volumeAttributesClassName']}")
    _status(out, obj, now)
    claim = spec.get("claimRef")
    out.line(0, f"Claim:\t{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "Claim:\t")
    out.line(0, f"Reclaim Policy:\t{spec.get('persistentVolumeReclaimPolicy', '')}")
    out.line(0, f"Access Modes:\t{_modes(spec.get('accessModes'))}")
    if spec.get("volumeMode"):
        out.line(0, f"VolumeMode:\t{spec['volumeMode']}")
    out.line(0, f"Capacity:\t{(spec.get('capacity') or {}).get('storage', '0')}")
    _node_affinity(out, spec.get("nodeAffinity"))
    out.line(0, f"Message:\t{objects.status(obj).get('message', '')}")
    out.line(0, "Source:")
    describe_persistent_source(out, spec)
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _node_affinity(out: Writer, affinity: Object | None) -> None:
    out.raw("Node Affinity:\t")
    required = (affinity or {}).get("required")
    if not affinity or required is None:
        out.raw("<none>\n")
        return
    out.raw("\n")
    terms = required.get("nodeSelectorTerms") or []
    out.line(1, "Required Terms:\t" + ("" if terms else "<none>"))
    for number, term in enumerate(terms):
        out.raw(f"    Term {number}:\t")
        expressions = term.get("matchExpressions") or ()
        if not expressions:
            out.raw("<none>\n")
        for index, expression in enumerate(expressions):
            out.raw("    \t" if index else "")
            values = expression.get("values") or ()
            text = f"{expression['key']} {_OPERATORS.get(expression['operator'], expression['operator'])}"
            out.raw(text + (f" [{', '.join(values)}]" if values else "") + "\n")


async def describe_claim(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    bound = bool(spec.get("volumeName"))
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    out.line(0, f"StorageClass:\t{_class_of(obj)}")
    if spec.get("volumeAttributesClassName"):
        out.line(0, f"VolumeAttributesClass:\t{spec['volumeAttributesClassName']}")
    _status(out, obj, now)
    out.line(0, f"Volume:\t{spec.get('volumeName', '')}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"Finalizers:\t{_finalizers(meta)}")
    out.line(0, f"Capacity:\t{(status.get('capacity') or {}).get('storage', '0') if bound else ''}")
    out.line(0, f"Access Modes:\t{_modes(status.get('accessModes')) if bound else ''}")
    if spec.get("volumeMode"):
        out.line(0, f"VolumeMode:\t{spec['volumeMode']}")
    if spec.get("dataSource"):
        source = spec["dataSource"]
        out.line(0, "DataSource:")
        if source.get("apiGroup") is not None:
            out.line(1, f"APIGroup:\t{source['apiGroup']}")
        out.line(1, f"Kind:\t{source.get('kind', '')}")
        out.line(1, f"Name:\t{source.get('name', '')}")
    _users(out, await _pods_with(client, objects.namespace(obj), meta["name"]))
    _claim_conditions(out, status.get("conditions") or ())
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def _pods_with(client: Client, namespace: str, claim: str) -> list[str]:
    """The pods that mount the claim, those of ephemeral volumes included."""
    names = []
    for pod in (await client.list(PODS, namespace)).get("items") or ():
        for volume in objects.spec(pod).get("volumes") or ():
            named = (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim
            made = "ephemeral" in volume and f"{objects.name(pod)}-{volume['name']}" == claim
            if named or made:
                names.append(objects.name(pod))
                break
    return names


def _users(out: Writer, names: Sequence[str]) -> None:
    out.raw("Used By:\t" + ("" if names else "<none>\n"))
    for number, name in enumerate(names):
        out.raw(("\t" if number else "") + name + "\n")


def _claim_conditions(out: Writer, conditions: Sequence[Object]) -> None:
    if not conditions:
        return
    out.raw("Conditions:\n  Type\tStatus\tLastProbeTime\tLastTransitionTime\tReason\tMessage\n")
    out.raw("  ----\t------\t-----------------\t------------------\t------\t-------\n")
    for condition in conditions:
        times = "\t".join(long_time(condition.get(name)) + " " for name in ("lastProbeTime", "lastTransitionTime"))
        out.line(
            1, f"{condition['type']} \t{condition['status']} \t{times}\t{condition.get('reason', '')} \t{condition.get('message', '')}"
        )


async def describe_storage_class(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta = objects.metadata(obj)
    annotations = meta.get("annotations") or {}
    default = any(annotations.get(name) == "true" for name in _DEFAULT_CLASS)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"IsDefaultClass:\t{'Yes' if default else 'No'}")
    out.line(0, f"Annotations:\t{joined_pairs(annotations)}")
    out.line(0, f"Provisioner:\t{obj.get('provisioner', '')}")
    out.line(0, f"Parameters:\t{joined_pairs(obj.get('parameters'))}")
    expandable = obj.get("allowVolumeExpansion")
    out.line(0, f"AllowVolumeExpansion:\t{'<unset>' if expandable is None else 'True' if expandable else 'False'}")
    options = obj.get("mountOptions") or []
    out.line(0, "MountOptions:" + ("" if options else "\t<none>"))
    for option in options:
        out.line(1, str(option))
    if obj.get("reclaimPolicy"):
        out.line(0, f"ReclaimPolicy:\t{obj['reclaimPolicy']}")
    if obj.get("volumeBindingMode"):
        out.line(0, f"VolumeBindingMode:\t{obj['volumeBindingMode']}")
    if "allowedTopologies" in obj:
        _topologies(out, obj["allowedTopologies"] or [])
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _topologies(out: Writer, terms: Sequence[Object]) -> None:
    out.raw("AllowedTopologies:\t" + ("\n" if terms else "<none>\n"))
    for number, term in enumerate(terms):
        out.raw(f"  Term {number}:\t")
        expressions = term.get("matchLabelExpressions") or ()
        if not expressions:
            out.raw("<none>\n")
        for index, expression in enumerate(expressions):
            values = expression.get("values") or ()
            out.raw("  \t" if index else "")
            out.raw(f"{expression['key']} in" + (f" [{', '.join(values)}]" if values else "") + "\n")


async def describe_volume_attributes_class(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Annotations:\t{joined_pairs(meta.get('annotations'))}")
    out.line(0, f"DriverName:\t{obj.get('driverName', '')}")
    out.line(0, f"Parameters:\t{joined_pairs(obj.get('parameters'))}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_csi_node(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta = objects.metadata(obj)
    out.line(0, f"Name:\t{meta['name']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    out.line(0, "Spec:")
    drivers: Sequence[Mapping[str, Any]] = objects.spec(obj).get("drivers") or ()
    if drivers:
        out.line(1, "Drivers:")
    for driver in drivers:
        out.line(2, f"{driver['name']}:")
        out.line(3, f"Node ID:\t{driver.get('nodeID', '')}")
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None:
            out.line(3, "Allocatables:")
            out.line(4, f"Count:\t{count}")
        if driver.get("topologyKeys") is not None:
            out.line(3, f"Topology Keys:\t[{' '.join(driver['topologyKeys'])}]")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
