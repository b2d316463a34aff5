"""StatefulSets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import workload_validation as rules
from kctl.kube_apiserver.registry.core.claim_rules import CLAIM_SPEC, requests
from kctl.kube_apiserver.registry.core.pod_defaults import default_claim_spec
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import resource_warnings, template_warnings
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import Checked, each, field, optional, pointer, struct
from kctl.kube_apiserver.registry.strategy import Context

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


def _management(policy: str) -> list[str]:
    return [] if policy in ("OrderedReady", "Parallel") else ["must be 'OrderedReady' or 'Parallel'"]


def _fill_strategy(strategy: Any) -> None:
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    rolling = strategy.get("rollingUpdate")
    if strategy["type"] == "RollingUpdate" and rolling is not None and rolling.get("partition") is None:
        rolling["partition"] = 0


def _update_strategy(strategy: Any, path: str) -> list[FieldError]:
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
    return [] if rolling is None else _ROLLING.errors_at(rolling, f"{path}.rollingUpdate")


def _unavailable(value: Any, path: str) -> list[FieldError]:
    errors = rules.int_or_percent(value, path)
    if rules.amount(value) == 0:
        errors.append(fe.invalid(path, value, "cannot be 0"))
    return errors + rules.not_more_than_100_percent(value, path)


def _selector(spec: Any, path: str) -> list[FieldError]:
    return rules.validate_selector(spec.get("selector"), "statefulset", f"{path}.selector", "")[0]


def _template(spec: Any, path: str) -> list[FieldError]:
    """The selector, and where it is usable the template."""
    selector, template = spec.get("selector"), spec.get("template")
    errors, usable = rules.validate_selector(selector, "statefulset", f"{path}.selector", "")
    if usable:
        errors += rules.selector_mismatch(selector, template, f"{path}.template")
        errors += validate_pod_template(_with_claims(template, spec), f"{path}.template")
    return errors


def _running(spec: Any, path: str) -> list[FieldError]:
    return rules.validate_always_running(spec.get("template"), "StatefulSet", f"{path}.template")


_ROLLING = struct(field("partition", non_negative), pointer("maxUnavailable", _unavailable))
_RETENTION = struct(*(field(name, enum=("Retain", "Delete"), default="Retain") for name in ("whenDeleted", "whenScaled")))
_POLICIES = (
    field("podManagementPolicy", _management, required=True, default="OrderedReady"),
    field("updateStrategy", _update_strategy, Checked(lambda *_: None, {}, _fill_strategy), default={}, zero={}),
    field("persistentVolumeClaimRetentionPolicy", _RETENTION, default={}),
)
_NUMBERS = (
    pointer("replicas", non_negative, default=1),
    field("minReadySeconds", non_negative),
    optional("ordinals", struct(field("start", non_negative))),
    pointer("revisionHistoryLimit", default=10),
)
_CREATED = struct(
    *_POLICIES,
    field("volumeClaimTemplates", each(struct(field("spec", CLAIM_SPEC)))),
    *_NUMBERS,
    optional("serviceName", names.dns1123_label),
    _template,
    _running,
)
_UPDATED, _UPDATED_TEMPLATE_ASIDE = struct(*_POLICIES, *_NUMBERS, _template, _running), struct(*_POLICIES, *_NUMBERS, _selector, _running)
"""What cannot change is not checked again: it may have been stored when it was allowed. Nor is the template, where what is stored is not
valid as it stands."""


class StatefulSetStrategy(rules.WorkloadStrategy):
    """The name becomes a part of the pods' host names."""

    name_validator = "label"
    rules = struct(field("spec", _CREATED, default={}))

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        for claim in obj["spec"].get("volumeClaimTemplates") or ():
            claim["apiVersion"], claim["kind"] = "v1", "PersistentVolumeClaim"
            default_claim_spec(claim.setdefault("spec", {}))
            status = claim.setdefault("status", {})
            if not status.get("phase"):
                status["phase"] = "Pending"

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        spec, before = obj["spec"], old["spec"]
        if spec == before:
            return []
        errors = (_UPDATED_TEMPLATE_ASIDE if _UPDATED.errors_at(before, "spec") else _UPDATED).errors_at(spec, "spec")
        fixed = [{key: value for key, value in part.items() if key not in _MUTABLE} for part in (spec, before)]
        return errors if fixed[0] == fixed[1] else [*errors, fe.forbidden("spec", _FORBIDDEN)]

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        status, before = obj.get("status") or {}, old.get("status") or {}
        errors = rules.status_counts(status, *_COUNTS) + rules.collision_count(status, before)
        fields = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
        errors += rules.not_above(status, "replicas", _ABOVE, *fields)
        above = "cannot be greater than status.readyReplicas"
        return errors + rules.not_above(status, "readyReplicas", above, "availableReplicas")

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        spec = obj["spec"]
        return [*template_warnings(spec.get("template"), "spec.template"), *_warnings(spec, "")]

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return [] if context.subresource else [*super().warnings_on_update(context, obj, old), *_warnings(obj["spec"], ".Spec")]


def _warnings(spec: Mapping[str, Any], below: str) -> Iterator[str]:
    """`below`: upstream names the spec of a claim template differently on create and update."""
    for index, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
        yield from resource_warnings(requests(claim.get("spec") or {}), f"spec.volumeClaimTemplates[{index}]{below}.resources.requests")
    if (spec.get("revisionHistoryLimit") or 0) < 0:
        yield "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"


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
