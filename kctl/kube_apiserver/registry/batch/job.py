"""Jobs: generated selector and labels, defaults, update rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import labels, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.batch.job_validation import validate_job_spec
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.field_checks import IMMUTABLE
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector, validate_labels
from kctl.kube_apiserver.registry.strategy import Context

UID_LABEL = "batch.kubernetes.io/controller-uid"
NAME_LABEL = "batch.kubernetes.io/job-name"
LEGACY_UID_LABEL = "controller-uid"
LEGACY_NAME_LABEL = "job-name"
_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")
MAX_INT32 = 2**31 - 1
_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set "
    "propagationPolicy=Orphan to suppress this warning"
)


def default_job_template_spec(spec: dict[str, Any]) -> None:
    """What holds in a CronJob's template too: the pods, and conditions of failure rules."""
    default_pod_template(spec.setdefault("template", {}))
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for pattern in rule.get("onPodConditions") or ():
            if not pattern.get("status"):
                pattern["status"] = "True"


class JobStrategy(rules.WorkloadStrategy):
    """The selector is made from the Job's uid unless `manualSelector` asks otherwise."""

    default_propagation_policy = "Orphan"
    unknown_field_message = 'field label "{}" not supported for Job'
    selectable_fields: Mapping[str, Callable[[Object], str]] = {
        "status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded") or 0)
    }

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_job_template_spec(spec)
        if spec.get("completions") is None and spec.get("parallelism") is None:
            spec["completions"] = 1
        if spec.get("parallelism") is None:
            spec["parallelism"] = 1
        if spec.get("backoffLimit") is None:
            spec["backoffLimit"] = 6 if spec.get("backoffLimitPerIndex") is None else MAX_INT32
        for field, value in (("completionMode", "NonIndexed"), ("suspend", False), ("manualSelector", False)):
            if spec.get(field) is None:
                spec[field] = value
        if spec.get("podReplacementPolicy") is None:
            failing = spec.get("podFailurePolicy") is not None
            spec["podReplacementPolicy"] = "Failed" if failing else "TerminatingOrFailed"
        _default_labels(obj)

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        spec, meta = obj["spec"], obj["metadata"]
        if spec.get("manualSelector"):
            return
        template_meta = spec["template"].setdefault("metadata", {})
        defaulted = bool(meta.get("labels")) and meta["labels"] is template_meta.get("labels")
        own = template_meta["labels"] = dict(template_meta.get("labels") or {})
        if defaulted:
            meta["labels"] = own
        for key in (LEGACY_NAME_LABEL, NAME_LABEL):
            own.setdefault(key, meta.get("name") or "")
        for key in (LEGACY_UID_LABEL, UID_LABEL):
            own.setdefault(key, meta.get("uid") or "")
        selector = dict(spec.get("selector") or {})
        selector["matchLabels"] = {UID_LABEL: meta.get("uid") or "", **(selector.get("matchLabels") or {})}
        spec["selector"] = selector
        _default_labels(obj)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec, meta = obj["spec"], obj["metadata"]
        errors = _generated_selector(obj) + _spec_errors(spec)
        if spec.get("completionMode") == "Indexed" and (spec.get("completions") or 0) > 0:
            name = f"{meta.get('name')}-{spec['completions'] - 1}"
            for problem in names.dns1123_label(name):
                why = f"will not able to create pod with invalid DNS label {fe.go_value(name)}: {problem}"
                errors.append(fe.invalid("metadata.name", meta.get("name"), why))
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        spec, before = obj["spec"], old["spec"]
        if spec == before:
            return []
        errors = self.validate(context, obj) + _spec_errors(spec)
        if not _elastic(spec, before):
            errors += _immutable(spec, before, "completions")
        errors += rules.immutable_selector(spec, before)
        errors += _template_update(spec, old)
        errors += _immutable(spec, before, "completionMode")
        errors += _immutable_policy(spec, before, "podFailurePolicy", "PodFailurePolicy")
        errors += _immutable(spec, before, "backoffLimitPerIndex") + _immutable(spec, before, "managedBy")
        return errors + _immutable_policy(spec, before, "successPolicy", "SuccessPolicy")

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return rules.status_counts(obj.get("status") or {}, *_COUNTS)

    def warnings_on_delete(self, context: Context, propagation_policy: str) -> list[str]:
        return [] if propagation_policy else [_ORPHANS]


