"""kube-dns over real sockets: the record table of Kubernetes' DNS specification, negative answers, limits, other servers' names."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controllers.kubelet.cluster_dns import message, upstream
from controllers.kubelet.cluster_dns.server import LONGEST_QUERY, ClusterDns
from controllers.kubelet.cluster_dns.upstream import Upstream
from controllers.kubelet.network.cluster_names import ClusterNames
from kctl.apimachinery.clock import RealClock
from tests.controllers.kubelet.cluster_dns.resolver import Reply, by_tcp, by_udp, query, read
from tests.controllers.kubelet.network.objects_at_hand import Sources, endpoint, endpoint_slice, service

pytestmark = [pytest.mark.real_time]
ADDRESS = "127.91.2.53"
SVC = "default.svc.cluster.local"
NUMBERS = "( 1 ; serial 2H ; refresh 30M ; retry 1D ; expiry 30S ) ; minimum"
SOA = f"cluster.local. 30S IN SOA ns.dns.cluster.local. hostmaster.cluster.local. {NUMBERS}"


def _six(*addresses: str) -> dict[str, Any]:
    made = endpoint_slice(*(endpoint(address) for address in addresses), name="db", port=5432, port_name="sql")
    return {**made, "addressType": "IPv6"}


def sources() -> Sources:
    return Sources(
        service(clusterIPs=["10.96.0.7", "fd00::7"]),
        service("db", "None", ports=[{"name": "sql", "port": 5432, "protocol": "TCP"}]),
        service("empty", "None"),
        service("big", "None"),
        service("out", "", type="ExternalName", externalName="www.example.com", ports=[]),
        service("alias", "", type="ExternalName", externalName=f"db.{SVC}", ports=[]),
        service("circle", "", type="ExternalName", externalName=f"circle.{SVC}", ports=[]),
        service("number", "", type="ExternalName", externalName="192.0.2.1", ports=[]),
        slices=[
            endpoint_slice(
                endpoint("10.244.0.3", hostname="db-0"),
                endpoint("10.244.1.4", hostname="db-1", conditions={"ready": False}),
                name="db",
                port=5432,
                port_name="sql",
            ),
            _six("fd00:10::3"),
            endpoint_slice(*(endpoint(f"10.244.9.{number}") for number in range(1, 201)), name="big"),
        ],
    )


class OtherServer(asyncio.DatagramProtocol):
    """Knows www.example.com; nothing at all of silent.example.com; of every other name that there is none."""

    asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, client: Any) -> None:
        self.asked += 1
        if b"silent" in data:
            return
        self.transport.sendto(b"\xff\xff" + data[2:], client)  # a guess of somebody else: passed over
        self.transport.sendto(self.answer(data), client)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made = self.answer(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))
        writer.write(len(made).to_bytes(2, "big") + made)
        writer.close()

    @staticmethod
    def answer(data: bytes) -> bytes:
        known = b"\3www\7example\3com" in data
        flags = b"\x81\x80" if known else b"\x81\x83"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, 2, 80])
        return data[:2] + flags + data[4:6] + bytes([0, known]) + bytes(4) + data[12:] + record * known


@contextlib.asynccontextmanager
async def dns(found: Sources | None = None) -> AsyncIterator[tuple[ClusterDns, OtherServer]]:
    loop = asyncio.get_running_loop()
    transport, other = await loop.create_datagram_endpoint(OtherServer, ("127.91.2.54", 0))
    place = transport.get_extra_info("sockname")
    by_stream = await asyncio.start_server(other.connected, *place)
    randomness = random.Random(1)
    made = ClusterDns(
        RealClock(), ClusterNames(found or sources()), ADDRESS, Upstream(RealClock(), lambda: [place], randomness), randomness, 0
    )
    await made.start()
    try:
        yield made, other
    finally:
        await made.stop()
        transport.close()
        by_stream.close()


async def ask(server: ClusterDns, name: str, type: str = "A", **more: Any) -> Reply:
    """By UDP and by TCP, which have to agree where the answer is not too long."""
    asked = query(name, type, **more)
    place = server.address, server.port
    first, (second,) = read(await by_udp(place, asked)), await by_tcp(place, asked)
    if not first.truncated:
        assert first.rcode == read(second).rcode and sorted(first.answers) == sorted(read(second).answers)
    return first


TABLE = [
    ("dns-version.cluster.local", "TXT", ['dns-version.cluster.local. 30S IN TXT "1.1.0"']),
    (f"web.{SVC}", "A", [f"web.{SVC}. 30S IN A 10.96.0.7"]),
    (f"web.{SVC}", "AAAA", [f"web.{SVC}. 30S IN AAAA fd00::7"]),
    (f"_http._tcp.web.{SVC}", "SRV", [f"_http._tcp.web.{SVC}. 30S IN SRV 0 100 80 web.{SVC}."]),
    ("7.0.96.10.in-addr.arpa", "PTR", [f"7.0.96.10.in-addr.arpa. 30S IN PTR web.{SVC}."]),
    (f"db.{SVC}", "A", [f"db.{SVC}. 30S IN A 10.244.0.3"]),
    (f"db.{SVC}", "AAAA", [f"db.{SVC}. 30S IN AAAA fd00:10::3"]),
    (f"db-0.db.{SVC}", "A", [f"db-0.db.{SVC}. 30S IN A 10.244.0.3"]),
    (
        f"_sql._tcp.db.{SVC}",
        "SRV",
        [
            f"_sql._tcp.db.{SVC}. 30S IN SRV 0 50 5432 db-0.db.{SVC}.",
            f"_sql._tcp.db.{SVC}. 30S IN SRV 0 50 5432 fd00-10--3.db.{SVC}.",
        ],
    ),
    ("3.0.244.10.in-addr.arpa", "PTR", [f"3.0.244.10.in-addr.arpa. 30S IN PTR db-0.db.{SVC}."]),
    ("10-244-7-7.default.pod.cluster.local", "A", ["10-244-7-7.default.pod.cluster.local. 30S IN A 10.244.7.7"]),
    (f"out.{SVC}", "CNAME", [f"out.{SVC}. 30S IN CNAME www.example.com."]),
    (f"out.{SVC}", "A", [f"out.{SVC}. 30S IN CNAME www.example.com.", "www.example.com. 1M IN A 192.0.2.80"]),
    (f"alias.{SVC}", "A", [f"alias.{SVC}. 30S IN CNAME db.{SVC}.", f"db.{SVC}. 30S IN A 10.244.0.3"]),
    ("cluster.local", "NS", ["cluster.local. 30S IN NS ns.dns.cluster.local."]),
    ("ns.dns.cluster.local", "A", [f"ns.dns.cluster.local. 30S IN A {ADDRESS}"]),
    ("1.0.0.127.in-addr.arpa", "PTR", ["1.0.0.127.in-addr.arpa. 30S IN PTR localhost."]),
]
NOTHING = [
    (f"web.{SVC}", "TXT", "NOERROR"),
    (f"web.{SVC}", "MX", "NOERROR"),
    (f"web.{SVC}", "ANY", "NOERROR"),
    (SVC, "A", "NOERROR"),
    ("svc.cluster.local", "A", "NOERROR"),
    ("cluster.local", "A", "NOERROR"),
    (f"db-0.db.{SVC}", "AAAA", "NOERROR"),
    (f"none.{SVC}", "A", "NXDOMAIN"),
    ("web.other.svc.cluster.local", "A", "NXDOMAIN"),
    ("other.svc.cluster.local", "A", "NXDOMAIN"),
    (f"empty.{SVC}", "A", "NXDOMAIN"),
    (f"number.{SVC}", "A", "NXDOMAIN"),
    (f"db-1.db.{SVC}", "A", "NXDOMAIN"),
    (f"_http._udp.web.{SVC}", "SRV", "NXDOMAIN"),
    ("10-244-7.default.pod.cluster.local", "A", "NXDOMAIN"),
    ("10-244-7-7.other.pod.cluster.local", "A", "NXDOMAIN"),
    ("node.cluster.local", "A", "NXDOMAIN"),
]


async def test_the_record_table() -> None:
    async with dns() as (server, _):
        for name, type, expected in TABLE:
            found = await ask(server, name, type)
            assert (found.rcode, found.answers, found.authoritative) == ("NOERROR", expected, True), name
        for name, type, rcode in NOTHING:
            found = await ask(server, name, type)
            assert (found.rcode, found.answers, found.authority) == (rcode, [], [SOA]), name
        found = await ask(server, f"WEB.{SVC}")
        assert found.answers == [f"WEB.{SVC}. 30S IN A 10.96.0.7"]  # as asked: resolvers tell forged answers by it
        found = await ask(server, f"_sql._tcp.db.{SVC}", "SRV")
        assert found.additional == [f"db-0.db.{SVC}. 30S IN A 10.244.0.3", f"fd00-10--3.db.{SVC}. 30S IN AAAA fd00:10::3"]
        assert len((await ask(server, f"circle.{SVC}")).answers) == 8


async def test_long_answers() -> None:
    async with dns() as (server, _):
        place = server.address, server.port
        for room, most in ((0, 512), (600, 600), (65535, 1232)):
            found = read(await by_udp(place, query(f"big.{SVC}", udp_bytes=room)))
            assert found.truncated and most - 32 < found.size <= most
        whole = read((await by_tcp(place, query(f"big.{SVC}")))[0])
        assert len(whole.answers) == 200 and not whole.truncated
        orders = {tuple(read(await by_udp(place, query(f"big.{SVC}", id=number))).answers) for number in range(4)}
        assert len(orders) > 1  # spread over the endpoints, also from what is kept


async def test_what_is_no_question_for_it() -> None:
    async with dns() as (server, other):
        place = server.address, server.port
        good = query(f"web.{SVC}")
        for bad in (good[:12], good[:-1], good + b"\0", good[:4] + b"\0\2" + good[6:], good[:12] + b"\xc0\x0c\0\1\0\1", good + bytes(5000)):
            assert read(await by_udp(place, bad)).rcode == "FORMERR"
        assert read((await by_tcp(place, good[:-1]))[0]).rcode == "FORMERR"
        assert read(await by_udp(place, query(f"web.{SVC}", flags=0x2100))).rcode == "NOTIMP"
        assert read(await by_udp(place, query(f"web.{SVC}", kind=3))).rcode == "REFUSED"
        assert read(await by_udp(place, query("cluster.local", "AXFR"))).rcode == "REFUSED"
        version = bytearray(query(f"web.{SVC}", udp_bytes=1232))
        version[-5] = 1
        assert read(await by_udp(place, bytes(version))).rcode == "NOERROR"  # BADVERS, whose upper bits are in the OPT record
        for dropped in (b"\0\7\x81\0" + good[4:], b"", b"\0" * 11):
            assert await by_tcp(place, dropped) == []
        assert await by_tcp(place, bytes(LONGEST_QUERY + 1)) == []
        assert other.asked == 0


async def test_changes_are_seen_at_once() -> None:
    found = sources()
    async with dns(found) as (server, _):
        assert (await ask(server, f"late.{SVC}")).rcode == "NXDOMAIN"
        found.services.append(service("late", "10.96.0.99"))
        server.changed()
        assert (await ask(server, f"late.{SVC}")).answers == [f"late.{SVC}. 30S IN A 10.96.0.99"]


async def test_names_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "SERVER_SECONDS", 0.05)
    async with dns() as (server, other):
        place = server.address, server.port
        found = read(await by_udp(place, query("www.example.com")))
        assert (found.answers, found.authoritative) == (["www.example.com. 1M IN A 192.0.2.80"], False)
        assert read(await by_udp(place, query("no.example.com"))).rcode == "NXDOMAIN"
        assert read(await by_udp(place, query("silent.example.com"))).rcode == "SERVFAIL"
        asked = other.asked
        assert read(await by_udp(place, query("9.8.7.127.in-addr.arpa", "PTR"))).rcode == "NXDOMAIN"
        assert other.asked == asked  # nobody outside is asked about this machine
        monkeypatch.setattr(upstream, "MOST_AT_ONCE", 0)
        assert read(await by_udp(place, query("www.example.com"))).rcode == "REFUSED"


def test_any_bytes_are_read_or_refused() -> None:
    randomness = random.Random(5)
    good = query(f"_sql._tcp.db.{SVC}", "SRV", udp_bytes=1232)
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(randomness.randrange(1, 6)):
            data[randomness.randrange(len(data))] = randomness.randrange(256)
        cut = bytes(data[: randomness.randrange(len(data) + 1)])
        with contextlib.suppress(message.Malformed):
            message.encode(message.parse(cut), message.Answer(), 512)
        list(message.addresses_in(cut))
