"""PersistentVolumes: exactly one source, which never changes; capacity, access modes, reclaim policy, node affinity."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.persistent_volume_claim import VOLUME_MODES, access_mode_errors
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_name
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
PROTECTION = "kubernetes.io/pv-protection"
SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_RECLAIM = ("Delete", "Recycle", "Retain")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_FROZEN_SOURCE = "spec.persistentvolumesource is immutable after creation"


class PersistentVolumeStrategy(Strategy):
    has_generation = False
    returns_deleted_object = True

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("persistentVolumeReclaimPolicy"):
            spec["persistentVolumeReclaimPolicy"] = "Retain"
        spec.setdefault("volumeMode", "Filesystem")
        if spec.get("hostPath") is not None:
            spec["hostPath"].setdefault("type", "")
        if not objects.status(obj).get("phase"):
            obj["status"] = {**objects.status(obj), "phase": "Pending"}

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": times.rfc3339(context.now)}
        meta = obj["metadata"]
        if PROTECTION not in (meta.get("finalizers") or ()):
            meta["finalizers"] = [*(meta.get("finalizers") or ()), PROTECTION]

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource != "status":
            return
        before, status = objects.status(old), obj.get("status") or {}
        if status.get("phase") != before.get("phase") and status.get("lastPhaseTransitionTime") == before.get(
            "lastPhaseTransitionTime"
        ):
            obj["status"] = {**status, "lastPhaseTransitionTime": times.rfc3339(context.now)}

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return volume_spec_errors(objects.spec(obj), "spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj), objects.spec(old)
        errors = self.validate(context, obj)
        if {name: new.get(name) for name in SOURCES} != {name: before.get(name) for name in SOURCES}:
            errors.append(field_errors.forbidden("spec.persistentvolumesource", _FROZEN_SOURCE))
        errors += field_checks.immutable("spec.volumeMode", new.get("volumeMode"), before.get("volumeMode"))
        if before.get("nodeAffinity") is not None:
            errors += field_checks.immutable("spec.nodeAffinity", new.get("nodeAffinity"), before.get("nodeAffinity"))
        return errors


def volume_spec_errors(spec: Spec, path: str) -> list[FieldError]:
    modes, capacity = spec.get("accessModes") or [], spec.get("capacity") or {}
    errors = field_checks.required(f"{path}.accessModes", modes) + access_mode_errors(modes, f"{path}.accessModes")
    errors += field_checks.required(f"{path}.capacity", capacity)
    if "storage" not in capacity or len(capacity) > 1:
        errors.append(field_errors.unsupported(f"{path}.capacity", capacity or None, ("storage",)))
    for name in sorted(capacity):
        errors += field_checks.positive_quantity(f"{path}.capacity[{name}]", capacity[name])
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy:
        errors += field_checks.enum(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    errors += _node_affinity(spec, path)
    errors += _sources(spec, path)
    if (spec.get("hostPath") or {}).get("path") == "/" and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(field_errors.forbidden(f"{path}.persistentVolumeReclaimPolicy", why))
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            errors += names.errors(f"{path}.{name}", spec[name], names.dns1123_subdomain)
    if spec.get("volumeMode") is not None:
        errors += field_checks.enum(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES)
    return errors


def _sources(spec: Spec, path: str) -> list[FieldError]:
    given = [name for name in SOURCES if spec.get(name) is not None]
    if not given:
        return [field_errors.required(path, "must specify a volume type")]
    why = "may not specify more than 1 volume type"
    errors = [field_errors.forbidden(f"{path}.{name}", why) for name in given[1:]]
    return _source(given[0], spec, f"{path}.{given[0]}") + errors


def _source(name: str, spec: Spec, path: str) -> list[FieldError]:
    source = spec[name]
    match name:
        case "hostPath":
            return _path(source, path)
        case "nfs":
            errors = field_checks.required(f"{path}.server", source.get("server"))
            errors += field_checks.required(f"{path}.path", source.get("path"))
            if source.get("path") and not source["path"].startswith("/"):
                errors.append(field_errors.invalid(f"{path}.path", source["path"], "must be an absolute path"))
            return errors
        case "local":
            errors = _path(source, path)
            if spec.get("nodeAffinity") is None:
                parent = path.rpartition(".")[0]
                errors.append(field_errors.required(f"{parent}.nodeAffinity", "Local volume requires node affinity"))
            return errors
        case "csi":
            errors = csi_driver_name(f"{path}.driver", source.get("driver") or "")
            return errors + field_checks.required(f"{path}.volumeHandle", source.get("volumeHandle"))
        case "iscsi":
            return [
                error
                for field in ("targetPortal", "iqn")
                for error in field_checks.required(f"{path}.{field}", source.get(field))
            ]
        case "fc":
            if not source.get("targetWWNs") and not source.get("wwids"):
                return [field_errors.required(f"{path}.targetWWNs", "must specify either targetWWNs or wwids")]
    return []


def _path(source: Spec, path: str) -> list[FieldError]:
    value = source.get("path") or ""
    if not value:
        return [field_errors.required(f"{path}.path")]
    if ".." in value.split("/"):
        return [field_errors.invalid(f"{path}.path", value, "must not contain '..'")]
    return []


def _node_affinity(spec: Spec, path: str) -> list[FieldError]:
    affinity = spec.get("nodeAffinity")
    if affinity is None:
        return []
    here, required = f"{path}.nodeAffinity.required", affinity.get("required")
    if required is None:
        return [field_errors.required(here, "must specify required node constraints")]
    terms = required.get("nodeSelectorTerms") or []
    if not terms:
        return [field_errors.required(f"{here}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: list[FieldError] = []
    for index, term in enumerate(terms):
        for number, expression in enumerate(term.get("matchExpressions") or ()):
            errors += _expression(expression, f"{here}.nodeSelectorTerms[{index}].matchExpressions[{number}]")
    return errors


def _expression(expression: Spec, path: str) -> list[FieldError]:
    operator, values = expression.get("operator") or "", expression.get("values") or []
    errors: list[FieldError] = []
    if operator in ("In", "NotIn") and not values:
        why = "must be specified when `operator` is 'In' or 'NotIn'"
        errors.append(field_errors.required(f"{path}.values", why))
    elif operator in ("Exists", "DoesNotExist") and values:
        why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        errors.append(field_errors.forbidden(f"{path}.values", why))
    elif operator in ("Gt", "Lt") and len(values) != 1:
        why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
        errors.append(field_errors.required(f"{path}.values", why))
    elif operator not in _OPERATORS:
        errors.append(field_errors.invalid(f"{path}.operator", operator, "not a valid selector operator"))
    return errors + validate_label_name(expression.get("key") or "", f"{path}.key")


STRATEGY = PersistentVolumeStrategy()
