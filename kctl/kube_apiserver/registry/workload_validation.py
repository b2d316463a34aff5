"""Rules that workload controllers share: selectors against template labels, templates, rollout numbers, status counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import go_numbers, labels, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import json_form
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.field_checks import IMMUTABLE, NOT_NEGATIVE
from kctl.kube_apiserver.registry.label_selector_validation import is_empty, validate_label_selector
from kctl.kube_apiserver.registry.rules.checks import non_negative as not_negative
from kctl.kube_apiserver.registry.rules.language import Checked, Field, Struct, field, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

MISMATCH = "`selector` does not match template `labels`"

Spec = Mapping[str, Any]


def non_negative(spec: Spec, path: str, *fields: str) -> list[FieldError]:
    """Each of the fields, absent ones counting as 0."""
    return [fe.invalid(f"{path}.{field}" if path else field, spec[field], NOT_NEGATIVE) for field in fields if (spec.get(field) or 0) < 0]


def selector_form(selector: Spec | None) -> dict[str, Any] | None:
    return None if selector is None else json_form("LabelSelector", selector)


def template_labels(template: Spec | None) -> Mapping[str, str]:
    return ((template or {}).get("metadata") or {}).get("labels") or {}


def selector_mismatch(selector: Spec | None, template: Spec | None, path: str) -> list[FieldError]:
    """The template's labels must satisfy a valid selector; one that selects everything is reported elsewhere."""
    if selector is not None and is_empty(selector):
        return []
    own = template_labels(template)
    if labels.from_label_selector(selector).matches(own):
        return []
    return [fe.invalid(f"{path}.metadata.labels", dict(sorted(own.items())) or None, MISMATCH)]


def validate_selector(selector: Spec | None, kind: str, path: str, invalid_detail: str | None) -> tuple[list[FieldError], bool]:
    """(errors, usable): required, well-formed, not empty. `kind` is the word of the empty-selector message,
    `invalid_detail` that of the additional error for one that cannot be used."""
    if selector is None:
        return [fe.required(path)], True
    errors = validate_label_selector(selector, path)
    usable = not errors
    if is_empty(selector):
        errors.append(fe.invalid(path, {}, f"empty selector is invalid for {kind}"))
    if not usable and invalid_detail is not None:
        errors.append(fe.invalid(path, selector_form(selector), invalid_detail))
    return errors, usable


def validate_template(template: Spec | None, replicas: int, controller: str, path: str) -> list[FieldError]:
    """A template whose pods restart always and run without a deadline; `controller` is the word of the message."""
    errors = validate_pod_template(template, path)
    if replicas > 1:
        errors += read_only_disks(template, path)
    return errors + validate_always_running(template, controller, path)


def validate_always_running(template: Spec | None, controller: str, path: str) -> list[FieldError]:
    spec = (template or {}).get("spec") or {}
    errors: list[FieldError] = []
    policy = spec.get("restartPolicy") or ""
    if policy != "Always":
        errors.append(fe.unsupported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {controller} is not Supported"
        errors.append(fe.forbidden(f"{path}.spec.activeDeadlineSeconds", why))
    return errors


def read_only_disks(template: Spec | None, path: str) -> list[FieldError]:
    why = "must be true for replicated pods > 1; GCE PD can only be mounted on multiple machines if it is read-only"
    return [
        fe.invalid(f"{path}.spec.volumes[{index}].gcePersistentDisk.readOnly", False, why)
        for index, volume in enumerate(((template or {}).get("spec") or {}).get("volumes") or ())
        if volume.get("gcePersistentDisk") is not None and not volume["gcePersistentDisk"].get("readOnly")
    ]


def int_or_percent(value: Any, path: str) -> list[FieldError]:
    """ValidatePositiveIntOrPercent."""
    if isinstance(value, str):
        return names.errors(path, value, names.percent)
    return [fe.invalid(path, value, NOT_NEGATIVE)] if (value or 0) < 0 else []


def not_more_than_100_percent(value: Any, path: str) -> list[FieldError]:
    if isinstance(value, str) and not names.percent(value) and (go_numbers.saturated(value[:-1]) or 0) > 100:
        return [fe.invalid(path, value, "must not be greater than 100%")]
    return []


def amount(value: Any) -> int:
    """The number of an int-or-percent, whatever it counts (getIntOrPercentValue)."""
    if isinstance(value, str):
        return go_numbers.saturated(value.removesuffix("%")) or 0
    return int(value or 0)


def immutable_selector(new: Spec, old: Spec, path: str = "spec.selector") -> list[FieldError]:
    form = selector_form(new.get("selector"))
    return [] if form == selector_form(old.get("selector")) else [fe.invalid(path, form, IMMUTABLE)]


def status_counts(status: Spec, *fields: str) -> list[FieldError]:
    return non_negative(status, "status", *fields)


def not_above(status: Spec, bound: str, detail: str, *fields: str) -> list[FieldError]:
    """Counts that may not exceed another count."""
    limit, counts = status.get(bound) or 0, {field: status.get(field) or 0 for field in fields}
    return [fe.invalid(f"status.{field}", count, detail) for field, count in counts.items() if count > limit]


def collision_count(new: Spec, old: Spec) -> list[FieldError]:
    count, before = new.get("collisionCount"), old.get("collisionCount")
    errors = non_negative(new, "status", "collisionCount") if count is not None else []
    if before is not None and (count is None or count < before):
        errors.append(fe.invalid("status.collisionCount", count, "cannot be decremented"))
    return errors


def name_warnings(meta: Mapping[str, Any]) -> list[str]:
    """Pods are named after their controller, and hosts after their pods."""
    problems = names.dns1123_label(meta.get("name") or "")
    if not problems:
        return []
    return [
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is "
        f"recommended: [{' '.join(problems)}]"
    ]


def counts(*names: str) -> Field:
    """A status whose counts are not negative."""
    return field("status", struct(*(field(name, not_negative) for name in names)))


def rolling_defaults(defaults: Mapping[str, Any]) -> Struct:
    """Of an update strategy: RollingUpdate with these parameters, unless it says otherwise."""

    def fill(strategy: Any) -> None:
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.update({name: value for name, value in defaults.items() if rolling.get(name) is None})

    return struct(field("type", default="RollingUpdate"), Checked(lambda *_: None, {}, fill))


class WorkloadStrategy(RuledStrategy):
    """A kind with a pod template in spec.template, whose defaults and warnings it passes on; `names_pods` after itself.

    An update that leaves the spec alone is not checked, and no update changes the selector.
    """

    names_pods: bool = True

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        default_pod_template(obj["spec"].setdefault("template", {}))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        if obj["spec"] == old["spec"]:
            return []
        return self.validate(context, obj) + immutable_selector(obj["spec"], old["spec"])

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        own = name_warnings(obj["metadata"]) if self.names_pods else []
        return own + template_warnings(obj["spec"].get("template"), "spec.template")

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"].get("template") == old["spec"].get("template"):
            return []
        return template_warnings(obj["spec"].get("template"), "spec.template")