def _default_labels(obj: Object) -> None:
    """Upstream defaults them when it reads a Job back from the store, so what would not be stored gets none. Until then they are the
    template's very own: what is added there belongs to the Job too."""
    own = rules.template_labels(obj["spec"].get("template"))
    if own and not obj["metadata"].get("labels") and not validate_labels(own, ""):
        obj["metadata"]["labels"] = own


def _spec_errors(spec: Mapping[str, Any]) -> list[FieldError]:
    """ValidateJobSpec: the rules of job templates, and the selector."""
    errors = validate_job_spec(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        return [*errors, fe.required("spec.selector")]
    malformed = validate_label_selector(selector, "spec.selector")
    errors += malformed
    own = rules.template_labels(spec.get("template"))
    if not malformed and not labels.from_label_selector(selector).matches(own):
        shown = dict(sorted(own.items())) or None
        errors.append(fe.invalid("spec.template.metadata.labels", shown, rules.MISMATCH))
    return errors


def _generated_selector(obj: Object) -> list[FieldError]:
    spec, meta = obj["spec"], obj["metadata"]
    if spec.get("manualSelector") or spec.get("selector") is None:
        return []
    uid, name = meta.get("uid") or "", meta.get("name") or ""
    own = rules.template_labels(spec.get("template"))
    errors: list[FieldError] = []
    for key, value in ((LEGACY_UID_LABEL, uid), (LEGACY_NAME_LABEL, name), (UID_LABEL, uid), (NAME_LABEL, name)):
        path = f"spec.template.metadata.labels[{key}]"
        if key not in own:
            errors.append(fe.required(path, f"must be '{value}'"))
        elif own[key] != value:
            errors.append(fe.invalid(path, dict(sorted(own.items())), f"must be '{value}'"))
    form = rules.selector_form(spec["selector"])
    if form not in ({"matchLabels": {UID_LABEL: uid}}, {"matchLabels": {LEGACY_UID_LABEL: uid}}):
        errors.append(fe.invalid("spec.selector", form, "`selector` not auto-generated"))
    return errors


def _elastic(spec: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """An indexed Job may be resized as long as completions and parallelism are one number."""
    same = spec.get("completions") == spec.get("parallelism") and spec.get("completions") is not None
    return spec.get("completionMode") == "Indexed" and before.get("completions") is not None and same


def _immutable(spec: Mapping[str, Any], before: Mapping[str, Any], field: str) -> list[FieldError]:
    if spec.get(field) == before.get(field):
        return []
    return [fe.invalid(f"spec.{field}", spec.get(field), IMMUTABLE)]


def _immutable_policy(spec: Mapping[str, Any], before: Mapping[str, Any], field: str, type_name: str) -> list[FieldError]:
    new = spec.get(field)
    if new == before.get(field):
        return []
    return [fe.invalid(f"spec.{field}", None if new is None else go_form(f"batch.v1.{type_name}", new), IMMUTABLE)]


def _template_update(spec: Mapping[str, Any], old: Object) -> list[FieldError]:
    """Immutable, but for scheduling directives of a Job that is suspended and has not started."""
    new, before = spec.get("template") or {}, old["spec"].get("template") or {}
    if new == before:
        return []
    suspended = old["spec"].get("suspend") and not (old.get("status") or {}).get("startTime")
    if suspended and _without_directives(new) == _without_directives(before):
        return []
    return [fe.invalid("spec.template", go_form("core.v1.PodTemplateSpec", new), IMMUTABLE)]


def _without_directives(template: Mapping[str, Any]) -> dict[str, Any]:
    meta = {k: v for k, v in (template.get("metadata") or {}).items() if k not in ("labels", "annotations")}
    pod = {k: v for k, v in (template.get("spec") or {}).items() if k not in _SCHEDULING}
    affinity = {k: v for k, v in (pod.pop("affinity", None) or {}).items() if k != "nodeAffinity"}
    return {"metadata": meta, "spec": {**pod, "affinity": affinity}}
