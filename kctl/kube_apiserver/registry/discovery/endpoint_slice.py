"""EndpointSlices: addresses of one family, their conditions and hints, ports."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.service_validation import PROTOCOLS, external_address
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_VERSIONS = {"IPv4": 4, "IPv6": 6}
_MAX_ENDPOINTS, _MAX_PORTS, _MAX_ADDRESSES, _MAX_HINTS = 1000, 20000, 100, 8


class EndpointSliceStrategy(Strategy):
    generation_fields = ("endpoints", "ports", "addressType")

    def default(self, context: Context, obj: Object) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        """A change of labels counts as a new generation too."""
        if objects.labels(obj) != objects.labels(old):
            obj["metadata"]["generation"] = objects.generation(old) + 1

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        kind = obj.get("addressType") or ""
        errors = field_checks.required_enum("addressType", kind, _ADDRESS_TYPES)
        endpoints = obj.get("endpoints") or []
        if len(endpoints) > _MAX_ENDPOINTS:
            return [*errors, field_errors.too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
        for index, endpoint in enumerate(endpoints):
            errors += _endpoint(endpoint, f"endpoints[{index}]", kind)
        return errors + _ports(obj.get("ports") or [])

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        return errors + field_checks.immutable("addressType", obj.get("addressType"), old.get("addressType"))

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        """Upstream says spec, which the kind does not have."""
        return ["spec.addressType: FQDN endpoints are deprecated"] if obj.get("addressType") == "FQDN" else []


def _endpoint(endpoint: dict[str, Any], path: str, kind: str) -> list[FieldError]:
    addresses, here = endpoint.get("addresses") or [], f"{path}.addresses"
    errors: list[FieldError] = []
    if not addresses:
        errors.append(field_errors.required(here, "must contain at least 1 address"))
    elif len(addresses) > _MAX_ADDRESSES:
        errors.append(field_errors.too_many(here, len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        errors += _address(f"{here}[{index}]", address, kind)
    if endpoint.get("nodeName") is not None:
        errors += names.errors(f"{path}.nodeName", endpoint["nodeName"], names.dns1123_subdomain)
    errors += validate_labels(endpoint.get("deprecatedTopology"), f"{path}.deprecatedTopology")
    if endpoint.get("hostname") is not None:
        errors += names.errors(f"{path}.hostname", endpoint["hostname"], names.dns1123_label)
    return errors + _hints(endpoint.get("hints") or {}, f"{path}.hints")


def _address(path: str, address: str, kind: str) -> list[FieldError]:
    if kind == "FQDN":
        return _domain_name(path, address)
    if kind not in _VERSIONS:
        return []
    errors, ip = names.errors(path, address, names.ip_address), names.parse_ip(address)
    if errors or ip is None:
        return errors
    if ip.version != _VERSIONS[kind]:
        errors.append(field_errors.invalid(path.rpartition("[")[0], address, f"must be an {kind} address"))
    return errors + external_address(path, address)


def _domain_name(path: str, name: str) -> list[FieldError]:
    """At least two labels; the dot of the root may follow."""
    if not name:
        return [field_errors.required(path)]
    name = name.removesuffix(".")
    problems, labels = names.dns1123_subdomain(name), name.split(".")
    errors = [field_errors.invalid(path, name, ",".join(problems))] if problems else []
    if len(labels) < 2:
        why = "should be a domain with at least two segments separated by dots"
        errors.append(field_errors.invalid(path, name, why))
    wrong = next((label for label in labels if names.dns1123_label(label)), None)
    if wrong is not None:
        errors.append(field_errors.invalid(path, wrong, ",".join(names.dns1123_label(wrong))))
    return errors


def _hints(hints: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("forZones", "forNodes"):
        entries = hints.get(name) or []
        if len(entries) > _MAX_HINTS:
            return [*errors, field_errors.too_many(f"{path}.{name}", len(entries), _MAX_HINTS)]
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            here, value = f"{path}.{name}[{index}].name", entry.get("name") or ""
            if value in seen:
                errors.append(field_errors.duplicate(here, value))
            seen.add(value)
            errors += names.errors(here, value, names.label_value if name == "forZones" else names.dns1123_subdomain)
    return errors


def _ports(ports: list[dict[str, Any]]) -> list[FieldError]:
    if len(ports) > _MAX_PORTS:
        return [field_errors.too_many("ports", len(ports), _MAX_PORTS)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.get("name") or ""
        if name:
            errors += names.errors(f"{path}.name", name, names.dns1123_label)
        if name in seen:
            errors.append(field_errors.duplicate(f"{path}.name", name))
        seen.add(name)
        errors += field_checks.required_enum(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
        if port.get("appProtocol") is not None:
            errors += names.errors(f"{path}.appProtocol", port["appProtocol"], names.qualified_name)
    return errors


STRATEGY = EndpointSliceStrategy()
