"""PersistentVolumes: exactly one source, which never changes; capacity, access modes, reclaim policy, node affinity."""

from __future__ import annotations

import posixpath
from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core import pod_legacy_volumes
from kctl.kube_apiserver.registry.core.persistent_volume_claim import (
    CLASS_ANNOTATION,
    CLASS_ANNOTATION_INSTEAD,
    VOLUME_MODES,
    access_mode_errors,
)
from kctl.kube_apiserver.registry.core.pod_defaults import default_source
from kctl.kube_apiserver.registry.core.pod_paths import no_backsteps
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_node_selector
from kctl.kube_apiserver.registry.core.pod_volume_validation import host_path
from kctl.kube_apiserver.registry.core.pod_warnings import node_term_warnings, source_warnings
from kctl.kube_apiserver.registry.go_diff import form_diff
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

Spec = dict[str, Any]
PROTECTION = "kubernetes.io/pv-protection"
_SPEC = "core.v1.PersistentVolumeSpec"
SOURCES = (
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
)
_RECLAIM = ("Delete", "Recycle", "Retain")
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "nodeStageSecretRef",
    "nodePublishSecretRef",
    "controllerExpandSecretRef",
    "nodeExpandSecretRef",
)
_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_MOUNT_OPTIONS_INSTEAD = 'deprecated since v1.31; use "mountOptions" attribute instead'
_RECYCLE = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
_FROZEN_SOURCE = "spec.persistentvolumesource is immutable after creation"


class PersistentVolumeStrategy(Strategy):
    has_generation = False
    returns_deleted_object = True

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if not spec.get("persistentVolumeReclaimPolicy"):
            spec["persistentVolumeReclaimPolicy"] = "Retain"
        spec.setdefault("volumeMode", "Filesystem")
        default_source(spec)
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
        if status.get("phase") != before.get("phase") and status.get("lastPhaseTransitionTime") == before.get("lastPhaseTransitionTime"):
            obj["status"] = {**status, "lastPhaseTransitionTime": times.rfc3339(context.now)}

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return volume_spec_errors(objects.spec(obj), "spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj), objects.spec(old)
        errors = self.validate(context, obj)
        if {name: new.get(name) for name in SOURCES} != {name: before.get(name) for name in SOURCES}:
            why = f"{_FROZEN_SOURCE}\n{form_diff(_SPEC, before, new, frozenset(SOURCES))}"
            errors.append(field_errors.forbidden("spec.persistentvolumesource", why))
        errors += field_checks.immutable("volumeMode", new.get("volumeMode"), before.get("volumeMode"))
        affinity, held = new.get("nodeAffinity"), before.get("nodeAffinity")
        if held is not None and affinity != held:
            shown = None if affinity is None else go_form("core.v1.VolumeNodeAffinity", affinity)
            errors.append(field_errors.invalid("nodeAffinity", shown, field_checks.IMMUTABLE))
        if before.get("volumeAttributesClassName") is not None and new.get("volumeAttributesClassName") is None:
            why = "update from non-nil value to nil is forbidden"
            errors.append(field_errors.forbidden("spec.volumeAttributesClassName", why))
        return errors

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        annotations, spec = objects.annotations(obj), objects.spec(obj)
        deprecated = {CLASS_ANNOTATION: CLASS_ANNOTATION_INSTEAD, _MOUNT_OPTIONS: _MOUNT_OPTIONS_INSTEAD}
        warnings = [f"metadata.annotations[{key}]: {why}" for key, why in deprecated.items() if key in annotations]
        if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
            warnings.append(f"spec.persistentVolumeReclaimPolicy: {_RECYCLE}")
        terms = ((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
        for index, term in enumerate(terms):
            warnings += node_term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
        return [*warnings, *source_warnings(spec, "spec")]

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return self.warnings_on_create(context, obj)


def volume_spec_errors(spec: Spec, path: str) -> list[FieldError]:
    modes, capacity = spec.get("accessModes") or [], spec.get("capacity") or {}
    errors = field_checks.required(f"{path}.accessModes", modes) + access_mode_errors(modes, f"{path}.accessModes")
    errors += field_checks.required(f"{path}.capacity", capacity)
    if "storage" not in capacity or len(capacity) > 1:
        errors.append(field_errors.unsupported(f"{path}.capacity", capacity or None, ("storage",)))
    for name in sorted(capacity):
        errors += field_checks.basic_quantity(f"{path}.capacity[{name}]", capacity[name])
        errors += field_checks.positive_quantity(f"{path}.capacity[{name}]", capacity[name])
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy:
        errors += field_checks.enum(f"{path}.persistentVolumeReclaimPolicy", policy, _RECLAIM)
    errors += _node_affinity(spec, path)
    errors += _sources(spec, path)
    if posixpath.normpath((spec.get("hostPath") or {}).get("path") or ".") == "/" and policy == "Recycle":
        why = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(field_errors.forbidden(f"{path}.persistentVolumeReclaimPolicy", why))
    if spec.get("storageClassName"):
        errors += names.errors(f"{path}.storageClassName", spec["storageClassName"], names.dns1123_subdomain)
    if spec.get("volumeMode") is not None:
        errors += field_checks.enum(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES)
    return errors + _attributes_class(spec, path)


def _attributes_class(spec: Spec, path: str) -> list[FieldError]:
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return []
    here = f"{path}.volumeAttributesClassName"
    errors = field_checks.required_name(here, name, names.dns1123_subdomain, "an empty string is disallowed")
    if spec.get("csi") is None:
        errors.append(field_errors.required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
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
            return host_path(source, path)
        case "local":
            errors = _path(source, path)
            if spec.get("nodeAffinity") is None:
                parent = path.rpartition(".")[0]
                errors.append(field_errors.required(f"{parent}.nodeAffinity", "Local volume requires node affinity"))
            return errors
        case "csi":
            errors = csi_driver_name(f"{path}.driver", source.get("driver") or "")
            errors += field_checks.required(f"{path}.volumeHandle", source.get("volumeHandle"))
            for field in _CSI_SECRETS:
                if source.get(field) is not None:
                    errors += _secret(source[field], f"{path}.{field}")
            return errors
    return pod_legacy_volumes.validate(name, source, path)


def _secret(reference: Spec, path: str) -> list[FieldError]:
    errors = field_checks.required_name(f"{path}.name", reference.get("name"), names.dns1123_subdomain)
    return errors + field_checks.required_name(f"{path}.namespace", reference.get("namespace"), names.dns1123_label)


def _path(source: Spec, path: str) -> list[FieldError]:
    value = source.get("path") or ""
    return no_backsteps(value, f"{path}.path") if value else [field_errors.required(f"{path}.path")]


def _node_affinity(spec: Spec, path: str) -> list[FieldError]:
    affinity = spec.get("nodeAffinity")
    if affinity is None:
        return []
    here, required = f"{path}.nodeAffinity.required", affinity.get("required")
    if required is None:
        return [field_errors.required(here, "must specify required node constraints")]
    return validate_node_selector(required, here)


STRATEGY = PersistentVolumeStrategy()
