"""PersistentVolumes: exactly one source, which never changes; capacity, access modes, reclaim policy, node affinity."""

from __future__ import annotations

import posixpath
from typing import Any

from kctl.apimachinery import field_errors, names, objects, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.claim_rules import VOLUME_MODES, access_mode_errors
from kctl.kube_apiserver.registry.core.persistent_volume_claim import CLASS_ANNOTATION, CLASS_ANNOTATION_INSTEAD
from kctl.kube_apiserver.registry.core.pod_defaults import default_source
from kctl.kube_apiserver.registry.core.pod_paths import no_backsteps
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_node_selector
from kctl.kube_apiserver.registry.core.pod_warnings import node_term_warnings, source_warnings
from kctl.kube_apiserver.registry.core.volume_sources import VOLUME_SOURCES
from kctl.kube_apiserver.registry.go_diff import form_diff
from kctl.kube_apiserver.registry.rules.checks import driver_name, given
from kctl.kube_apiserver.registry.rules.language import field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

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


def _capacity(capacity: Any, path: str) -> list[FieldError]:
    unknown = "storage" not in capacity or len(capacity) > 1
    errors = [field_errors.unsupported(path, capacity or None, ("storage",))] if unknown else []
    for name in sorted(capacity):
        errors += field_checks.basic_quantity(f"{path}[{name}]", capacity[name])
        errors += field_checks.positive_quantity(f"{path}[{name}]", capacity[name])
    return errors


def _sources(spec: Any, path: str) -> list[FieldError]:
    """The first of them is looked into."""
    present = given(spec, SOURCES)
    if not present:
        return [field_errors.required(path, "must specify a volume type")]
    why = "may not specify more than 1 volume type"
    errors = [field_errors.forbidden(f"{path}.{name}", why) for name in present[1:]]
    name = present[0]
    rules = _OWN_SOURCES.get(name) or VOLUME_SOURCES[name]
    affinity = _local_affinity(spec, path) if name == "local" else []
    return rules.errors_at(spec[name], f"{path}.{name}") + affinity + errors


def _local_affinity(spec: Any, path: str) -> list[FieldError]:
    missing = spec.get("nodeAffinity") is None
    return [field_errors.required(f"{path}.nodeAffinity", "Local volume requires node affinity")] if missing else []


def _recycled_root(spec: Any, path: str) -> list[FieldError]:
    root = posixpath.normpath((spec.get("hostPath") or {}).get("path") or ".") == "/"
    if not root or spec.get("persistentVolumeReclaimPolicy") != "Recycle":
        return []
    return [field_errors.forbidden(f"{path}.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")]


def _class_needs_csi(spec: Any, path: str) -> list[FieldError]:
    missing = spec.get("volumeAttributesClassName") is not None and spec.get("csi") is None
    return [field_errors.required(f"{path}.csi", "has to be specified when using volumeAttributesClassName")] if missing else []


def _attributes_class(name: str, path: str) -> list[FieldError]:
    return field_checks.required_name(path, name, names.dns1123_subdomain, "an empty string is disallowed")


_SECRET = struct(field("name", names.dns1123_subdomain, required=True), field("namespace", names.dns1123_label, required=True))
_CSI = struct(
    field("driver", driver_name),
    field("volumeHandle", required=True),
    *(pointer(name, _SECRET) for name in _CSI_SECRETS),
)
_OWN_SOURCES = {"csi": _CSI, "local": struct(field("path", no_backsteps, required=True))}
_NODES = struct(pointer("required", validate_node_selector, required="must specify required node constraints"))
_SPEC_RULES = struct(
    field("accessModes", required=True),
    field("accessModes", access_mode_errors, zero=()),
    field("capacity", required=True),
    field("capacity", _capacity, zero={}),
    optional("persistentVolumeReclaimPolicy", enum=enums.of("PersistentVolumeSpec.persistentVolumeReclaimPolicy"), default="Retain"),
    pointer("nodeAffinity", _NODES),
    _sources,
    _recycled_root,
    optional("storageClassName", names.dns1123_subdomain),
    pointer("volumeMode", enum=VOLUME_MODES, default="Filesystem"),
    pointer("volumeAttributesClassName", _attributes_class),
    _class_needs_csi,
)


class PersistentVolumeStrategy(RuledStrategy):
    has_generation = False
    returns_deleted_object = True
    rules = struct(field("spec", _SPEC_RULES, default={}))

    def default(self, context: Context, obj: Object) -> None:
        super().default(context, obj)
        default_source(obj["spec"])
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


STRATEGY = PersistentVolumeStrategy()
