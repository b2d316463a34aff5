"""Endpoints (the legacy kind): addresses and ports of a Service."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core.service_validation import PROTOCOLS, external_address, without_pods
from kctl.kube_apiserver.registry.rules.language import each, field, optional, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

_SPELLING = struct(
    field("ip", names.ip_address),
    optional("hostname", names.dns1123_label),
    pointer("nodeName", names.dns1123_subdomain),
)


def _address(address: Any, path: str) -> list[FieldError]:
    """One that is spelt well is looked at for what it means."""
    return _SPELLING.errors_at(address, path) or external_address(f"{path}.ip", address.get("ip") or "")


def _some_address(subset: Any, path: str) -> list[FieldError]:
    given = subset.get("addresses") or subset.get("notReadyAddresses")
    return [] if given else [field_errors.required(path, "must specify `addresses` or `notReadyAddresses`")]


_PORT = (
    field("port", names.port_number, zero=0),
    field("protocol", required=True, enum=PROTOCOLS, default="TCP"),
    pointer("appProtocol", names.qualified_name),
)
_SINGLE = each(struct(optional("name", names.dns1123_label), *_PORT))
_SEVERAL = each(struct(field("name", names.dns1123_label, required=True), *_PORT))


def _ports(ports: Any, path: str) -> list[FieldError]:
    return (_SEVERAL if len(ports) > 1 else _SINGLE).errors_at(ports, path)


_SUBSET = struct(
    _some_address,
    field("addresses", each(_address)),
    field("notReadyAddresses", each(_address)),
    field("ports", _ports, zero=()),
    field("ports", each(struct(field("protocol", default="TCP")))),
)


class EndpointsStrategy(RuledStrategy):
    allow_create_on_update = True
    has_generation = False
    rules = struct(field("subsets", each(_SUBSET)))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return without_pods(context.user, super().validate(context, obj))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return without_pods(context.user, super().validate_update(context, obj, old))


STRATEGY = EndpointsStrategy()
