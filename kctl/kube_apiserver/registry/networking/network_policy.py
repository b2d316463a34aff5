"""NetworkPolicies: peers, ports, policy types."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.checks import given
from kctl.kube_apiserver.registry.rules.language import each, field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy

_TYPES = ("Ingress", "Egress")


def _numbers(port: Any, path: str) -> list[FieldError]:
    value, end = port.get("port"), port.get("endPort")
    here, last = f"{path}.port", f"{path}.endPort"
    if isinstance(value, int):
        errors = names.errors(here, value, names.port_number)
        if end is not None and end < value:
            errors.append(field_errors.invalid(last, value, "must be greater than or equal to `port`"))
        return errors if end is None else errors + names.errors(last, end, names.port_number)
    why = f"may not be specified when `port` is {'not specified' if value is None else 'non-numeric'}"
    errors = [field_errors.invalid(last, end, why)] if end is not None else []
    return errors if value is None else errors + names.errors(here, value, names.port_name)


def _some_peer(peer: Any, path: str) -> list[FieldError]:
    kinds = given(peer, ("podSelector", "namespaceSelector", "ipBlock"))
    if not kinds:
        return [field_errors.required(path, "must specify a peer")]
    both = len(kinds) > 1 and "ipBlock" in kinds
    return [field_errors.forbidden(path, "may not specify both ipBlock and another peer")] if both else []


def _ip_block(block: Any, path: str) -> list[FieldError]:
    """The exceptions are looked at as far as the first that is no network."""
    errors = field_checks.required_name(f"{path}.cidr", block.get("cidr"), names.cidr)
    network = names.parse_cidr(block.get("cidr") or "")
    if errors or network is None:
        return errors
    for index, text in enumerate(block.get("except") or ()):
        here = f"{path}.except[{index}]"
        problems, hole = names.errors(here, text, names.cidr), names.parse_cidr(text)
        if problems or hole is None:
            return errors + problems
        inside = hole.version == network.version and hole.network_address in network
        if not inside or network.prefixlen >= hole.prefixlen:
            errors.append(field_errors.invalid(here, text, "must be a strict subset of `cidr`"))
    return errors


def _types(types: list[str], path: str) -> list[FieldError]:
    if len(types) > len(_TYPES):
        return [field_errors.invalid(path, types, "may not specify more than two policyTypes")]
    return [error for index, kind in enumerate(types) for error in field_checks.enum(f"{path}[{index}]", kind, _TYPES)]


_PORT = struct(pointer("protocol", enum=("TCP", "UDP", "SCTP"), default="TCP"), _numbers)
_PEER = struct(
    pointer("podSelector", validate_label_selector),
    pointer("namespaceSelector", validate_label_selector),
    pointer("ipBlock", _ip_block),
    _some_peer,
)
_SPEC = struct(
    field("podSelector", validate_label_selector, default={}, zero=None),
    *(
        field(direction, each(struct(field("ports", each(_PORT)), field(peers, each(_PEER)))))
        for direction, peers in (("ingress", "from"), ("egress", "to"))
    ),
    field("policyTypes", _types, default=lambda spec: list(_TYPES) if spec.get("egress") else ["Ingress"], zero=()),
)


class NetworkPolicyStrategy(RuledStrategy):
    rules = struct(field("spec", _SPEC, default={}))


STRATEGY = NetworkPolicyStrategy()
