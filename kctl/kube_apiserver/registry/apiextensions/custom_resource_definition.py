"""CustomResourceDefinitions as objects: names, versions, scope, conversion. Serving their resources is not done here."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.admissionregistration.webhooks import client_config_errors
from kctl.kube_apiserver.registry.apiextensions.structural_schema import schema_errors
from kctl.kube_apiserver.registry.rules.language import each, field, optional, struct
from kctl.kube_apiserver.registry.strategy import Context, Strategy

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
Spec = dict[str, Any]
_SCOPES = ("Cluster", "Namespaced")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_VERSION = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion"
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_NO_PRESERVING = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
_MIXED_CASE = "may have mixed case, but should otherwise match: "


class CustomResourceDefinitionStrategy(Strategy):
    allow_unconditional_update = False

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        given = spec.setdefault("names", {})
        if given.get("kind"):
            if not given.get("singular"):
                given["singular"] = given["kind"].lower()
            if not given.get("listKind"):
                given["listKind"] = given["kind"] + "List"
        if spec.get("conversion") is None:
            spec["conversion"] = {"strategy": "None"}
        service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = 443

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        stored = [v.get("name") or "" for v in obj["spec"].get("versions") or () if v.get("storage")]
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)
            return
        status = obj.get("status") or {}
        known = list(status.get("storedVersions") or ())
        for version in obj["spec"].get("versions") or ():
            if version.get("storage") and version.get("name") not in known:
                obj["status"] = {**status, "storedVersions": [*known, version.get("name")]}

    def holds_deletion(self, obj: Object) -> bool:
        """A definition waits for its objects, and goes without further ado when they are gone."""
        return not objects.deletion_timestamp(obj) or CLEANUP_FINALIZER in objects.finalizers(obj)

    def mark_deletion(self, context: Context, obj: Object) -> None:
        meta = obj["metadata"]
        if CLEANUP_FINALIZER in (meta.get("finalizers") or ()):
            return
        meta["finalizers"] = [*(meta.get("finalizers") or ()), CLEANUP_FINALIZER]
        if meta.get("generation"):
            meta["generation"] -= 1  # the mark is no change of what is wanted
        condition = {
            "type": "Terminating",
            "status": "True",
            "lastTransitionTime": times.rfc3339(context.now),
            "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        }
        status = obj.setdefault("status", {})
        status["conditions"] = objects.with_condition(status.get("conditions") or (), condition)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec, name = objects.spec(obj), objects.name(obj)
        wanted = f"{(spec.get('names') or {}).get('plural') or ''}.{spec.get('group') or ''}"
        errors: list[FieldError] = []
        if name != wanted:
            errors.append(field_errors.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
        errors += _group(spec.get("group") or "")
        errors += field_checks.required_enum("spec.scope", spec.get("scope"), _SCOPES)
        if spec.get("preserveUnknownFields"):
            errors.append(field_errors.invalid("spec.preserveUnknownFields", True, _NO_PRESERVING))
        errors += _versions(spec.get("versions") or [])
        errors += _NAMES.errors_at(spec.get("names"), "spec.names")
        return errors + _conversion(spec.get("conversion") or {}, "spec.conversion")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        new, before = objects.spec(obj), objects.spec(old)
        errors += field_checks.immutable("spec.group", new.get("group"), before.get("group"))
        if objects.is_condition_true(old, "Established"):
            errors += field_checks.immutable("spec.scope", new.get("scope"), before.get("scope"))
            kinds = ((side.get("names") or {}).get("kind") for side in (new, before))
            errors += field_checks.immutable("spec.names.kind", *kinds)
        plurals = ((side.get("names") or {}).get("plural") for side in (new, before))
        errors += field_checks.immutable("spec.names.plural", *plurals)
        served = {version.get("name") for version in new.get("versions") or ()}
        for index, version in enumerate(objects.status(obj).get("storedVersions") or ()):
            if version not in served:
                why = "missing from spec.versions; "
                why += f"{version} was previously a storage version, and must remain in spec.versions until a storage migration "
                why += "ensures no data remains persisted in " + f"{version} and removes {version} from status.storedVersions"
                errors.append(field_errors.invalid(f"status.storedVersions[{index}]", version, why))
        return errors


def _group(group: str) -> list[FieldError]:
    if not group:
        return [field_errors.required("spec.group")]
    problems = names.dns1123_subdomain(group)
    if problems:
        return [field_errors.invalid("spec.group", group, ",".join(problems))]
    if "." not in group:
        return [field_errors.invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _versions(versions: list[Spec]) -> list[FieldError]:
    """A schema that all versions share is checked once, as upstream's internal type has it: at spec.validation."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    repeated = False
    one_schema, one_columns = _shared(versions, "schema"), _shared(versions, "additionalPrinterColumns")
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        if name in seen and not repeated:
            repeated = True
            errors.append(field_errors.invalid("spec.versions", _go_versions(versions), "must contain unique version names"))
        seen.add(name)
        problems = names.dns1035_label(name)
        if problems:
            errors.append(field_errors.invalid(f"{path}.name", name, ",".join(problems)))
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            errors.append(field_errors.required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
        elif not one_schema:
            errors += schema_errors(schema, f"{path}.schema.openAPIV3Schema")
        elif index == 0:
            errors += schema_errors(schema, "spec.validation.openAPIV3Schema")
        if index == 0 or not one_columns:
            where = "spec.additionalPrinterColumns" if one_columns else f"{path}.additionalPrinterColumns"
            for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
                errors += _COLUMN.errors_at(column, f"{where}[{number}]")
    if sum(1 for version in versions if version.get("storage")) != 1:
        why = "must have exactly one version marked as storage version"
        errors.append(field_errors.invalid("spec.versions", _go_versions(versions), why))
    return errors


def _shared(versions: list[Spec], field: str) -> bool:
    return all(version.get(field) == versions[0].get(field) for version in versions)


def _go_versions(versions: list[Spec]) -> list[Spec]:
    """What all versions share is not shown with each of them."""
    shared = [name for name in ("schema", "subresources", "additionalPrinterColumns", "selectableFields") if _shared(versions, name)]
    return [go_form(_VERSION, {name: value for name, value in version.items() if name not in shared}) for version in versions]


def _label(value: str, path: str) -> list[FieldError]:
    problems = names.dns1035_label(value)
    return [field_errors.invalid(path, value, ",".join(problems))] if problems else []


def _mixed_case(value: str, path: str) -> list[FieldError]:
    problems = names.dns1035_label(value.lower())
    return [field_errors.invalid(path, value, _MIXED_CASE + ",".join(problems))] if problems else []


def _list_kind(given: Spec, path: str) -> list[FieldError]:
    if not given.get("kind") or given["kind"] != given.get("listKind"):
        return []
    return [field_errors.invalid(f"{path}.listKind", given["listKind"], "kind and listKind may not be the same")]


_NAMES = struct(
    field("plural", _label, required=True),
    field("singular", _label, required=True),
    field("kind", _mixed_case, required=True),
    field("listKind", _mixed_case, required=True),
    field("shortNames", each(_label)),
    field("categories", each(_label)),
    _list_kind,
)
_COLUMN = struct(
    field("name", required=True),
    field("type", required=True, enum=_COLUMN_TYPES),
    optional("format", enum=_COLUMN_FORMATS),
    field("jsonPath", required=True),
)


def _conversion(conversion: Spec, path: str) -> list[FieldError]:
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook")
    errors = field_checks.required_enum(f"{path}.strategy", strategy, ("None", "Webhook"))
    if strategy == "Webhook":
        config = (webhook or {}).get("clientConfig")
        if config is None:
            why = "required when strategy is set to Webhook"
            return [*errors, field_errors.required(f"{path}.webhookClientConfig", why)]
        errors += client_config_errors(config, f"{path}.webhookClientConfig")
        versions = (webhook or {}).get("conversionReviewVersions") or []
        errors += field_checks.required(f"{path}.conversionReviewVersions", versions)
    elif webhook is not None:
        why = "should not be set when strategy is not set to Webhook"
        errors.append(field_errors.forbidden(f"{path}.webhookClientConfig", why))
    return errors


CUSTOM_RESOURCE_DEFINITION = CustomResourceDefinitionStrategy()
