"""Endpoints (the legacy kind): addresses and ports of a Service."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.service_validation import PROTOCOLS, external_address
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class EndpointsStrategy(Strategy):
    allow_create_on_update = True
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port["protocol"] = port.get("protocol") or "TCP"

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, subset in enumerate(obj.get("subsets") or ()):
            path = f"subsets[{index}]"
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                errors.append(field_errors.required(path, "must specify `addresses` or `notReadyAddresses`"))
            for name in ("addresses", "notReadyAddresses"):
                for number, address in enumerate(subset.get(name) or ()):
                    errors += _address(address, f"{path}.{name}[{number}]")
            ports = subset.get("ports") or []
            for number, port in enumerate(ports):
                errors += endpoint_port(port, f"{path}.ports[{number}]", len(ports) > 1)
        return errors


def _address(address: dict[str, Any], path: str) -> list[FieldError]:
    ip = address.get("ip") or ""
    errors = names.errors(f"{path}.ip", ip, names.ip_address)
    if address.get("hostname"):
        errors += names.errors(f"{path}.hostname", address["hostname"], names.dns1123_label)
    if address.get("nodeName") is not None:
        errors += names.errors(f"{path}.nodeName", address["nodeName"], names.dns1123_subdomain)
    return errors or external_address(f"{path}.ip", ip)


def endpoint_port(port: dict[str, Any], path: str, name_required: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("name"):
        errors += names.errors(f"{path}.name", port["name"], names.dns1123_label)
    elif name_required:
        errors.append(field_errors.required(f"{path}.name"))
    errors += names.errors(f"{path}.port", port.get("port") or 0, names.port_number)
    errors += field_checks.required_enum(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    if port.get("appProtocol") is not None:
        errors += names.errors(f"{path}.appProtocol", port["appProtocol"], names.qualified_name)
    return errors


STRATEGY = EndpointsStrategy()
