"""APIServices: registered API group versions, what the server serves itself and what extension API servers do."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.rules.checks import between
from kctl.kube_apiserver.registry.rules.language import Checked, each, field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

Spec = dict[str, Any]


def _named(service: Any, path: str) -> list[FieldError]:
    spec, name = objects.spec(service), objects.name(service)
    wanted = f"{spec.get('version') or ''}.{spec.get('group') or ''}"
    why = f'must be `spec.version+"."+spec.group`: "{wanted}"'
    if name == wanted or names.path_segment_name(name):
        return []
    return [field_errors.invalid("metadata.name", name, why)]


def _legacy_group(spec: Spec, path: str) -> list[FieldError]:
    if spec.get("group") or spec.get("version") == "v1":
        return []
    return [field_errors.required(f"{path}.group", "only v1 may have an empty group and it better be legacy kube")]


def _backend(spec: Spec, path: str) -> list[FieldError]:
    """Where an API service's requests go: to a service over TLS, or nowhere else."""
    bundle, skips, insecure = spec.get("caBundle"), spec.get("insecureSkipTLSVerify"), f"{path}.insecureSkipTLSVerify"
    errors: list[FieldError] = []
    if spec.get("service") is not None:
        errors += _SERVICE.errors_at(spec["service"], f"{path}.service")
        if skips and bundle:
            errors.append(field_errors.invalid(insecure, True, "may not be true if caBundle is present"))
        return errors
    if bundle:
        shown = f"{field_checks.base64_size(bundle)} bytes"
        errors.append(field_errors.invalid(f"{path}.caBundle", shown, "local APIServices may not have a caBundle"))
    if skips:
        errors.append(field_errors.invalid(insecure, True, "local APIServices may not have insecureSkipTLSVerify"))
    return errors


_SERVICE = struct(field("namespace", required=True), field("name", required=True), pointer("port", default=443))
_API_SERVICE = struct(
    _legacy_group,
    optional("group", names.dns1123_subdomain),
    field("version", names.dns1035_label),
    *(
        field(name, between(1, highest, f"must be positive and less than {highest}"))
        for name, highest in (("groupPriorityMinimum", 20000), ("versionPriority", 1000))
    ),
    _backend,
    field("service", Checked(lambda *_: None, {}, _SERVICE.checked.fill)),
)
_CONDITION = struct(field("status", enum=("True", "False", "Unknown")))


class APIServiceStrategy(RuledStrategy):
    """Registered API group versions (apiregistration.k8s.io)."""

    name_validator = "path_segment"
    allow_unconditional_update = False
    has_generation = False
    rules = struct(_named, field("spec", _API_SERVICE, default={}))
    status_rules = struct(field("status", struct(field("conditions", each(_CONDITION)))))

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        """What the server itself serves is available from the start."""
        if obj["spec"].get("service") is None:
            condition = {
                "type": "Available",
                "status": "True",
                "lastTransitionTime": times.rfc3339(context.now),
                "reason": "Local",
                "message": "Local APIServices are always available",
            }
            obj["status"] = {"conditions": [condition]}


STRATEGY = APIServiceStrategy()
