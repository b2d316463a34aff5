"""Validation of writes to pods/status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks

Object = Mapping[str, Any]
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def validate_status(new: Object, old: Object) -> list[FieldError]:
    status, before = new.get("status") or {}, old.get("status") or {}
    spec = new.get("spec") or {}
    errors: list[FieldError] = []
    for index, condition in enumerate(status.get("conditions") or ()):
        if condition.get("type") not in _SYSTEM_CONDITIONS:
            path = f"metadata.conditions[{index}].Type"
            errors += names.errors(path, condition.get("type") or "", names.qualified_name)
    nominated = status.get("nominatedNodeName") or ""
    if nominated and nominated != before.get("nominatedNodeName"):
        errors += names.errors("status.nominatedNodeName", nominated, names.dns1123_subdomain)
    if (status.get("qosClass") or "") != (before.get("qosClass") or ""):
        errors.append(fe.invalid("status.qosClass", status.get("qosClass") or "", "field is immutable"))
    policy = (old.get("spec") or {}).get("restartPolicy") or "Always"
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    for field, rule, spared in (
        ("containerStatuses", policy, set()),
        ("initContainerStatuses", policy, sidecars),
        ("ephemeralContainerStatuses", "Never", set()),
    ):
        errors += _transitions(status.get(field) or (), before.get(field) or (), rule, spared, f"status.{field}")
    errors += _claims(status.get("resourceClaimStatuses") or (), spec.get("resourceClaims") or ())
    errors += _addresses(status.get("podIPs") or (), "status.podIPs")
    return errors + _host_addresses(status)


def _transitions(new: Sequence[Object], old: Sequence[Object], policy: str, spared: set[Any], path: str) -> list[FieldError]:
    """A container that will not be restarted stays terminated."""
    if policy == "Always":
        return []
    errors: list[FieldError] = []
    for index, before in enumerate(old):
        terminated = (before.get("state") or {}).get("terminated")
        if terminated is None or before.get("name") in spared:
            continue
        if terminated.get("exitCode") and policy == "OnFailure":
            continue
        for after in new:
            if after.get("name") == before.get("name") and (after.get("state") or {}).get("terminated") is None:
                why = "may not be transitioned to non-terminated state"
                errors.append(fe.forbidden(f"{path}[{index}].state", why))
    return errors


def _claims(statuses: Sequence[Object], claims: Sequence[Object]) -> list[FieldError]:
    known = {claim.get("name") for claim in claims}
    seen: set[str] = set()
    errors: list[FieldError] = []
    for index, status in enumerate(statuses):
        path, name = f"status.resourceClaimStatuses[{index}].name", status.get("name") or ""
        if name not in known:
            errors.append(fe.invalid(path, name, "must match the name of an entry in `spec.resourceClaims`"))
        if name in seen:
            errors.append(fe.duplicate(path, name))
        seen.add(name)
    return errors


def _addresses(given_addresses: Sequence[Object], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, given in enumerate(given_addresses):
        errors += names.errors(f"{path}[{index}]", given.get("ip") or "", names.ip_address)
    if len(given_addresses) < 2:
        return errors
    addresses = [given.get("ip") or "" for given in given_addresses]
    families = [":" in address for address in addresses]
    shown = [{"IP": address} for address in addresses]
    if len(given_addresses) > 2 or families[0] == families[1]:
        errors.append(fe.invalid(path, shown, "may specify no more than one IP for each IP family"))
    for index, (address, again) in enumerate(zip(addresses, field_checks.repeated(addresses), strict=True)):
        if again:
            errors.append(fe.duplicate(f"{path}[{index}]", {"IP": address}))
    return errors


def _host_addresses(status: Object) -> list[FieldError]:
    entries = status.get("hostIPs") or ()
    if not entries:
        return []
    errors: list[FieldError] = []
    first = entries[0].get("ip") or ""
    if (status.get("hostIP") or "") != first:
        errors.append(fe.invalid("status.hostIPs[0].ip", first, "must be equal to `hostIP`"))
    return errors + _addresses(entries, "status.hostIPs")
