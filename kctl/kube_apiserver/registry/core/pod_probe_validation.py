"""Validation of probes and lifecycle handlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema import enums

_NEGATIVE = "must be greater than or equal to 0"
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_LIFECYCLE_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
STOP_SIGNAL_FIELD = "stopSignal"


def port_number_or_name(port: int | str | None, path: str) -> list[FieldError]:
    if isinstance(port, str):
        return names.errors(path, port, names.port_name)
    return names.errors(path, port or 0, names.port_number)


def validate_probes(container: Mapping[str, Any], grace: int | None, path: str) -> list[FieldError]:
    """Liveness, readiness and startup probe of a container, in that order."""
    errors: list[FieldError] = []
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(field)
        if probe is None:
            continue
        here = f"{path}.{field}"
        errors += _probe(probe, grace, here)
        if field == "readinessProbe":
            if probe.get("terminationGracePeriodSeconds") is not None:
                errors.append(
                    fe.invalid(
                        f"{here}.terminationGracePeriodSeconds",
                        probe["terminationGracePeriodSeconds"],
                        "must not be set for readinessProbes",
                    )
                )
        elif (probe.get("successThreshold") or 0) != 1:
            errors.append(fe.invalid(f"{here}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return errors


def _probe(probe: dict[str, Any], grace: int | None, path: str) -> list[FieldError]:
    errors = _handler(probe, _PROBE_HANDLERS, grace, path)
    for field in _COUNTS:
        value = probe.get(field) or 0
        if value < 0:
            errors.append(fe.invalid(f"{path}.{field}", value, _NEGATIVE))
    own_grace = probe.get("terminationGracePeriodSeconds")
    if own_grace is not None and own_grace <= 0:
        errors.append(fe.invalid(f"{path}.terminationGracePeriodSeconds", own_grace, "must be greater than 0"))
    return errors


def validate_lifecycle(lifecycle: dict[str, Any], grace: int | None, os_name: str, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("postStart", "preStop"):
        if lifecycle.get(field) is not None:
            errors += _handler(lifecycle[field], _LIFECYCLE_HANDLERS, grace, f"{path}.{field}")
    if lifecycle.get(STOP_SIGNAL_FIELD) is not None:
        errors += _stop_signal(lifecycle[STOP_SIGNAL_FIELD], os_name, f"{path}.{STOP_SIGNAL_FIELD}")
    return errors


def _stop_signal(signal: str, os_name: str, path: str) -> list[FieldError]:
    if not os_name:
        return [fe.forbidden(path, "may not be set for containers with empty `spec.os.name`")]
    if os_name == "windows" and signal not in ("SIGTERM", "SIGKILL"):
        return [fe.unsupported(path, signal, ("SIGKILL", "SIGTERM"))]
    return []


def _handler(handler: dict[str, Any], kinds: tuple[str, ...], grace: int | None, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen = False
    for kind in kinds:
        action = handler.get(kind)
        if action is None:
            continue
        here = f"{path}.{kind}"
        if seen:
            errors.append(fe.forbidden(here, "may not specify more than 1 handler type"))
            continue
        seen = True
        errors += _action(kind, action, grace, here)
    if not seen:
        errors.append(fe.required(path, "must specify a handler type"))
    return errors


def _action(kind: str, action: dict[str, Any], grace: int | None, path: str) -> list[FieldError]:
    match kind:
        case "exec":
            return [] if action.get("command") else [fe.required(f"{path}.command")]
        case "httpGet":
            return _http_get(action, path)
        case "sleep":
            seconds = action.get("seconds") or 0
            if grace is not None and not 0 <= seconds <= grace:
                why = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                return [fe.invalid(path, seconds, why)]
            return []
        case _:
            return port_number_or_name(action.get("port"), f"{path}.port")


def _http_get(action: dict[str, Any], path: str) -> list[FieldError]:
    errors = [] if action.get("path") else [fe.required(f"{path}.path")]
    errors += port_number_or_name(action.get("port"), f"{path}.port")
    scheme = action.get("scheme") or ""
    if scheme not in ("HTTP", "HTTPS"):
        errors.append(fe.unsupported(f"{path}.scheme", scheme, enums.of("HTTPGetAction.scheme")))
    for header in action.get("httpHeaders") or ():
        errors += names.errors(f"{path}.httpHeaders", header.get("name") or "", names.http_header_name)
    return errors
