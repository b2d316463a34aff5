"""Leases and LeaseCandidates."""

from __future__ import annotations

import re
from typing import Any

from kctl.apimachinery import field_errors, go_numbers, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.rules.checks import at_least, number
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

_OLDEST = "OldestEmulationVersion"
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z.-]+)?"
)
Version = tuple[int, int, int, bool, list[tuple[bool, int, str]]]


def _strategy(value: str, path: str) -> list[FieldError]:
    """Upstream names the field twice."""
    here = f"{path}.strategy"
    return names.errors(here, value, names.qualified_name) if "/" in value else field_checks.enum(here, value, (_OLDEST,))


def _semver(text: str) -> Version | None:
    """In the order of semantic versions: a release after its pre-releases, numbers before words."""
    match = _SEMVER.fullmatch(text)
    if match is None:
        return None
    parts = (match[4] or "").split(".") if match[4] else []
    words = [(not part.isdigit(), go_numbers.saturated(part) or 0, part) for part in parts]
    first, second, third = (go_numbers.saturated(number) or 0 for number in match.group(1, 2, 3))
    return first, second, third, not parts, words


def _versions(spec: Any, path: str) -> list[FieldError]:
    emulated, binary = spec.get("emulationVersion") or "", spec.get("binaryVersion") or ""
    errors: list[FieldError] = []
    if emulated and _semver(emulated) is None:
        errors.append(field_errors.invalid(f"{path}.emulationVersion", emulated, "must be a valid semantic version"))
    if not binary:
        return [*errors, field_errors.required(f"{path}.binaryVersion")]
    if _semver(binary) is None:
        errors.append(field_errors.invalid(f"{path}.binaryVersion", binary, "must be a valid semantic version"))
    zero: Version = (0, 0, 0, True, [])
    if emulated and (_semver(binary) or zero) < (_semver(emulated) or zero):
        why = "must be greater than or equal to `emulationVersion`"
        errors.append(field_errors.invalid(f"{path}.binaryVersion", binary, why))
    return errors


def _holder(spec: Any, path: str) -> list[FieldError]:
    why = "may only be specified if `strategy` is defined"
    alone = spec.get("preferredHolder") and not spec.get("strategy")
    return [field_errors.forbidden(f"{path}.preferredHolder", why)] if alone else []


def _emulated(spec: Any, path: str) -> list[FieldError]:
    if spec["strategy"] != _OLDEST or _semver(spec.get("emulationVersion") or "0.0.0") not in (None, _semver("0.0.0")):
        return []
    return [field_errors.required(f"{path}.emulationVersion", f"must be specified when `strategy` is '{_OLDEST}'")]


class LeaseStrategy(RuledStrategy):
    """Its rules have no defaults, so the heartbeats of the nodes are stored as they are."""

    allow_create_on_update = True
    allow_unconditional_update = False
    has_generation = False
    changes_on_create = changes_on_update = False
    rules = struct(
        field(
            "spec",
            struct(
                pointer("leaseDurationSeconds", number(lambda seconds: seconds > 0, "must be greater than 0")),
                pointer("leaseTransitions", at_least(0)),
                pointer("strategy", _strategy),
                _holder,
            ),
        )
    )


class LeaseCandidateStrategy(RuledStrategy):
    allow_create_on_update = True
    allow_unconditional_update = False
    has_generation = False
    name_validator = "config_map_key"
    rules = struct(
        field(
            "spec",
            struct(
                field("leaseName", required=True, immutable=True),
                _versions,
                field("strategy", required=True),
                when(lambda spec: spec.get("strategy"), _emulated, field("strategy", _strategy)),
            ),
        )
    )


LEASE = LeaseStrategy()
LEASE_CANDIDATE = LeaseCandidateStrategy()
