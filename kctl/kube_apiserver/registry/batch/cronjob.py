"""CronJobs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kctl.apimachinery import cron
from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.batch.job import default_job_template_spec
from kctl.kube_apiserver.registry.batch.job_validation import validate_job_spec
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_TEMPLATE = "spec.jobTemplate.spec"
_ZONE_IN_SCHEDULE = (
    "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


def _schedule(schedule: str, path: str) -> list[FieldError]:
    try:
        cron.parse(schedule)
    except cron.ScheduleError as error:
        return [fe.invalid(path, schedule, str(error))]
    return []


def _one_zone(spec: Any, path: str) -> list[FieldError]:
    schedule = spec.get("schedule") or ""
    if "TZ" not in schedule or spec.get("timeZone") is None:
        return []
    return [fe.invalid(f"{path}.schedule", schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule")]


def _no_zone_in_schedule(spec: Any, path: str) -> list[FieldError]:
    schedule = spec.get("schedule") or ""
    if "TZ" not in schedule or spec.get("timeZone") is not None:
        return []
    return [fe.invalid(f"{path}.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")]


def _time_zone(zone: str, path: str) -> list[FieldError]:
    if not zone:
        return [fe.invalid(path, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [fe.invalid(path, zone, why)]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [fe.invalid(path, zone, f"unknown time zone {zone}")]
    return []


def _no_selector(selector: Any, path: str) -> list[FieldError]:
    return [fe.invalid(path, rules.selector_form(selector), "`selector` will be auto-generated")]


_JOB = struct(
    validate_job_spec,
    pointer("selector", _no_selector),
    optional("manualSelector", lambda value, path: [fe.unsupported(path, value, ("nil", "false"))]),
)
_SCHEDULE = (field("schedule", _schedule, required=True), _one_zone)
_REST = (
    field("startingDeadlineSeconds", non_negative),
    pointer("timeZone", _time_zone),
    field("concurrencyPolicy", required=True, enum=enums.of("CronJobSpec.concurrencyPolicy"), default="Allow"),
    field("jobTemplate", struct(field("spec", _JOB))),
    pointer("suspend", default=False),
    pointer("successfulJobsHistoryLimit", non_negative, default=3),
    pointer("failedJobsHistoryLimit", non_negative, default=1),
)
_SPEC, _SPEC_WITH_ZONE = struct(*_SCHEDULE, _no_zone_in_schedule, *_REST), struct(*_SCHEDULE, *_REST)


def _short_name(obj: Object, path: str) -> list[FieldError]:
    name = obj["metadata"].get("name") or ""
    return [fe.invalid("metadata.name", name, "must be no more than 52 characters")] if len(name) > 52 else []


class CronJobStrategy(RuledStrategy):
    rules = struct(field("spec", _SPEC, default={}), _short_name)

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        default_job_template_spec(obj["spec"].setdefault("jobTemplate", {}).setdefault("spec", {}))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        """A time zone in the schedule is kept where there was one."""
        if obj["spec"] == old["spec"]:
            return []
        return (_SPEC_WITH_ZONE if "TZ" in (old["spec"].get("schedule") or "") else _SPEC).errors_at(obj["spec"], "spec")

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        warnings = rules.name_warnings(obj["metadata"]) + template_warnings(_pods(obj), f"{_TEMPLATE}.template")
        if "TZ" in (obj["spec"].get("schedule") or ""):
            warnings.append(_ZONE_IN_SCHEDULE)
        return warnings

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"] == old["spec"]:
            return []
        return self.warnings_on_create(context, obj)


def _pods(obj: Object) -> Object:
    return ((obj["spec"].get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
