"""What cluster DNS says to a question, as CoreDNS does with kubeadm's Corefile: the zone cluster.local with its negative answers, aliases
that are followed, reverse names; everything else is another server's."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from controllers.kubelet.cluster_dns.message import NOERROR, NXDOMAIN, Answer, Record
from controllers.kubelet.files.etc import CLUSTER_DOMAIN

TTL_SECONDS = 30
_SERVER = f"ns.dns.{CLUSTER_DOMAIN}"
_MOST_ALIASES = 8
_REVERSE = (".in-addr.arpa", ".ip6.arpa")
_LOOPBACK = ".127.in-addr.arpa"
_LOCALHOST = "1.0.0.127.in-addr.arpa"


class Names(Protocol):
    """As ClusterNames has them."""

    def resolve(self, name: str, type: str) -> list[str]: ...

    def exists(self, name: str) -> bool: ...


class Elsewhere(Exception):
    """Another server has to be asked for `name`, to follow the aliases `before`."""

    def __init__(self, name: str, before: Sequence[Record] = ()) -> None:
        super().__init__(name)
        self.name = name
        self.before = before


class ClusterZone:
    """`address` is the server's own; `serial` counts the changes of what the names are made of."""

    def __init__(self, names: Names, address: str, serial: Callable[[], int], randomness: random.Random) -> None:
        self._names = names
        self._address = address
        self._serial = serial
        self._randomness = randomness

    def answer(self, name: str, type: str) -> Answer:
        """`type` '' for one that no name has. Raises Elsewhere."""
        found: list[Record] = []
        asked = name
        for _ in range(_MOST_ALIASES):
            lower = asked.lower()
            if not _is_ours(lower):
                if lower.endswith(_REVERSE) and not found:
                    return self._reverse(asked, lower, type)
                raise Elsewhere(asked, found)
            values = self._values(lower, type)
            if values:
                if len(values) > 1 and type in ("A", "AAAA"):
                    self._randomness.shuffle(values)
                found += [Record(asked, type, value, TTL_SECONDS) for value in values]
                return Answer(NOERROR, found, additional=self._additional(found) if type == "SRV" else ())
            alias = self._names.resolve(lower, "CNAME") if type != "CNAME" else []
            if not alias:
                there = found or lower in (CLUSTER_DOMAIN, f"dns.{CLUSTER_DOMAIN}", _SERVER) or self._names.exists(lower)
                return Answer(NOERROR if there else NXDOMAIN, found, [self._soa()])
            found.append(Record(asked, "CNAME", alias[0], TTL_SECONDS))
            asked = alias[0].rstrip(".")
        return Answer(NOERROR, found)

    def _values(self, name: str, type: str) -> list[str]:
        if name == CLUSTER_DOMAIN and type in ("SOA", "NS"):
            return [self._soa().value if type == "SOA" else f"{_SERVER}."]
        if name == _SERVER:
            return [self._address] if type == "A" else []
        return self._names.resolve(name, type) if type else []

    def _additional(self, found: Sequence[Record]) -> list[Record]:
        """The addresses of what SRV records name."""
        targets = dict.fromkeys(record.value.split()[-1].rstrip(".") for record in found)
        return [
            Record(target, type, value, TTL_SECONDS)
            for target in targets
            for type in ("A", "AAAA")
            for value in self._names.resolve(target, type)
        ]

    def _reverse(self, asked: str, name: str, type: str) -> Answer:
        """Addresses that are no Service's or endpoint's may be known elsewhere; those of the loopback are not asked for outside."""
        values = self._names.resolve(name, "PTR")
        if not values and name == _LOCALHOST:
            values = ["localhost."]
        if values:
            return Answer(NOERROR, [Record(asked, "PTR", value, TTL_SECONDS) for value in values] if type == "PTR" else (), ())
        if name.endswith(_LOOPBACK):
            return Answer(NXDOMAIN, (), [self._soa("127.in-addr.arpa")])
        raise Elsewhere(asked)

    def _soa(self, zone: str = CLUSTER_DOMAIN) -> Record:
        numbers = f"{self._serial() & 0xFFFFFFFF} 7200 1800 86400 {TTL_SECONDS}"
        return Record(zone, "SOA", f"{_SERVER}. hostmaster.{CLUSTER_DOMAIN}. {numbers}", TTL_SECONDS)


def _is_ours(name: str) -> bool:
    return name == CLUSTER_DOMAIN or name.endswith(f".{CLUSTER_DOMAIN}")
