"""autoscaling/v1 and v2 HorizontalPodAutoscalers: v1 knows one CPU target, the rest travels in annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import bounds
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form

STORAGE_API_VERSION = "autoscaling/v2"
_V1 = "autoscaling/v1"
_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT = _PREFIX + "metrics", _PREFIX + "current-metrics"
BEHAVIOR, CONDITIONS = _PREFIX + "behavior", _PREFIX + "conditions"
_CONDITION_FIELDS = ("type", "status", "lastTransitionTime", "reason", "message")

Json = dict[str, Any]


def to_storage(obj: Object, api_version: str) -> Object:
    if api_version != _V1:
        return {**obj, "apiVersion": STORAGE_API_VERSION}
    meta = dict(obj.get("metadata") or {})
    notes = dict(meta.get("annotations") or {})
    kept = {key: notes.pop(key) for key in (METRICS, CURRENT, BEHAVIOR, CONDITIONS) if key in notes}
    if kept:
        meta["annotations"] = notes
        if not notes:
            del meta["annotations"]
    spec = dict(obj.get("spec") or {})
    target = spec.pop("targetCPUUtilizationPercentage", None)
    metrics = [_metric_from_v1(metric, "target") for metric in _loads(kept.get(METRICS)) or ()]
    if target is not None:
        metrics.append(_cpu({"type": "Utilization", "averageUtilization": target}, "target"))
    if metrics:
        spec["metrics"] = metrics
    behavior = _loads(kept.get(BEHAVIOR))
    if behavior:
        spec["behavior"] = {
            field: _rules_from_internal(behavior[name])
            for field, name in (("scaleUp", "ScaleUp"), ("scaleDown", "ScaleDown"))
            if behavior.get(name)
        }
    status = _status_to_storage(dict(obj.get("status") or {}), kept)
    return {**obj, "apiVersion": STORAGE_API_VERSION, "metadata": meta, "spec": spec, "status": status}


def _status_to_storage(status: Json, kept: Mapping[str, str]) -> Json:
    utilization = status.pop("currentCPUUtilizationPercentage", None)
    status.setdefault("desiredReplicas", 0)
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    current = [_metric_from_v1(metric, "current") for metric in _loads(kept.get(CURRENT)) or ()]
    if utilization is not None and not any((e.get("resource") or {}).get("name") == "cpu" for e in current):
        current.append(_cpu({"averageUtilization": utilization}, "current"))
    status["currentMetrics"] = current or None
    conditions = _loads(kept.get(CONDITIONS))
    if conditions:
        status["conditions"] = conditions
    return status


def from_storage(obj: Object, api_version: str) -> Object:
    if api_version != _V1:
        return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}
    meta, spec, status = dict(obj["metadata"]), dict(obj.get("spec") or {}), dict(obj.get("status") or {})
    notes = dict(meta.get("annotations") or {})
    others = []
    for metric in spec.pop("metrics", None) or ():
        cpu = metric.get("type") == "Resource" and (metric.get("resource") or {}).get("name") == "cpu"
        utilization = ((metric.get("resource") or {}).get("target") or {}).get("averageUtilization")
        if cpu and utilization is not None:
            spec["targetCPUUtilizationPercentage"] = utilization
        else:
            others.append(_metric_to_v1(metric, "target"))
    if others:
        notes[METRICS] = _dumps(others)
    current = status.pop("currentMetrics", None) or []
    for metric in current:
        if (metric.get("resource") or {}).get("name") == "cpu":
            utilization = (metric["resource"].get("current") or {}).get("averageUtilization")
            if utilization is not None:
                status["currentCPUUtilizationPercentage"] = utilization
    if current:
        notes[CURRENT] = _dumps([_metric_to_v1(metric, "current") for metric in current])
    behavior = spec.pop("behavior", None)
    if behavior:
        notes[BEHAVIOR] = _dumps(go_form("autoscaling.v2.HorizontalPodAutoscalerBehavior", behavior))
    conditions = status.pop("conditions", None)
    if conditions:
        notes[CONDITIONS] = _dumps([{f: c.get(f) for f in _CONDITION_FIELDS if f in c} for c in conditions])
    if notes:
        meta["annotations"] = notes
    status = {"currentReplicas": status.pop("currentReplicas", 0), "desiredReplicas": status.pop("desiredReplicas", 0), **status}
    return {**obj, "apiVersion": _V1, "metadata": meta, "spec": spec, "status": status}


def _loads(text: str | None) -> Any:
    if not text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if bounds.too_deep(value) else value


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _cpu(target: Json, field: str) -> Json:
    return {"type": "Resource", "resource": {"name": "cpu", field: target}}


def _clean(value: Json) -> Json:
    return {key: inner for key, inner in value.items() if inner is not None and inner != ""}


def _rules_from_internal(scaling: Json) -> Json:
    policies = [
        {"type": p.get("Type"), "value": p.get("Value"), "periodSeconds": p.get("PeriodSeconds")} for p in scaling.get("Policies") or ()
    ]
    return _clean(
        {
            "stabilizationWindowSeconds": scaling.get("StabilizationWindowSeconds"),
            "selectPolicy": scaling.get("SelectPolicy"),
            "policies": policies or None,
            "tolerance": scaling.get("Tolerance"),
        }
    )


def _metric_to_v1(metric: Json, field: str) -> Json:
    """`field` is target (spec) or current (status); the old names of the numbers begin with it."""
    result: Json = {"type": metric.get("type")}
    for kind in ("object", "pods", "resource", "containerResource", "external"):
        source = metric.get(kind)
        if source is not None:
            result[kind] = _source_to_v1(kind, source, field)
    return result


def _source_to_v1(kind: str, source: Json, field: str) -> Json:
    value, metric = source.get(field) or {}, source.get("metric") or {}
    average, utilization = value.get("averageValue"), value.get("averageUtilization")
    match kind:
        case "object":
            return _clean(
                {
                    "target": source.get("describedObject"),
                    "metricName": metric.get("name"),
                    f"{field}Value": value.get("value", "0"),
                    "selector": metric.get("selector"),
                    "averageValue": average,
                }
            )
        case "pods":
            name = {"metricName": metric.get("name"), f"{field}AverageValue": average}
            return _clean({**name, "selector": metric.get("selector")})
        case "external":
            name = {"metricName": metric.get("name"), "metricSelector": metric.get("selector")}
            return _clean({**name, f"{field}Value": value.get("value"), f"{field}AverageValue": average})
        case _:
            numbers = {f"{field}AverageUtilization": utilization, f"{field}AverageValue": average}
            return _clean({"name": source.get("name"), **numbers, "container": source.get("container")})


def _metric_from_v1(metric: Json, field: str) -> Json:
    result: Json = {"type": metric.get("type")}
    for kind in ("object", "pods", "resource", "containerResource", "external"):
        source = metric.get(kind)
        if source is not None:
            result[kind] = _source_from_v1(kind, source, field)
    return result


def _source_from_v1(kind: str, source: Json, field: str) -> Json:
    average = source.get(f"{field}AverageValue")
    if kind == "object":
        average = source.get("averageValue")
    value, utilization = source.get(f"{field}Value"), source.get(f"{field}AverageUtilization")
    if utilization is not None:
        form = "Utilization"
    else:
        form = "AverageValue" if average is not None else "Value"
    numbers = _clean({"averageUtilization": utilization, "averageValue": average, "value": value})
    if form == "AverageValue":
        numbers.pop("value", None)
    target = {**({"type": form} if field == "target" else {}), **numbers}
    if kind in ("resource", "containerResource"):
        return _clean({"name": source.get("name"), "container": source.get("container"), field: target})
    selector = source.get("metricSelector") if kind == "external" else source.get("selector")
    metric = _clean({"name": source.get("metricName"), "selector": selector})
    described = {"describedObject": source.get("target")} if kind == "object" else {}
    return {**described, "metric": metric, field: target}
