"""Table columns of the controllers of pods: apps, batch, autoscaling, replication controllers and pod templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from kctl.apimachinery import labels, objects, times
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, age, described

NONE = "<none>"
UNKNOWN = "<unknown>"
_CONTAINERS = Column("Containers", "Names of each container in the template.", priority=1)
_IMAGES = Column("Images", "Images referenced by each container in the template.", priority=1)
Row = Callable[[Object, datetime], list[Any]]


def _created(obj: Object, now: datetime) -> str:
    return age(objects.metadata(obj).get("creationTimestamp"), now)


def _template(template: Mapping[str, Any] | None) -> list[str]:
    """The containers cell and the images cell."""
    containers = ((template or {}).get("spec") or {}).get("containers") or ()
    return [",".join(c.get("name") or "" for c in containers), ",".join(c.get("image") or "" for c in containers)]


def _selector(selector: Mapping[str, Any] | None) -> str:
    return labels.format_selector(selector)


def _labels(pairs: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) if pairs else NONE


def _counts(status: Mapping[str, Any], *fields: str) -> list[int]:
    return [status.get(field) or 0 for field in fields]


def _deployment(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    numbers = _counts(status, "updatedReplicas", "availableReplicas")
    wide = [*_template(spec.get("template")), _selector(spec.get("selector"))]
    return [objects.name(obj), ready, *numbers, _created(obj, now), *wide]


def _replicaset(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    numbers = [spec.get("replicas") or 0, *_counts(status, "replicas", "readyReplicas")]
    wide = [*_template(spec.get("template")), _selector(spec.get("selector"))]
    return [objects.name(obj), *numbers, _created(obj, now), *wide]


def _replication_controller(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    numbers = [spec.get("replicas") or 0, *_counts(status, "replicas", "readyReplicas")]
    wide = [*_template(spec.get("template")), _labels(spec.get("selector"))]
    return [objects.name(obj), *numbers, _created(obj, now), *wide]


def _statefulset(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    return [objects.name(obj), ready, _created(obj, now), *_template(spec.get("template"))]


def _daemonset(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    numbers = _counts(
        status,
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    template = spec.get("template") or {}
    nodes = _labels((template.get("spec") or {}).get("nodeSelector"))
    return [
        objects.name(obj),
        *numbers,
        nodes,
        _created(obj, now),
        *_template(template),
        _selector(spec.get("selector")),
    ]


def _controller_revision(obj: Object, now: datetime) -> list[Any]:
    owner = objects.controller_of(obj)
    shown = NONE
    if owner is not None:
        group = str(owner.get("apiVersion") or "").rpartition("/")[0]
        kind = str(owner.get("kind") or "").lower()
        shown = f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"
    return [objects.name(obj), shown, obj.get("revision") or 0, _created(obj, now)]


_JOB_STATES = (
    ("Complete", "Complete"),
    ("Failed", "Failed"),
    ("", "Terminating"),
    ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"),
    ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)


def _job_state(obj: Object) -> str:
    for condition, shown in _JOB_STATES:
        if objects.is_condition_true(obj, condition) if condition else objects.deletion_timestamp(obj):
            return shown
    return "Running"


def _job(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    succeeded, parallelism = status.get("succeeded") or 0, spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    duration = ""
    if status.get("startTime"):
        end = times.parse(status["completionTime"]) if status.get("completionTime") else now
        duration = times.human_duration(end - times.parse(status["startTime"]))
    return [
        objects.name(obj),
        _job_state(obj),
        completions,
        duration,
        _created(obj, now),
        *_template(spec.get("template")),
        _selector(spec.get("selector")),
    ]


def _cronjob(obj: Object, now: datetime) -> list[Any]:
    spec, status = objects.spec(obj), objects.status(obj)
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    suspend = spec.get("suspend")
    last = status.get("lastScheduleTime")
    return [
        objects.name(obj),
        spec.get("schedule") or "",
        spec.get("timeZone") or NONE,
        "<unset>" if suspend is None else str(suspend),
        len(status.get("active") or ()),
        age(last, now) if last else NONE,
        _created(obj, now),
        *_template(job.get("template")),
        _selector(job.get("selector")),
    ]


def _metric(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    kind = spec.get("type") or ""
    field = kind[:1].lower() + kind[1:]
    source = spec.get(field)
    if source is None:
        return "<unknown type>"
    target, current = source.get("target") or {}, (status.get(field) or {}).get("current") or {}
    if kind in ("Resource", "ContainerResource"):
        if target.get("averageValue") is not None:
            return f"{source.get('name')}: {current.get('averageValue') or UNKNOWN}/{target['averageValue']}"
        wanted, present = target.get("averageUtilization"), current.get("averageUtilization")
        shown = "<auto>" if wanted is None else f"{wanted}%"
        return f"{source.get('name')}: {UNKNOWN if present is None else f'{present}%'}/{shown}"
    if kind == "Pods":
        return f"{current.get('averageValue') or UNKNOWN}/{target.get('averageValue')}"
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue') or UNKNOWN}/{target['averageValue']} (avg)"
    return f"{current.get('value') or UNKNOWN}/{target.get('value')}"


def _targets(specs: list[Any], statuses: list[Any]) -> str:
    if not specs:
        return NONE
    shown = [_metric(spec, statuses[i] if i < len(statuses) else {}) for i, spec in enumerate(specs)]
    text = ", ".join(shown[:2])
    return f"{text} + {len(shown) - 2} more..." if len(shown) > 2 else text


def _autoscaler(obj: Object, now: datetime) -> list[Any]:
    if obj.get("apiVersion") == "autoscaling/v1":
        from kctl.kube_apiserver.registry.autoscaling.conversion import to_storage

        obj = to_storage(obj, "autoscaling/v1")
    spec, status = objects.spec(obj), objects.status(obj)
    reference = spec.get("scaleTargetRef") or {}
    low = spec.get("minReplicas")
    return [
        objects.name(obj),
        f"{reference.get('kind')}/{reference.get('name')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        "<unset>" if low is None else str(low),
        spec.get("maxReplicas") or 0,
        status.get("currentReplicas") or 0,
        _created(obj, now),
    ]


def _pod_template(obj: Object, now: datetime) -> list[Any]:
    template = obj.get("template") or {}
    return [objects.name(obj), *_template(template), _labels((template.get("metadata") or {}).get("labels"))]


def _columns(row: Row, *columns: Column) -> Columns:
    return Columns((NAME, *columns), row)


COLUMNS: dict[str, Columns] = {
    "deployments.apps": _columns(
        _deployment,
        Column("Ready", "Number of the pod with ready state"),
        described("Up-to-date", "DeploymentStatus.updatedReplicas"),
        described("Available", "DeploymentStatus.availableReplicas"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "DeploymentSpec.selector", priority=1),
    ),
    "replicasets.apps": _columns(
        _replicaset,
        described("Desired", "ReplicaSetSpec.replicas", "integer"),
        described("Current", "ReplicaSetStatus.replicas", "integer"),
        described("Ready", "ReplicaSetStatus.readyReplicas", "integer"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "ReplicaSetSpec.selector", priority=1),
    ),
    "replicationcontrollers": _columns(
        _replication_controller,
        described("Desired", "ReplicationControllerSpec.replicas", "integer"),
        described("Current", "ReplicationControllerStatus.replicas", "integer"),
        described("Ready", "ReplicationControllerStatus.readyReplicas", "integer"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "ReplicationControllerSpec.selector", priority=1),
    ),
    "statefulsets.apps": _columns(_statefulset, Column("Ready", "Number of the pod with ready state"), AGE, _CONTAINERS, _IMAGES),
    "daemonsets.apps": _columns(
        _daemonset,
        described("Desired", "DaemonSetStatus.desiredNumberScheduled", "integer"),
        described("Current", "DaemonSetStatus.currentNumberScheduled", "integer"),
        described("Ready", "DaemonSetStatus.numberReady", "integer"),
        described("Up-to-date", "DaemonSetStatus.updatedNumberScheduled", "integer"),
        described("Available", "DaemonSetStatus.numberAvailable", "integer"),
        described("Node Selector", "PodSpec.nodeSelector"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "DaemonSetSpec.selector", priority=1),
    ),
    "controllerrevisions.apps": _columns(
        _controller_revision,
        Column("Controller", "Controller of the object"),
        described("Revision", "ControllerRevision.revision"),
        AGE,
    ),
    "jobs.batch": _columns(
        _job,
        Column("Status", "Status of the job."),
        described("Completions", "JobStatus.succeeded"),
        Column("Duration", "Time required to complete the job."),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "JobSpec.selector", priority=1),
    ),
    "cronjobs.batch": _columns(
        _cronjob,
        described("Schedule", "CronJobSpec.schedule"),
        described("Timezone", "CronJobSpec.timeZone"),
        described("Suspend", "CronJobSpec.suspend", "boolean"),
        described("Active", "CronJobStatus.active", "integer"),
        described("Last Schedule", "CronJobStatus.lastScheduleTime"),
        AGE,
        _CONTAINERS,
        _IMAGES,
        described("Selector", "JobSpec.selector", priority=1),
    ),
    "horizontalpodautoscalers.autoscaling": _columns(
        _autoscaler,
        described("Reference", "autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef"),
        described("Targets", "HorizontalPodAutoscalerSpec.metrics"),
        described("MinPods", "HorizontalPodAutoscalerSpec.minReplicas"),
        described("MaxPods", "autoscaling.v2.HorizontalPodAutoscalerSpec.maxReplicas"),
        described("Replicas", "autoscaling.v2.HorizontalPodAutoscalerStatus.currentReplicas"),
        AGE,
    ),
    "podtemplates": _columns(
        _pod_template,
        Column("Containers", "Names of each container in the template."),
        Column("Images", "Images referenced by each container in the template."),
        Column("Pod Labels", "The labels for the pod template."),
    ),
}
