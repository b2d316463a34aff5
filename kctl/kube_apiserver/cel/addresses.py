"""Kubernetes' IP addresses, networks and URLs as values of expressions."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kctl.apimachinery import names
from kctl.kube_apiserver.cel.function import Function, Functions, traverse
from kctl.kube_apiserver.cel.values import CelError, ListValue, MapValue, no_such_overload

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Ip:
    cel_type = "net.IP"
    __slots__ = ("address",)

    def __init__(self, address: Address) -> None:
        self.address = address

    def cel_text(self) -> str:
        return str(self.address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ip) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)


class Cidr:
    """`address` may have bits beyond the prefix."""

    cel_type = "net.CIDR"
    __slots__ = ("address", "network")

    def __init__(self, text: str) -> None:
        network = names.parse_cidr(text)
        address = names.parse_ip(text.partition("/")[0])
        if network is None or address is None:
            raise CelError(f"network address parse error during conversion from string: invalid CIDR address: {text}")
        self.network: Network = network
        self.address: Address = address

    def cel_text(self) -> str:
        return f"{self.address}/{self.network.prefixlen}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cidr) and (self.address, self.network) == (other.address, other.network)

    def __hash__(self) -> int:
        return hash((self.address, self.network))


class Url:
    cel_type = "kubernetes.URL"
    __slots__ = ("parts", "text")

    def __init__(self, text: str) -> None:
        try:
            self.parts: SplitResult = urlsplit(text)
            _ = self.parts.port
        except ValueError as error:
            raise CelError(f'URL parse error during conversion from string: parse "{text}": {error}') from None
        if not self.parts.scheme and not text.startswith("/"):
            raise CelError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
        if any(letter < " " or letter == "\x7f" for letter in text):
            raise CelError(f'URL parse error during conversion from string: parse "{text}": net/url: invalid control character in URL')
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise no_such_overload()
    return value


def _address(text: Any) -> Address:
    found = names.parse_ip(_text(text))
    if found is None:
        raise CelError(f"IP Address '{text}' parse error during conversion from string: ParseAddr(\"{text}\"): unable to parse IP")
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        raise CelError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    if "%" in text:
        raise CelError(f'IP address "{text}" with zone value is not allowed')
    return found


def _ip(value: Any) -> Ip:
    return Ip(value.address) if isinstance(value, Cidr) else Ip(_address(value))


def _parses(make: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        _text(value)
        try:
            make(value)
        except CelError:
            return False
        return True

    return check


def _of(kind: type, read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        if not isinstance(value, kind):
            raise no_such_overload()
        return read(value)

    return apply


def _contains_ip(network: Any, other: Any) -> bool:
    if not isinstance(network, Cidr):
        raise no_such_overload()
    address = other.address if isinstance(other, Ip) else _address(other)
    return bool(address.version == network.network.version and address in network.network)


def _contains_cidr(network: Any, other: Any) -> bool:
    if not isinstance(network, Cidr):
        raise no_such_overload()
    inner = other if isinstance(other, Cidr) else Cidr(_text(other))
    same = inner.network.version == network.network.version
    return bool(same) and inner.address in network.network and inner.network.prefixlen >= network.network.prefixlen


def _query(url: Url) -> MapValue:
    found: dict[str, list[str]] = {}
    for key, value in parse_qsl(url.parts.query, keep_blank_values=True):
        found.setdefault(key, []).append(value)
    return MapValue({key: ListValue(values) for key, values in found.items()})


def _hostname(url: Url) -> str:
    host = _host(url)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _host(url: Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


def _is_canonical(text: Any) -> bool:
    return bool(str(_address(text)) == text)


GLOBAL: Functions = {
    "ip": Function(_ip, traverse),
    "isIP": Function(_parses(_address), traverse),
    "cidr": Function(lambda text: Cidr(_text(text)), traverse),
    "isCIDR": Function(_parses(Cidr), traverse),
    "url": Function(lambda text: Url(_text(text)), traverse),
    "isURL": Function(_parses(Url), traverse),
}
METHODS: Functions = {
    "family": Function(_of(Ip, lambda value: value.address.version)),
    "isUnspecified": Function(_of(Ip, lambda value: value.address.is_unspecified)),
    "isLoopback": Function(_of(Ip, lambda value: value.address.is_loopback)),
    "isLinkLocalMulticast": Function(_of(Ip, lambda value: _link_local_multicast(value.address))),
    "isLinkLocalUnicast": Function(_of(Ip, lambda value: value.address.is_link_local)),
    "isGlobalUnicast": Function(_of(Ip, lambda value: _global_unicast(value.address))),
    "ip": Function(_of(Cidr, lambda value: Ip(value.address))),
    "masked": Function(_of(Cidr, lambda value: Cidr(str(value.network)))),
    "prefixLength": Function(_of(Cidr, lambda value: value.network.prefixlen)),
    "containsIP": Function(_contains_ip, traverse),
    "containsCIDR": Function(_contains_cidr, traverse),
    "getScheme": Function(_of(Url, lambda value: value.parts.scheme)),
    "getHost": Function(_of(Url, _host)),
    "getHostname": Function(_of(Url, _hostname)),
    "getPort": Function(_of(Url, lambda value: "" if value.parts.port is None else str(value.parts.port))),
    "getEscapedPath": Function(_of(Url, lambda value: value.parts.path)),
    "getQuery": Function(_of(Url, _query)),
    "getPath": Function(_of(Url, lambda value: unquote(value.parts.path))),
}
QUALIFIED: Functions = {"ip.isCanonical": Function(_is_canonical, traverse)}


def _link_local_multicast(address: Address) -> bool:
    if address.version == 4:
        return address in ipaddress.ip_network("224.0.0.0/24")
    return address.is_multicast and (int(address) >> 112) & 0xF == 2


def _global_unicast(address: Address) -> bool:
    broadcast = address.version == 4 and int(address) == 0xFFFFFFFF
    return not (address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local or broadcast)
