"""Events: stored as core/v1, written through v1 and events.k8s.io/v1, whose rules differ."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_MAX_NAME, _MAX_NOTE = 128, 1024
_FIXED = (
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reason",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
)
_SHOWN = {"reportingComponent": "reportingController"}


def _involved(name: str) -> Any:
    return lambda obj: str((obj.get("involvedObject") or {}).get(name) or "")


def _source(obj: Object) -> str:
    return str((obj.get("source") or {}).get("component") or obj.get("reportingComponent") or "")


class EventStrategy(Strategy):
    allow_create_on_update = True
    has_generation = False
    changes_on_create = False
    selectable_fields = {
        **{
            f"involvedObject.{name}": _involved(name)
            for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reason": lambda obj: str(obj.get("reason") or ""),
        "reportingComponent": lambda obj: str(obj.get("reportingComponent") or ""),
        "source": _source,
        "type": lambda obj: str(obj.get("type") or ""),
    }

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        modern = context.resource.group == "events.k8s.io"
        errors = _common(obj, modern)
        if not modern:
            return errors
        errors += _series(obj)
        if not obj.get("eventTime"):
            errors.append(field_errors.required("eventTime"))
        if obj.get("type") not in ("Normal", "Warning"):
            errors.append(field_errors.invalid("type", "", f"has invalid value: {obj.get('type') or ''}"))
        for name in ("firstTimestamp", "lastTimestamp", "count"):
            if obj.get(name):
                errors.append(field_errors.invalid(name, "", "needs to be unset"))
        if any((obj.get("source") or {}).values()):
            errors.append(field_errors.invalid("source", "", "needs to be unset"))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        modern = context.resource.group == "events.k8s.io"
        errors = _common(obj, modern)
        if not modern:
            return errors
        if obj.get("series") != old.get("series"):
            errors += _series(obj)
        for name in _FIXED:
            errors += field_checks.immutable(_SHOWN.get(name, name), obj.get(name), old.get(name))
        return errors


def _common(obj: Object, modern: bool) -> list[FieldError]:
    namespace = objects.namespace(obj)
    involved = (obj.get("involvedObject") or {}).get("namespace") or ""
    timed = bool(obj.get("eventTime"))
    allowed = ("default", "kube-system") if timed else ("", "default")
    errors: list[FieldError] = []
    if (not involved and namespace not in allowed) or (involved and involved != namespace and not timed):
        errors.append(field_errors.invalid("involvedObject.namespace", involved, "does not match event.namespace"))
    if timed:
        errors += _reported(obj, modern)
    for problem in names.namespace_problems(namespace, names.dns1123_subdomain):
        errors.append(field_errors.invalid("namespace", namespace, problem))
    return errors


def _reported(obj: Object, modern: bool) -> list[FieldError]:
    """What an event that has an eventTime must say."""
    controller, value = "reportingController" if modern else "reportingComponent", obj.get("reportingComponent") or ""
    errors = field_checks.required(controller, value) + names.errors(controller, value, names.qualified_name)
    for name in ("reportingInstance", "action", "reason"):
        value = obj.get(name) or ""
        errors += field_checks.required(name, value)
        if len(value) > _MAX_NAME:
            errors.append(field_errors.invalid(name, "", f"can have at most {_MAX_NAME} characters"))
    if len(obj.get("message") or "") > _MAX_NOTE:
        errors.append(field_errors.invalid("message", "", f"can have at most {_MAX_NOTE} characters"))
    return errors


def _series(obj: Object) -> list[FieldError]:
    series = obj.get("series")
    if series is None:
        return []
    errors: list[FieldError] = []
    if (series.get("count") or 0) < 2:
        errors.append(field_errors.invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        errors.append(field_errors.required("series.lastObservedTime"))
    return errors


STRATEGY = EventStrategy()
