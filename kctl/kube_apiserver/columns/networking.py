"""Table columns of networking.k8s.io and discovery.k8s.io."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, described
from kctl.kube_apiserver.columns.core import NONE, created, load_balancer_addresses

UNSET = "<unset>"
_SHOWN = 3


def _shortened(items: list[str], total: int) -> str:
    more = f" + {total - _SHOWN} more..." if total > _SHOWN else ""
    return ",".join(items[:_SHOWN]) + more


def _hosts(rules: list[dict[str, Any]]) -> str:
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    if not hosts:
        return "*"
    return _shortened(hosts, len(rules) if len(hosts) > _SHOWN else len(hosts))


def _ingress(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    return [
        objects.name(obj),
        spec.get("ingressClassName") or NONE,
        _hosts(spec.get("rules") or []),
        load_balancer_addresses(obj),
        "80, 443" if spec.get("tls") else "80",
        created(obj, now),
    ]


def _ingress_class(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    parameters, shown = spec.get("parameters"), NONE
    if parameters is not None:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        shown = f"{parameters.get('kind') or ''}{group}/{parameters.get('name') or ''}"
    return [objects.name(obj), spec.get("controller") or "", shown, created(obj, now)]


def _network_policy(obj: Object, now: datetime) -> list[Any]:
    selector = labels.format_selector(objects.spec(obj).get("podSelector") or {})
    return [objects.name(obj), selector, created(obj, now)]


def _service_cidr(obj: Object, now: datetime) -> list[Any]:
    return [objects.name(obj), ",".join(objects.spec(obj).get("cidrs") or ()), created(obj, now)]


def _ip_address(obj: Object, now: datetime) -> list[Any]:
    parent = objects.spec(obj).get("parentRef")
    if parent is None:
        return [objects.name(obj), NONE]
    resource = ".".join(part for part in (parent.get("resource"), parent.get("group")) if part)
    parts = [resource, parent.get("namespace"), parent.get("name")]
    return [objects.name(obj), "/".join(part for part in parts if part)]


def _slice_ports(ports: list[dict[str, Any]]) -> str:
    if not ports:
        return UNSET
    return _shortened(["*" if port.get("port") is None else str(port["port"]) for port in ports], len(ports))


def _slice_endpoints(endpoints: list[dict[str, Any]]) -> str:
    addresses = [address for endpoint in endpoints for address in endpoint.get("addresses") or ()]
    return _shortened(addresses, len(addresses)) if endpoints else UNSET


def _endpoint_slice(obj: Object, now: datetime) -> list[Any]:
    return [
        objects.name(obj),
        obj.get("addressType") or "",
        _slice_ports(obj.get("ports") or []),
        _slice_endpoints(obj.get("endpoints") or []),
        created(obj, now),
    ]


COLUMNS: dict[str, Columns] = {
    "ingresses.networking.k8s.io": Columns(
        (
            NAME,
            Column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
            Column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
            Column("Address", "Address is a list containing ingress points for the load-balancer"),
            Column("Ports", "Ports of TLS configurations that open"),
            AGE,
        ),
        _ingress,
    ),
    "ingressclasses.networking.k8s.io": Columns(
        (
            NAME,
            Column("Controller", "Controller that is responsible for handling this class"),
            Column("Parameters", "A reference to a resource with additional parameters"),
            AGE,
        ),
        _ingress_class,
    ),
    "networkpolicies.networking.k8s.io": Columns((NAME, described("Pod-Selector", "NetworkPolicySpec.podSelector"), AGE), _network_policy),
    "servicecidrs.networking.k8s.io": Columns((NAME, described("CIDRs", "ServiceCIDRSpec.cidrs"), AGE), _service_cidr),
    "ipaddresses.networking.k8s.io": Columns((NAME, described("ParentRef", "IPAddressSpec.parentRef")), _ip_address),
    "endpointslices.discovery.k8s.io": Columns(
        (
            NAME,
            described("AddressType", "EndpointSlice.addressType"),
            described("Ports", "EndpointSlice.ports"),
            described("Endpoints", "EndpointSlice.endpoints"),
            AGE,
        ),
        _endpoint_slice,
    ),
}
