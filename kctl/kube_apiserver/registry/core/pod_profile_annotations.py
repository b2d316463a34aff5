"""AppArmor and seccomp: the old annotations beside the fields that replaced them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core.pod_annotations import APP_ARMOR_PREFIX, SECCOMP_POD, SECCOMP_PREFIX
from kctl.kube_apiserver.registry.core.pod_security_validation import containers_of

_TYPES = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default",)}
_SECCOMP_TYPES = {"Unconfined": ("unconfined",), "RuntimeDefault": ("runtime/default", "docker/default")}
_LOCAL = "localhost/"


def sync_app_armor(obj: Object) -> None:
    """On create, the field is copied to the annotation and the annotation to the field (applyAppArmorVersionSkew)."""
    spec, meta = obj["spec"], obj["metadata"]
    annotations = meta.get("annotations") or {}
    has_annotation = any(key.startswith(APP_ARMOR_PREFIX) for key in annotations)
    pod_profile = (spec.get("securityContext") or {}).get("appArmorProfile")
    added: dict[str, str] = {}
    for container, _ in containers_of(spec, ""):
        context = container.get("securityContext") or {}
        profile = context.get("appArmorProfile") or pod_profile
        key = f"{APP_ARMOR_PREFIX}{container.get('name')}"
        if profile is not None and key not in annotations:
            value = _as_annotation(profile)
            if value:
                added[key] = value
        elif has_annotation and key in annotations and profile is None:
            field = _as_field(annotations[key])
            if field is not None:
                container.setdefault("securityContext", {})["appArmorProfile"] = field  # type: ignore[attr-defined]
    if added:
        meta["annotations"] = {**annotations, **added}


def _as_annotation(profile: Mapping[str, Any]) -> str:
    kind = profile.get("type")
    if kind == "Localhost":
        return _LOCAL + (profile.get("localhostProfile") or "")
    return {"Unconfined": "unconfined", "RuntimeDefault": "runtime/default"}.get(str(kind), "")


def _as_field(annotation: str) -> dict[str, Any] | None:
    if annotation == "unconfined":
        return {"type": "Unconfined"}
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    if annotation.startswith(_LOCAL) and len(annotation) > len(_LOCAL):
        return {"type": "Localhost", "localhostProfile": annotation.removeprefix(_LOCAL)}
    return None


def validate_profiles_match(annotations: Mapping[str, str], spec: Mapping[str, Any], path: str) -> list[FieldError]:
    """Where a pod gives both, they must say the same."""
    if not annotations:
        return []
    errors: list[FieldError] = []
    context = spec.get("securityContext") or {}
    if SECCOMP_POD in annotations and context.get("seccompProfile"):
        at = f"{path}.securityContext.seccompProfile"
        errors += _match("seccomp", _SECCOMP_TYPES, annotations[SECCOMP_POD], context["seccompProfile"], at)
    for container, here in containers_of(spec, path):
        own = (container.get("securityContext") or {}).get("seccompProfile")
        key = f"{SECCOMP_PREFIX}{container.get('name')}"
        if own and key in annotations:
            at = f"{here}.securityContext.seccompProfile"
            errors += _match("seccomp", _SECCOMP_TYPES, annotations[key], own, at)
    if (spec.get("os") or {}).get("name") == "windows":
        return errors
    for container, here in containers_of(spec, path):
        own = (container.get("securityContext") or {}).get("appArmorProfile") or context.get("appArmorProfile")
        key = f"{APP_ARMOR_PREFIX}{container.get('name')}"
        if own and key in annotations:
            errors += _match("apparmor", _TYPES, annotations[key], own, f"{here}.securityContext.appArmorProfile")
    return errors


def _match(what: str, types: Mapping[str, tuple[str, ...]], annotation: str, profile: Mapping[str, Any], path: str) -> list[FieldError]:
    kind = profile.get("type") or ""
    differs = [fe.forbidden(f"{path}.type", f"{what} type in annotation and field must match")]
    if kind in types:
        return [] if annotation in types[kind] else differs
    if kind == "Localhost":
        if not annotation.startswith(_LOCAL):
            return differs
        if annotation.removeprefix(_LOCAL) != profile.get("localhostProfile"):
            why = f"{what} profile in annotation and field must match"
            return [fe.forbidden(f"{path}.localhostProfile", why)]
    return []
