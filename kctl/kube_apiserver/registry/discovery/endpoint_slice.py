"""EndpointSlices: addresses of one family, their conditions and hints, ports."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.kube_apiserver.registry.core.service_validation import PROTOCOLS, external_address, without_pods
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels
from kctl.kube_apiserver.registry.rules.checks import most_items, only_if_set
from kctl.kube_apiserver.registry.rules.language import Field, each, field, pointer, struct, when
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_ADDRESS_TYPES = enums.of("EndpointSlice.addressType")
_VERSIONS = {"IPv4": 4, "IPv6": 6}
_MAX_ENDPOINTS, _MAX_PORTS, _MAX_ADDRESSES, _MAX_HINTS = 1000, 20000, 100, 8


def _address(address: str, path: str, root: Any) -> list[FieldError]:
    kind = root.get("addressType") or ""
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


def _few(name: str, limit: int, *rules: Any, **unique: Any) -> Field:
    """A list that is not looked into where it is too long."""
    inner = each(struct(*rules), **unique)

    def check(items: Any, path: str, root: Any) -> list[FieldError]:
        return most_items(limit)(items, path) or inner.errors_at(items, path, root)

    return field(name, check, zero=())


def _few_hints(hints: Any) -> bool:
    return len(hints.get("forZones") or ()) <= _MAX_HINTS


_HINTS = struct(
    _few("forZones", _MAX_HINTS, field("name", names.label_value), unique="name", first=True, empty=True),
    when(_few_hints, _few("forNodes", _MAX_HINTS, field("name", names.dns1123_subdomain), unique="name", first=True, empty=True)),
)
_ENDPOINT = (
    field("addresses", most_items(_MAX_ADDRESSES), each(_address), required="must contain at least 1 address"),
    pointer("nodeName", names.dns1123_subdomain),
    field("deprecatedTopology", validate_labels, zero=None),
    pointer("hostname", names.dns1123_label),
    field("hints", _HINTS),
)


def _ports(ports: list[Any], path: str) -> list[FieldError]:
    if len(ports) > _MAX_PORTS:
        return [field_errors.too_many(path, len(ports), _MAX_PORTS)]
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here, name = f"{path}[{index}]", port.get("name") or ""
        errors += _PORT_NAME.errors_at(port, here)
        if name in seen:
            errors.append(field_errors.duplicate(f"{here}.name", name))
        seen.add(name)
        errors += _PORT.errors_at(port, here)
    return errors


_PORT_NAME = struct(field("name", only_if_set(names.dns1123_label)))
_PORT = struct(field("protocol", required=True, enum=PROTOCOLS), pointer("appProtocol", names.qualified_name))


class EndpointSliceStrategy(RuledStrategy):
    generation_fields = ("endpoints", "ports", "addressType")
    rules = struct(
        field("addressType", required=True, enum=_ADDRESS_TYPES, immutable=True),
        _few("endpoints", _MAX_ENDPOINTS, *_ENDPOINT),
        when(lambda obj: len(obj.get("endpoints") or ()) <= _MAX_ENDPOINTS, lambda obj, path: _ports(obj.get("ports") or [], "ports")),
    )

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return without_pods(context.user, super().validate(context, obj))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return without_pods(context.user, super().validate_update(context, obj, old))

    def default(self, context: Context, obj: Object) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        """A change of labels counts as a new generation too."""
        if objects.labels(obj) != objects.labels(old):
            obj["metadata"]["generation"] = objects.generation(old) + 1

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        """Upstream says spec, which the kind does not have."""
        return ["spec.addressType: FQDN endpoints are deprecated"] if obj.get("addressType") == "FQDN" else []


STRATEGY = EndpointSliceStrategy()
