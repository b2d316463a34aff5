"""StatefulSets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.pod_claim_template import validate_claim_spec
from kctl.kube_apiserver.registry.core.pod_defaults import default_claim_spec, default_pod_template
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_FORBIDDEN = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_COUNTS = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "observedGeneration")
_ABOVE = "cannot be greater than status.replicas"


class StatefulSetStrategy(Strategy):
    """The name becomes a part of the pods' host names."""

    name_validator = "label"

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        for claim in spec.get("volumeClaimTemplates") or ():
            claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
            default_claim_spec(claim.setdefault("spec", {}))
            status = claim.setdefault("status", {})
            if not status.get("phase"):
                status["phase"] = "Pending"
        if not spec.get("podManagementPolicy"):
            spec["podManagementPolicy"] = "OrderedReady"
        strategy = spec.setdefault("updateStrategy", {})
        if not strategy.get("type"):
            strategy["type"] = "RollingUpdate"
            strategy.setdefault("rollingUpdate", {})
        rolling = strategy.get("rollingUpdate")
        if strategy["type"] == "RollingUpdate" and rolling is not None and rolling.get("partition") is None:
            rolling["partition"] = 0
        policy = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        for field in ("whenDeleted", "whenScaled"):
            if not policy.get(field):
                policy[field] = "Retain"
        if spec.get("replicas") is None:
            spec["replicas"] = 1
        if spec.get("revisionHistoryLimit") is None:
            spec["revisionHistoryLimit"] = 10

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = obj["spec"]
        errors = _policies(spec)
        errors += rules.non_negative(spec, "spec", "replicas", "minReadySeconds")
        errors += rules.non_negative(spec.get("ordinals") or {}, "spec.ordinals", "start")
        found, usable = rules.validate_selector(spec.get("selector"), "statefulset", "spec.selector", "")
        errors += found
        template = spec.get("template")
        if usable:
            errors += rules.selector_mismatch(spec.get("selector"), template, "spec.template")
            errors += validate_pod_template(_with_claims(template, spec), "spec.template")
        errors += rules.validate_always_running(template, "StatefulSet", "spec.template")
        for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
            errors += validate_claim_spec(claim.get("spec") or {}, f"spec.volumeClaimTemplates[{index}].spec")
        return errors + rules.non_negative(spec, "spec", "revisionHistoryLimit")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        spec, before = obj["spec"], old["spec"]
        if spec == before:
            return []
        errors = self.validate(context, obj)
        fixed = [{key: value for key, value in part.items() if key not in _MUTABLE} for part in (spec, before)]
        if fixed[0] != fixed[1]:
            return [fe.forbidden("spec", _FORBIDDEN)] if _only_fixed(errors) else [*errors, fe.forbidden("spec", _FORBIDDEN)]
        return errors

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        errors = rules.status_counts(status, *_COUNTS) + rules.collision_count(status, before)
        fields = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
        errors += rules.not_above(status, "replicas", _ABOVE, *fields)
        above = "cannot be greater than status.readyReplicas"
        return errors + rules.not_above(status, "readyReplicas", above, "availableReplicas")

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        warnings = template_warnings(obj["spec"].get("template"), "spec.template")
        if (obj["spec"].get("revisionHistoryLimit") or 0) < 0:
            keeps = "a negative value retains all historical revisions; a value >= 0 is recommended"
            warnings.append(f"spec.revisionHistoryLimit: {keeps}")
        return warnings

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource or obj["spec"].get("template") == old["spec"].get("template"):
            return []
        return self.warnings_on_create(context, obj)


def _only_fixed(errors: list[FieldError]) -> bool:
    """The template stays as it was stored, so a mismatch with a changed selector is not reported besides."""
    return all(error.field == "spec.template.metadata.labels" for error in errors)


def _policies(spec: Mapping[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    management = spec.get("podManagementPolicy") or ""
    if not management:
        errors.append(fe.required("spec.podManagementPolicy"))
    elif management not in ("OrderedReady", "Parallel"):
        errors.append(fe.invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"))
    errors += _strategy(spec.get("updateStrategy") or {}, "spec.updateStrategy")
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    for field in ("whenDeleted", "whenScaled"):
        errors += field_checks.enum(f"spec.persistentVolumeClaimRetentionPolicy.{field}", retention.get(field) or "", ("Retain", "Delete"))
    return errors


def _strategy(strategy: dict[str, Any], path: str) -> list[FieldError]:
    kind, rolling = strategy.get("type") or "", strategy.get("rollingUpdate")
    if not kind:
        return [fe.required(path)]
    if kind == "OnDelete":
        if rolling is None:
            return []
        form = go_form("apps.v1.RollingUpdateStatefulSetStrategy", rolling)
        return [fe.invalid(f"{path}.rollingUpdate", form, "only allowed for updateStrategy 'RollingUpdate'")]
    if kind != "RollingUpdate":
        form = go_form("apps.v1.StatefulSetUpdateStrategy", strategy)
        return [fe.invalid(path, form, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    here = f"{path}.rollingUpdate"
    errors = rules.non_negative(rolling, here, "partition")
    unavailable = rolling.get("maxUnavailable")
    if unavailable is not None:
        errors += rules.int_or_percent(unavailable, f"{here}.maxUnavailable")
        if rules.amount(unavailable) == 0:
            errors.append(fe.invalid(f"{here}.maxUnavailable", unavailable, "cannot be 0"))
        errors += rules.not_more_than_100_percent(unavailable, f"{here}.maxUnavailable")
    return errors


def _with_claims(template: Mapping[str, Any] | None, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The template with a volume for each claim template, as the controller will add them to the pods."""
    template = dict(template or {})
    pod = dict(template.get("spec") or {})
    volumes = pod.get("volumes") or []
    present = {volume.get("name") for volume in volumes}
    claims = [(claim.get("metadata") or {}).get("name") or "" for claim in spec.get("volumeClaimTemplates") or ()]
    added = [
        {"name": name, "persistentVolumeClaim": {"claimName": name}}
        for name in dict.fromkeys(claims)
        if name not in present and not names.dns1123_label(name)
    ]
    if added:
        pod["volumes"] = [*volumes, *added]
        template["spec"] = pod
    return template
