"""Validation of an autoscaler's metrics: the type says which one source there must be, each source has its own targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError

Spec = Mapping[str, Any]
_FIELDS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_PER_POD = "must set either a target value for metric or a per-pod target"


def validate_metrics(metrics: Sequence[Spec], min_replicas: int | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, metric in enumerate(metrics):
        errors += _metric(metric, f"{path}[{index}]")
    if min_replicas == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        errors.append(fe.forbidden(path, why))
    return errors


def _metric(metric: Spec, path: str) -> list[FieldError]:
    kind = metric.get("type") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(fe.required(f"{path}.type", "must specify a metric source type"))
    if kind and kind not in _FIELDS:
        errors.append(fe.unsupported(f"{path}.type", kind, tuple(_FIELDS)))
    present = [field for field in ("object", "external", "pods", "resource", "containerResource") if metric.get(field)]
    if kind and kind not in _FIELDS:
        errors.append(fe.unsupported(f"{path}.type", kind, tuple(_FIELDS)))
    if present:
        errors += _SOURCES[present[0]](metric[present[0]], f"{path}.{present[0]}")
    expected = _FIELDS.get(kind, "")
    if expected and expected not in present:
        errors.append(fe.required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) > 1 and expected:
        others = sorted(field for field in present if field != expected)
        errors += [fe.forbidden(f"{path}.{field}", "must populate the given metric source only") for field in others]
    return errors


def _identifier(source: Spec, path: str) -> list[FieldError]:
    name = (source.get("metric") or {}).get("name") or ""
    if not name:
        return [fe.required(f"{path}.metric.name", "must specify a metric name")]
    return names.errors(f"{path}.metric.name", name, names.path_segment_name)


def _target(source: Spec, path: str) -> list[FieldError]:
    target, here = source.get("target") or {}, f"{path}.target"
    kind = target.get("type") or ""
    errors: list[FieldError] = []
    if not kind:
        errors.append(fe.required(f"{here}.type", "must specify a metric target type"))
    if kind not in ("Utilization", "Value", "AverageValue"):
        errors.append(fe.invalid(f"{here}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for field in ("value", "averageValue"):
        amount = target.get(field)
        if amount is not None and quantity.parse(amount) <= 0:
            errors.append(fe.invalid(f"{here}.{field}", quantity.canonical(amount), "must be positive"))
    utilization = target.get("averageUtilization")
    if utilization is not None and utilization < 1:
        errors.append(fe.invalid(f"{here}.averageUtilization", utilization, "must be greater than 0"))
    return errors


def _object(source: Spec, path: str) -> list[FieldError]:
    from kctl.kube_apiserver.registry.autoscaling.horizontal_pod_autoscaler import validate_reference

    errors = validate_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    errors += _identifier(source, path) + _target(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        errors.append(fe.required(f"{path}.target.averageValue", _PER_POD))
    return errors


def _external(source: Spec, path: str) -> list[FieldError]:
    errors = _identifier(source, path) + _target(source, path)
    target = source.get("target") or {}
    if target.get("value") is None and target.get("averageValue") is None:
        errors.append(fe.required(f"{path}.target.averageValue", _PER_POD))
    if target.get("value") is not None and target.get("averageValue") is not None:
        why = "may not set both a target value for metric and a per-pod target"
        errors.append(fe.forbidden(f"{path}.target.value", why))
    return errors


def _pods(source: Spec, path: str) -> list[FieldError]:
    errors = _identifier(source, path) + _target(source, path)
    average = (source.get("target") or {}).get("averageValue")
    if average is None or quantity.parse(average) <= 0:
        errors.append(fe.required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    return errors


def _resource(source: Spec, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [fe.required(f"{path}.name", "must specify a resource name")]
    return errors + _raw_or_utilization(source, path)


def _container_resource(source: Spec, path: str) -> list[FieldError]:
    errors = [] if source.get("name") else [fe.required(f"{path}.name", "must specify a resource name")]
    if not source.get("container"):
        errors.append(fe.required(f"{path}.container", "must specify a container"))
    return errors + _raw_or_utilization(source, path)


def _raw_or_utilization(source: Spec, path: str) -> list[FieldError]:
    errors = _target(source, path)
    target = source.get("target") or {}
    utilization, average = target.get("averageUtilization"), target.get("averageValue")
    if utilization is None and average is None:
        why = "must set either a target raw value or a target utilization"
        errors.append(fe.required(f"{path}.target.averageUtilization", why))
    if utilization is not None and average is not None:
        why = "may not set both a target raw value and a target utilization"
        errors.append(fe.forbidden(f"{path}.target.averageValue", why))
    return errors


_SOURCES: dict[str, Callable[[Spec, str], list[FieldError]]] = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}
