"""Annotations of pods and pod templates: general rules, and the few with a meaning of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import go_numbers, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.core.pod_paths import local_descending_path
from kctl.kube_apiserver.registry.core.pod_security_validation import containers_of

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
APP_ARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"
_TOTAL = 256 * 1024
_INT32 = range(-(2**31), 2**31)


def validate_annotations(annotations: Mapping[str, str] | None, path: str) -> list[FieldError]:
    """apimachinery's ValidateAnnotations: keys are qualified names in lower case, 256 KiB in all."""
    if not annotations:
        return []
    errors: list[FieldError] = []
    for key in annotations:
        errors += [fe.invalid(path, key, problem) for problem in names.qualified_name(key.lower())]
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > _TOTAL:
        errors.append(fe.too_long(path, _TOTAL))
    return errors


def validate_pod_annotations(annotations: Mapping[str, str] | None, spec: Mapping[str, Any], path: str) -> list[FieldError]:
    if not annotations:
        return []
    errors: list[FieldError] = []
    if MIRROR in annotations and not spec.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(fe.invalid(f"{path}[{MIRROR}]", annotations[MIRROR], why))
    cost = annotations.get(DELETION_COST)
    if cost is not None and not (re.fullmatch(r"-?(0|[1-9][0-9]*)", cost) and go_numbers.saturated(cost) in _INT32):
        errors.append(fe.invalid(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, value in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_PREFIX):
            errors += _seccomp(value, f"{path}.{key}")
        elif key.startswith(APP_ARMOR_PREFIX):
            errors += _app_armor(key, value, spec, f"{path}[{key}]")
    return errors


def _seccomp(profile: str, path: str) -> list[FieldError]:
    if profile in ("runtime/default", "docker/default", "unconfined"):
        return []
    if profile.startswith("localhost/"):
        return local_descending_path(profile.removeprefix("localhost/"), path)
    return [fe.invalid(path, profile, "must be a valid seccomp profile")]


def _app_armor(key: str, profile: str, spec: Mapping[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    container = key.removeprefix(APP_ARMOR_PREFIX)
    if all(present.get("name") != container for present, _ in containers_of(spec, "")):
        errors.append(fe.invalid(path, container, "container not found"))
    if profile not in ("", "runtime/default", "unconfined") and not profile.startswith("localhost/"):
        errors.append(fe.invalid(path, profile, f"invalid AppArmor profile name: {fe.go_value(profile)}"))
    return errors


def validate_annotation_updates(new: Mapping[str, str], old: Mapping[str, str], path: str) -> list[FieldError]:
    """AppArmor and mirror annotations are fixed for the life of a pod."""
    errors: list[FieldError] = []
    if new == old:
        return errors
    for key, value in old.items():
        if new.get(key) == value:
            continue
        if key.startswith(APP_ARMOR_PREFIX):
            errors.append(fe.forbidden(f"{path}[{key}]", "may not remove or update AppArmor annotations"))
        if key == MIRROR:
            errors.append(fe.forbidden(f"{path}[{key}]", "may not remove or update mirror pod annotation"))
    for key in new:
        if key in old:
            continue
        if key.startswith(APP_ARMOR_PREFIX):
            errors.append(fe.forbidden(f"{path}[{key}]", "may not add AppArmor annotations"))
        if key == MIRROR:
            errors.append(fe.forbidden(f"{path}[{key}]", "may not add mirror pod annotation"))
    return errors
