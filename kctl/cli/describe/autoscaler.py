"""`kctl describe hpa`: what is measured and aimed at, and how fast it may scale."""

from __future__ import annotations

from datetime import datetime

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.cli.describe.events import describe_events, events_of
from kctl.cli.describe.values import long_time, or_unset
from kctl.cli.describe.writer import Writer, write_annotations, write_labels
from kctl.client.client import Client


async def describe_autoscaler(client: Client, obj: Object, now: datetime, show_events: bool) -> str:
    if obj.get("apiVersion") == "autoscaling/v1":
        obj = await client.get(built_in("autoscaling/v2", "HorizontalPodAutoscaler"), objects.name(obj), objects.namespace(obj))
    out = Writer()
    meta, spec, status = objects.metadata(obj), objects.spec(obj), objects.status(obj)
    target = spec.get("scaleTargetRef") or {}
    out.line(0, f"Name:\t{meta['name']}")
    out.line(0, f"Namespace:\t{meta['namespace']}")
    write_labels(out, "Labels", meta.get("labels"))
    write_annotations(out, "Annotations", meta.get("annotations"))
    out.line(0, f"CreationTimestamp:\t{long_time(meta.get('creationTimestamp'))}")
    out.line(0, f"Reference:\t{target.get('kind', '')}/{target.get('name', '')}")
    out.line(0, "Metrics:\t( current / target )")
    current = status.get("currentMetrics") or []
    for number, metric in enumerate(spec.get("metrics") or ()):
        _metric(out, metric, current[number] if number < len(current) and current[number] else {})
    out.line(0, f"Min replicas:\t{or_unset(spec.get('minReplicas'))}")
    out.line(0, f"Max replicas:\t{spec.get('maxReplicas', 0)}")
    behavior = spec.get("behavior")
    if behavior is not None:
        out.line(0, "Behavior:")
        _direction(out, "Scale Up", behavior.get("scaleUp"))
        _direction(out, "Scale Down", behavior.get("scaleDown"))
    counts = f"{status.get('currentReplicas', 0)} current / {status.get('desiredReplicas', 0)} desired"
    out.line(0, f"{target.get('kind', '')} pods:\t{counts}")
    if status.get("conditions"):
        out.raw("Conditions:\n  Type\tStatus\tReason\tMessage\n  ----\t------\t------\t-------\n")
        for condition in status["conditions"]:
            out.line(1, f"{condition['type']}\t{condition['status']}\t{condition.get('reason', '')}\t{condition.get('message', '')}")
    if show_events:
        describe_events(out, await events_of(client, obj), now)
    return out.text()


_FIELDS = {"External": "external", "Pods": "pods", "Object": "object", "Resource": "resource", "ContainerResource": "containerResource"}


def _metric(out: Writer, metric: Object, current: Object) -> None:
    kind = metric.get("type", "")
    field = _FIELDS.get(kind)
    if field is None:
        out.line(1, f'<unknown metric type "{kind}">')
        return
    source, now = metric.get(field) or {}, (current.get(field) or {}).get("current") or {}
    target = source.get("target") or {}
    name = (source.get("metric") or {}).get("name", "")
    average = target.get("averageValue")
    if kind in ("Resource", "ContainerResource"):
        where = f' of container "{source.get("container", "")}"' if kind == "ContainerResource" else ""
        _resource(out, f"resource {source.get('name', '')}{where} on pods", target, now)
    elif kind == "Pods":
        out.line(1, f'"{name}" on pods:\t{now.get("averageValue", "<unknown>")} / {average}')
    else:
        what = source.get("describedObject") or {}
        on = f" on {what.get('kind', '')}/{what.get('name', '')}" if kind == "Object" else ""
        averaged = target.get("type") == "AverageValue" if kind == "Object" else average is not None
        field, title = ("averageValue", "target average value") if averaged else ("value", "target value")
        out.line(1, f'"{name}"{on} ({title}):\t{now.get(field, "<unknown>")} / {target.get(field, "0")}')


def _resource(out: Writer, title: str, target: Object, now: Object) -> None:
    if target.get("averageValue") is not None:
        out.line(1, f"{title}:\t{now.get('averageValue', '<unknown>')} / {target['averageValue']}")
        return
    current = "<unknown>"
    if now.get("averageUtilization") is not None:
        current = f"{now['averageUtilization']}% ({now.get('averageValue', '0')})"
    wanted = target.get("averageUtilization")
    out.line(1, f"{title}  (as a percentage of request):\t{current} / {'<auto>' if wanted is None else f'{wanted}%'}")


def _direction(out: Writer, title: str, rules: Object | None) -> None:
    if rules is None:
        return
    out.line(1, f"{title}:")
    if rules.get("stabilizationWindowSeconds") is not None:
        out.line(2, f"Stabilization Window: {rules['stabilizationWindowSeconds']} seconds")
    policies = rules.get("policies") or ()
    if policies:
        out.line(2, f"Select Policy: {rules.get('selectPolicy') or 'Max'}")
        out.line(2, "Policies:")
    for policy in policies:
        out.line(3, f"- Type: {policy['type']}\tValue: {policy['value']}\tPeriod: {policy['periodSeconds']} seconds")
