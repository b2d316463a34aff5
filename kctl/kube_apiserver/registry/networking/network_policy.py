"""NetworkPolicies: peers, ports, policy types."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_TYPES = ("Ingress", "Egress")


class NetworkPolicyStrategy(Strategy):
    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port.setdefault("protocol", "TCP")
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec = objects.spec(obj)
        errors = validate_label_selector(spec.get("podSelector"), "spec.podSelector")
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(spec.get(direction) or ()):
                path = f"spec.{direction}[{index}]"
                for number, port in enumerate(rule.get("ports") or ()):
                    errors += _port(port, f"{path}.ports[{number}]")
                for number, peer in enumerate(rule.get(peers) or ()):
                    errors += _peer(peer, f"{path}.{peers}[{number}]")
        types = spec.get("policyTypes") or []
        if len(types) > len(_TYPES):
            why = "may not specify more than two policyTypes"
            return [*errors, field_errors.invalid("spec.policyTypes", types, why)]
        for index, kind in enumerate(types):
            errors += field_checks.enum(f"spec.policyTypes[{index}]", kind, _TYPES)
        return errors


def _port(port: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if port.get("protocol") is not None:
        errors += field_checks.enum(f"{path}.protocol", port["protocol"], ("TCP", "UDP", "SCTP"))
    value, end = port.get("port"), port.get("endPort")
    if isinstance(value, int):
        errors += names.errors(f"{path}.port", value, names.port_number)
        if end is not None:
            if end < value:
                errors.append(field_errors.invalid(f"{path}.endPort", value, "must be greater than or equal to `port`"))
            errors += names.errors(f"{path}.endPort", end, names.port_number)
    elif value is not None:
        if end is not None:
            why = "may not be specified when `port` is non-numeric"
            errors.append(field_errors.invalid(f"{path}.endPort", end, why))
        errors += names.errors(f"{path}.port", value, names.port_name)
    elif end is not None:
        why = "may not be specified when `port` is not specified"
        errors.append(field_errors.invalid(f"{path}.endPort", end, why))
    return errors


def _peer(peer: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(name) is not None]
    for name in given:
        if name == "ipBlock":
            errors += _ip_block(peer[name], f"{path}.ipBlock")
        else:
            errors += validate_label_selector(peer[name], f"{path}.{name}")
    if not given:
        errors.append(field_errors.required(path, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        errors.append(field_errors.forbidden(path, "may not specify both ipBlock and another peer"))
    return errors


def _ip_block(block: dict[str, Any], path: str) -> list[FieldError]:
    errors = field_checks.required_name(f"{path}.cidr", block.get("cidr"), names.cidr)
    network = names.parse_cidr(block.get("cidr") or "")
    if errors or network is None:
        return errors
    for index, text in enumerate(block.get("except") or ()):
        here = f"{path}.except[{index}]"
        problems = names.errors(here, text, names.cidr)
        hole = names.parse_cidr(text)
        if problems or hole is None:
            return errors + problems
        inside = hole.version == network.version and hole.network_address in network
        if not inside or network.prefixlen >= hole.prefixlen:
            errors.append(field_errors.invalid(here, text, "must be a strict subset of `cidr`"))
    return errors


STRATEGY = NetworkPolicyStrategy()
