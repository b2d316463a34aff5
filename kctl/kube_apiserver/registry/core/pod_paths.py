"""Rules for paths inside volumes, shared by mounts, volume sources and profiles."""

from __future__ import annotations

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError


def no_backsteps(target: str, path: str) -> list[FieldError]:
    """No `..` element; one error is enough however many there are."""
    return [fe.invalid(path, target, "must not contain '..'")] if ".." in target.split("/") else []


def local_descending_path(target: str, path: str) -> list[FieldError]:
    """Relative and without `..` elements."""
    errors = [fe.invalid(path, target, "must be a relative path")] if target.startswith("/") else []
    return errors + no_backsteps(target, path)


def local_non_reserved_path(target: str, path: str) -> list[FieldError]:
    """As above, and not beginning with `..` (the kubelet's own files)."""
    errors = local_descending_path(target, path)
    if target.startswith("..") and not target.startswith("../"):
        errors.append(fe.invalid(path, target, "must not start with '..'"))
    return errors
