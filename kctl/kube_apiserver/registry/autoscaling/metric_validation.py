"""Rules of an autoscaler's metrics: the type says which one source there must be, each source has its own targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.rules.checks import at_least, given
from kctl.kube_apiserver.registry.rules.language import Struct, each, field, pointer, struct

_FIELDS = {name[0].upper() + name[1:]: name for name in ("containerResource", "external", "object", "pods", "resource")}
_PER_POD = "must set either a target value for metric or a per-pod target"
_RAW = "must set either a target raw value or a target utilization"


def _positive(amount: Any, path: str) -> list[FieldError]:
    return [] if quantity.parse(amount) > 0 else [fe.invalid(path, quantity.canonical(amount), "must be positive")]


def _target_type(kind: str) -> list[str]:
    return [] if kind in ("Utilization", "Value", "AverageValue") else ["must be either Utilization, Value, or AverageValue"]


def _either(first: str, second: str, reported: str, missing: str, both: str = "", refused: str = "") -> Callable[..., list[FieldError]]:
    """Of a source: its target has one of two amounts."""

    def check(source: Any, path: str) -> list[FieldError]:
        present = given(source.get("target") or {}, (first, second))
        if not present:
            return [fe.required(f"{path}.target.{reported}", missing)]
        return [fe.forbidden(f"{path}.target.{refused}", both)] if both and len(present) == 2 else []

    return check


def _positive_average(source: Any, path: str) -> list[FieldError]:
    average = (source.get("target") or {}).get("averageValue")
    if average is not None and quantity.parse(average) > 0:
        return []
    return [fe.required(f"{path}.target.averageValue", "must specify a positive target averageValue")]


REFERENCE = struct(field("kind", names.path_segment_name, required=True), field("name", names.path_segment_name, required=True))
"""A CrossVersionObjectReference."""
_TARGET = field(
    "target",
    struct(
        field("type", required="must specify a metric target type"),
        field("type", _target_type),
        pointer("value", _positive),
        pointer("averageValue", _positive),
        pointer("averageUtilization", at_least(1, "must be greater than 0")),
    ),
)
_METRIC_NAME = field("metric", struct(field("name", names.path_segment_name, required="must specify a metric name")))
_RESOURCE_NAME = field("name", required="must specify a resource name")
_BOTH_RAW = "may not set both a target raw value and a target utilization"
_RAW_OR_UTILIZATION = _either("averageUtilization", "averageValue", "averageUtilization", _RAW, _BOTH_RAW, "averageValue")
_NOT_BOTH = "may not set both a target value for metric and a per-pod target"
_SOURCES: dict[str, Struct] = {
    "object": struct(
        field("describedObject", REFERENCE), _METRIC_NAME, _TARGET, _either("value", "averageValue", "averageValue", _PER_POD)
    ),
    "external": struct(_METRIC_NAME, _TARGET, _either("value", "averageValue", "averageValue", _PER_POD, _NOT_BOTH, "value")),
    "pods": struct(_METRIC_NAME, _TARGET, _positive_average),
    "resource": struct(_RESOURCE_NAME, _TARGET, _RAW_OR_UTILIZATION),
    "containerResource": struct(_RESOURCE_NAME, field("container", required="must specify a container"), _TARGET, _RAW_OR_UTILIZATION),
}


def _source(metric: Any, path: str) -> list[FieldError]:
    """Upstream finds an unknown type twice, and looks into the first source there is."""
    kind, present = metric.get("type") or "", [name for name in _SOURCES if metric.get(name)]
    errors = [fe.unsupported(f"{path}.type", kind, tuple(_FIELDS))] * 2 if kind and kind not in _FIELDS else []
    if present:
        errors += _SOURCES[present[0]].errors_at(metric[present[0]], f"{path}.{present[0]}")
    expected = _FIELDS.get(kind, "")
    if expected and expected not in present:
        errors.append(fe.required(f"{path}.{expected}", "must populate information for the given metric source"))
    others = sorted(name for name in present if name != expected) if expected and len(present) > 1 else ()
    return errors + [fe.forbidden(f"{path}.{name}", "must populate the given metric source only") for name in others]


METRICS = each(struct(field("type", required="must specify a metric source type"), _source))
