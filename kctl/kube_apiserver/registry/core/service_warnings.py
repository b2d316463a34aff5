"""Warnings about Services that are accepted all the same: ignored and deprecated fields, addresses in an odd notation."""

from __future__ import annotations

import ipaddress
from typing import Any

from kctl.apimachinery import names, objects
from kctl.apimachinery.field_errors import go_value
from kctl.apimachinery.objects import Object

_HINTS = "service.kubernetes.io/topology-aware-hints"
_EXTERNAL = "spec.externalIPs is deprecated and may no longer be implemented in some clusters"


def warnings(obj: Object) -> list[str]:
    spec = objects.spec(obj)
    texts: list[str] = []
    if _HINTS in objects.annotations(obj):
        texts.append(f"annotation {_HINTS} is deprecated, please use service.kubernetes.io/topology-mode instead")
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address and address != "None":
            texts += _address(f"spec.clusterIPs[{index}]", address)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        texts += _address(f"spec.externalIPs[{index}]", address)
    if spec.get("loadBalancerIP"):
        texts += _address("spec.loadBalancerIP", spec["loadBalancerIP"])
    for index, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        texts += _network(f"spec.loadBalancerSourceRanges[{index}]", text)
    return texts + _ignored(spec)


def _ignored(spec: dict[str, Any]) -> list[str]:
    texts: list[str] = []
    external_name = spec.get("type") == "ExternalName"
    if spec.get("externalIPs"):
        texts.append('spec.externalIPs is ignored when spec.type is "ExternalName"' if external_name else _EXTERNAL)
    if not external_name and spec.get("externalName"):
        texts.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    headless = spec.get("clusterIP") == "None"
    if headless and spec.get("loadBalancerIP"):
        texts.append("spec.loadBalancerIP is ignored for headless services")
    if headless and spec.get("externalIPs"):
        texts.append("spec.externalIPs is ignored for headless services")
    if headless and spec.get("sessionAffinity") not in (None, "None"):
        texts.append("spec.SessionAffinity is ignored for headless services")
    return texts


def _address(path: str, text: str) -> list[str]:
    ip = names.parse_ip(text)
    if ip is None or ip.version == 4 or str(ip) == text:
        return []
    return [f"{path}: IPv6 address {go_value(text)} should be in RFC 5952 canonical format ({go_value(str(ip))})"]


def _network(path: str, text: str) -> list[str]:
    network = names.parse_cidr(text.strip())
    if network is None:
        return []
    address = ipaddress.ip_address(text.strip().partition("/")[0])
    if address != network.network_address:
        single = f"{address}/{address.max_prefixlen}"
        shown = f"should be {go_value(str(network))} or {go_value(single)}?"
        return [f"{path}: CIDR value {go_value(text)} is ambiguous in this context ({shown})"]
    if network.version == 6 and str(network) != text:
        return [f"{path}: IPv6 CIDR value {go_value(text)} should be in RFC 5952 canonical format ({go_value(str(network))})"]
    return []
