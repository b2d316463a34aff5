"""CronJobs."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kctl.apimachinery import cron
from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.batch.job import default_job_template_spec
from kctl.kube_apiserver.registry.batch.job_validation import validate_job_spec
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_POLICIES = enums.of("CronJobSpec.concurrencyPolicy")
_TEMPLATE = "spec.jobTemplate.spec"
_ZONE_IN_SCHEDULE = (
    "CRON_TZ or TZ used in spec.schedule is not officially supported, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)


class CronJobStrategy(Strategy):
    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_job_template_spec(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))
        if not spec.get("concurrencyPolicy"):
            spec["concurrencyPolicy"] = "Allow"
        for field, value in (("suspend", False), ("successfulJobsHistoryLimit", 3), ("failedJobsHistoryLimit", 1)):
            if spec.get(field) is None:
                spec[field] = value

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = self._spec_errors(obj, allow_zone=False)
        name = obj["metadata"].get("name") or ""
        if len(name) > 52:
            errors.append(fe.invalid("metadata.name", name, "must be no more than 52 characters"))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if obj["spec"] == old["spec"]:
            return []
        return self._spec_errors(obj, allow_zone="TZ" in (old["spec"].get("schedule") or ""))

    def _spec_errors(self, obj: Object, *, allow_zone: bool) -> list[FieldError]:
        spec = obj["spec"]
        schedule, zone = spec.get("schedule") or "", spec.get("timeZone")
        errors = _schedule(schedule, zone, allow_zone) if schedule else [fe.required("spec.schedule")]
        errors += rules.non_negative(spec, "spec", "startingDeadlineSeconds")
        errors += _time_zone(zone, "spec.timeZone")
        errors += field_checks.required_enum("spec.concurrencyPolicy", spec.get("concurrencyPolicy") or "", _POLICIES)
        job = (spec.get("jobTemplate") or {}).get("spec") or {}
        errors += validate_job_spec(job, _TEMPLATE)
        if job.get("selector") is not None:
            form = rules.selector_form(job["selector"])
            errors.append(fe.invalid(f"{_TEMPLATE}.selector", form, "`selector` will be auto-generated"))
        if job.get("manualSelector"):
            errors.append(fe.unsupported(f"{_TEMPLATE}.manualSelector", True, ("nil", "false")))
        return errors + rules.non_negative(spec, "spec", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")

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


def _schedule(schedule: str, zone: str | None, allow_zone: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    try:
        cron.parse(schedule)
    except cron.ScheduleError as error:
        errors.append(fe.invalid("spec.schedule", schedule, str(error)))
    if "TZ" in schedule and zone is not None:
        why = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        errors.append(fe.invalid("spec.schedule", schedule, why))
    elif "TZ" in schedule and not allow_zone:
        why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        errors.append(fe.invalid("spec.schedule", schedule, why))
    return errors


def _time_zone(zone: str | None, path: str) -> list[FieldError]:
    if zone is None:
        return []
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
