"""`kctl describe` of what makes pods: Deployments, ReplicaSets, ReplicationControllers, StatefulSets, DaemonSets, Jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kctl.apimachinery import labels as label_selectors
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, REPLICA_SETS
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.pod import describe_template
from kctl.cli.describe.values import controlled_by, long_time, or_unset
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client

_REVISION = "deployment.kubernetes.io/revision"


async def describe_deployment(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"Selector:\t{label_selectors.format_selector(spec.get('selector'))}")
    out.line(
        0,
        f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | "
        f"{status.get('replicas', 0)} total | {status.get('availableReplicas', 0)} available | "
        f"{status.get('unavailableReplicas', 0)} unavailable",
    )
    strategy = spec.get("strategy") or {}
    out.line(0, f"StrategyType:\t{strategy.get('type', '')}")
    out.line(0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if strategy.get("rollingUpdate"):
        rolling = strategy["rollingUpdate"]
        out.line(
            0,
            f"RollingUpdateStrategy:\t{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge",
        )
    describe_template(out, spec.get("template"))
    _reasoned_conditions(out, status.get("conditions") or [])
    await _replica_sets(out, client, obj)
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _reasoned_conditions(out: Writer, conditions: Sequence[Object]) -> None:
    if conditions:
        out.raw("Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------\n")
        for condition in conditions:
            out.line(1, f"{condition['type']} \t{condition['status']}\t{condition.get('reason', '')}")


async def _replica_sets(out: Writer, client: Client, deployment: Object) -> None:
    selector = str(label_selectors.format_selector(objects.spec(deployment).get("selector")))
    query = "" if selector == "<none>" else selector
    selected = (await client.list(REPLICA_SETS, objects.namespace(deployment), label_selector=query)).get("items") or []
    own = [replica_set for replica_set in selected if (objects.controller_of(replica_set) or {}).get("uid") == objects.uid(deployment)]
    if not own:
        return
    template = objects.spec(deployment).get("template") or {}
    new = next((replica_set for replica_set in sorted(own, key=_created) if _same_template(replica_set, template)), None)
    old = [replica_set for replica_set in own if replica_set is not new]
    out.line(0, f"OldReplicaSets:\t{_created_counts(old)}")
    out.line(0, f"NewReplicaSet:\t{_created_counts([new] if new else [])}")


def _created(obj: Object) -> str:
    return str(objects.metadata(obj).get("creationTimestamp") or "")


def _same_template(replica_set: Object, template: Object) -> bool:
    theirs = objects.spec(replica_set).get("template") or {}
    meta = theirs.get("metadata") or {}
    pairs = {key: value for key, value in (meta.get("labels") or {}).items() if key != "pod-template-hash"}
    ours = template.get("metadata") or {}
    same_metadata = pairs == (ours.get("labels") or {}) and (meta.get("annotations") or {}) == (ours.get("annotations") or {})
    return same_metadata and theirs.get("spec") == template.get("spec")


def _created_counts(sets: Sequence[Object]) -> str:
    texts = [
        f"{objects.name(replica_set)} ({objects.status(replica_set).get('replicas', 0)}/{objects.spec(replica_set).get('replicas', 1)} replicas created)"
        for replica_set in sorted(sets, key=_created)
    ]
    return ", ".join(texts) or "<none>"


async def _pod_counts(client: Client, obj: Object, selector: str) -> str:
    """3 Running / 0 Waiting / 0 Succeeded / 0 Failed, of the pods this object controls."""
    selected = (await client.list(PODS, objects.namespace(obj), label_selector=selector)).get("items") or []
    phases = [objects.status(pod).get("phase") for pod in selected if (objects.controller_of(pod) or {}).get("uid") == objects.uid(obj)]
    return (
        f"{phases.count('Running')} Running / {phases.count('Pending')} Waiting / "
        f"{phases.count('Succeeded')} Succeeded / {phases.count('Failed')} Failed"
    )


def _selector_of(obj: Object) -> str:
    selector = objects.spec(obj).get("selector") or {}
    if obj.get("kind") == "ReplicationController":
        return ",".join(f"{key}={selector[key]}" for key in sorted(selector)) or "<none>"
    return label_selectors.format_selector(selector)


async def describe_replica_set(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    """ReplicaSets and ReplicationControllers."""
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    selector = _selector_of(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    out.line(0, f"Selector:\t{selector}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    if controlled_by(obj):
        out.line(0, f"Controlled By:\t{controlled_by(obj)}")
    out.line(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    out.line(0, f"Pods Status:\t{await _pod_counts(client, obj, selector)}")
    describe_template(out, spec.get("template"))
    _reasoned_conditions(out, status.get("conditions") or [])
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_stateful_set(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    selector = _selector_of(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    out.line(0, f"Selector:\t{selector}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    if spec.get("serviceName"):
        out.line(0, f"Service Name:\t{spec['serviceName']}")
    if spec.get("podManagementPolicy"):
        out.line(0, f"Pod Management Policy:\t{spec['podManagementPolicy']}")
    out.line(0, f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    out.line(0, f"Update Strategy:\t{strategy.get('type', '')}")
    if (strategy.get("rollingUpdate") or {}).get("partition") is not None:
        out.line(1, f"Partition:\t{strategy['rollingUpdate']['partition']}")
        if strategy["rollingUpdate"].get("maxUnavailable") is not None:
            out.line(1, f"MaxUnavailable:\t{strategy['rollingUpdate']['maxUnavailable']}")
    retention = spec.get("persistentVolumeClaimRetentionPolicy")
    if retention is not None:
        out.line(0, "Persistent Volume Claim Retention Policy:")
        out.line(1, f"WhenDeleted:\t{retention.get('whenDeleted', '')}")
        out.line(1, f"WhenScaled:\t{retention.get('whenScaled', '')}")
    out.line(0, f"Pods Status:\t{await _pod_counts(client, obj, selector)}")
    describe_template(out, spec.get("template"))
    _claims(out, spec.get("volumeClaimTemplates") or [])
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


def _claims(out: Writer, claims: Sequence[Object]) -> None:
    out.line(0, "Volume Claims:" + ("" if claims else "\t<none>"))
    for claim in claims:
        meta, spec = claim.get("metadata") or {}, claim.get("spec") or {}
        out.line(1, f"Name:\t{meta.get('name', '')}")
        out.line(1, f"StorageClass:\t{spec.get('storageClassName') or ''}")
        write_labels(out, "Labels", meta.get("labels"), indent="  ")
        write_annotations(out, "  Annotations", meta.get("annotations"))
        capacity = ((spec.get("resources") or {}).get("requests") or {}).get("storage", "<default>")
        out.line(1, f"Capacity:\t{capacity}")
        out.line(1, f"Access Modes:\t[{' '.join(spec.get('accessModes') or ())}]")


async def describe_daemon_set(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    selector = _selector_of(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    out.line(0, f"Selector:\t{selector}")
    write_labels(out, "Node-Selector", ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector"))
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    for title, field in (
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ):
        out.line(0, f"{title}: {status.get(field, 0)}")
    out.line(0, f"Pods Status:\t{await _pod_counts(client, obj, selector)}")
    describe_template(out, spec.get("template"))
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


async def describe_job(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    if spec.get("selector"):
        out.line(0, f"Selector:\t{label_selectors.format_selector(spec['selector'])}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    if controlled_by(obj):
        out.line(0, f"Controlled By:\t{controlled_by(obj)}")
    out.line(0, f"Parallelism:\t{or_unset(spec.get('parallelism'))}")
    out.line(0, f"Completions:\t{or_unset(spec.get('completions'))}")
    if spec.get("completionMode"):
        out.line(0, f"Completion Mode:\t{spec['completionMode']}")
    if spec.get("suspend") is not None:
        out.line(0, f"Suspend:\t{'true' if spec['suspend'] else 'false'}")
    if spec.get("backoffLimit") is not None:
        out.line(0, f"Backoff Limit:\t{spec['backoffLimit']}")
    for title, field in (("Start Time", "startTime"), ("Completed At", "completionTime")):
        if status.get(field):
            out.line(0, f"{title}:\t{long_time(status[field])}")
    if spec.get("activeDeadlineSeconds") is not None:
        out.line(0, f"Active Deadline Seconds:\t{spec['activeDeadlineSeconds']}s")
    ready = f" ({status['ready']} Ready)" if status.get("ready") is not None else ""
    out.line(
        0,
        f"Pods Statuses:\t{status.get('active', 0)} Active{ready} / {status.get('succeeded', 0)} Succeeded / "
        f"{status.get('failed', 0)} Failed",
    )
    if spec.get("completionMode") == "Indexed":
        out.line(0, f"Completed Indexes:\t{status.get('completedIndexes') or '<none>'}")
    describe_template(out, spec.get("template"))
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()
