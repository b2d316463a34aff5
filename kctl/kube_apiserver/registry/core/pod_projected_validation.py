"""Validation of projected volumes: each source on its own, and no two files at one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.core.pod_paths import local_non_reserved_path
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector

Source = Mapping[str, Any]
Rule = Callable[[Source, str], list[FieldError]]
_CONFLICT = "conflicting duplicate paths"
_KEY_TYPES = ("ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072", "RSA4096")


class _Paths:
    """The paths taken so far in this volume; a second use is reported at the volume."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen: set[str] = set()

    def add(self, target: str, value: str) -> list[FieldError]:
        if not target:
            return []
        if target in self.seen:
            return [fe.invalid(self.path, value, _CONFLICT)]
        self.seen.add(target)
        return []


def validate_projected(projected: Source, path: str, key_to_path: Rule, downward_file: Rule) -> list[FieldError]:
    errors: list[FieldError] = []
    paths = _Paths(path)
    for index, source in enumerate(projected.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        count = 0
        for field in ("secret", "configMap"):
            if source.get(field) is not None:
                count += 1
                errors += _keys(source[field], f"{here}.{field}", paths, key_to_path)
        if source.get("downwardAPI") is not None:
            count += 1
            for item in source["downwardAPI"].get("items") or ():
                errors += downward_file(item, f"{here}.downwardAPI")
                errors += paths.add(item.get("path") or "", item.get("path") or "")
        if source.get("serviceAccountToken") is not None:
            count += 1
            errors += _token(source["serviceAccountToken"], f"{here}.serviceAccountToken", path)
        if source.get("clusterTrustBundle") is not None:
            count += 1
            errors += _trust_bundle(source["clusterTrustBundle"], f"{here}.clusterTrustBundle", paths)
        if source.get("podCertificate") is not None:
            count += 1
            errors += _certificate(source["podCertificate"], f"{here}.podCertificate", paths)
        if count > 1:
            errors.append(fe.forbidden(here, "may not specify more than 1 volume type per source"))
    return errors


def _keys(source: Source, path: str, paths: _Paths, key_to_path: Rule) -> list[FieldError]:
    name = source.get("name") or ""
    errors = [] if name else [fe.required(f"{path}.name")]
    for index, item in enumerate(source.get("items") or ()):
        errors += key_to_path(item, f"{path}.items[{index}]")
        errors += paths.add(item.get("path") or "", name)
    return errors


def _token(token: Source, path: str, volume_path: str) -> list[FieldError]:
    seconds = token.get("expirationSeconds") or 0
    errors: list[FieldError] = []
    if seconds < 600:
        why = "may not specify a duration less than 10 minutes"
        errors.append(fe.invalid(f"{path}.expirationSeconds", seconds, why))
    if seconds > 1 << 32:
        why = "may not specify a duration larger than 2^32 seconds"
        errors.append(fe.invalid(f"{path}.expirationSeconds", seconds, why))
    target = token.get("path") or ""
    if not target:
        return [*errors, fe.required(f"{volume_path}.path")]
    return errors + local_non_reserved_path(target, f"{volume_path}.path")


def _trust_bundle(bundle: Source, path: str, paths: _Paths) -> list[FieldError]:
    errors: list[FieldError] = []
    name, signer = bundle.get("name"), bundle.get("signerName")
    if name is not None and signer is not None:
        errors.append(fe.invalid(path, dict(bundle), "only one of name and signerName may be used"))
    elif name is not None:
        if not name:
            errors.append(fe.required(f"{path}.name", "must be a valid object name"))
        for problem in names.dns1123_subdomain(name.rpartition(":")[2]):
            errors.append(fe.invalid(f"{path}.name", name, f"not a valid clustertrustbundlename: {problem}"))
        if bundle.get("labelSelector") is not None:
            why = "labelSelector must be unset if name is specified"
            errors.append(fe.invalid(f"{path}.labelSelector", bundle["labelSelector"], why))
    elif signer is not None:
        if not signer:
            errors.append(fe.required(f"{path}.signerName", "must be a valid signer name"))
        errors += validate_label_selector(bundle.get("labelSelector"), f"{path}.labelSelector")
    else:
        errors.append(fe.required(path, "either name or signerName must be specified"))
    return errors + _path(bundle, "path", path, paths)


def _path(source: Source, field: str, path: str, paths: _Paths) -> list[FieldError]:
    target = source.get(field) or ""
    errors = [] if target else [fe.required(f"{path}.{field}")]
    errors += local_non_reserved_path(target, f"{path}.{field}")
    return errors + paths.add(target, target)


def _certificate(source: Source, path: str, paths: _Paths) -> list[FieldError]:
    errors: list[FieldError] = []
    if not source.get("signerName"):
        errors.append(fe.required(f"{path}.signerName"))
    key_type = source.get("keyType") or ""
    if key_type not in _KEY_TYPES:
        errors.append(fe.unsupported(f"{path}.keyType", key_type, _KEY_TYPES))
    seconds = source.get("maxExpirationSeconds")
    if seconds is not None and seconds < 3600:
        why = "if provided, maxExpirationSeconds must be >= 3600"
        errors.append(fe.invalid(f"{path}.maxExpirationSeconds", seconds, why))
    given = [field for field in ("credentialBundlePath", "keyPath", "certificateChainPath") if source.get(field)]
    if not given:
        why = "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"
        errors.append(fe.required(path, why))
    for field in given:
        errors += _path(source, field, path, paths)
    return errors
