"""agnhost connect, port-forward-tester, resource-consumer; net is refused by name."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.network import Side
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs.agnhost.netexec import datagram
from controllers.kubelet.commands.programs.consumer import resource_consumer
from controllers.kubelet.commands.programs.fetching import CONNECT_SECONDS, ClientError, Limits, TimedOut, connected
from controllers.kubelet.commands.programs.golang import Flag, quoted
from controllers.kubelet.commands.programs.resolver import lookup
from controllers.kubelet.commands.programs.serving import Server, Task, words_of


def _connect(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    if len(arguments) != 1:
        process.complain(f"Error: accepts 1 arg(s), received {len(arguments)}\n")
        return 0
    protocol, seconds = str(values["protocol"]) or "tcp", float(values["timeout"])
    if protocol not in ("tcp", "udp", "sctp"):
        process.complain("Unsupported protocol\n")
        return 1
    host, _, port = arguments[0].rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdigit():
        process.complain(f"UNKNOWN: address {arguments[0]}: missing port in address\n")
        return 1
    try:
        lookup(process, host)
    except socket.gaierror:
        process.complain(f"DNS: lookup {host}: no such host\n")
        return 1
    limit = seconds or CONNECT_SECONDS
    try:
        if protocol == "tcp":
            side, _ = yield from connected(process, host, int(port), "TCP", Limits(limit))
            side.close()
        else:
            data = str(values[f"{protocol}-data"]) + "\n"
            yield from datagram(process, lookup(process, host)[0], int(port), protocol.upper(), data.encode(), limit)
    except TimedOut:
        process.complain("TIMEOUT\n")
    except ClientError as failed:
        word = "REFUSED" if "refused" in str(failed) else "TIMEOUT" if "timeout" in str(failed) else "UNKNOWN"
        process.complain(f"{word}: {failed}\n")
    except OSError as error:
        process.complain(
            "REFUSED\n" if error.errno == errno.ECONNREFUSED else f"OTHER: dial tcp {arguments[0]}: connect: {words_of(error)}\n"
        )
    else:
        return 0
    return 1


def _number(process: Process, name: str) -> int | None:
    text = process.env.get(name, "")
    if not re.fullmatch(r"[-+]?\d{1,9}", text):
        process.print(f"Error parsing {name} {quoted(text)}: strconv.Atoi: parsing {quoted(text)}: invalid syntax\n")
        return None
    return int(text)


def _port_forward_tester(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    port = _number(process, "BIND_PORT")
    if port is None:
        return 1
    server = Server(process)

    def connection(side: Side) -> Task:
        process.print("Accepted client connection\n")
        expected = process.env.get("EXPECTED_CLIENT_DATA", "").encode()
        taken = b""
        while len(taken) < len(expected) and not side.stdin.closed:
            taken += side.stdin.take()
            if len(taken) < len(expected):
                yield None
        taken += side.stdin.take() if len(taken) < len(expected) else b""
        if expected:
            if taken[: len(expected)] != expected:
                short = len(taken) < len(expected)
                words = f"Expected to read {len(expected)} bytes from client, but got {len(taken)} instead. err=EOF"
                process.print((words if short else f"Expect to read {quoted(expected.decode())}, but got other data. err=<nil>") + "\n")
                server.exit(2 if short else 3)
                return
            process.print("Received expected client data\n")
        numbers = [_number(process, name) for name in ("CHUNKS", "CHUNK_SIZE", "CHUNK_INTERVAL")]
        if None in numbers:
            server.exit(1)
            return
        chunks, size, interval = (number or 0 for number in numbers)
        for index in range(min(chunks, 100_000)):
            side.write(b"x" * min(size, 1024 * 1024))
            if index + 1 < chunks:
                yield interval / 1000
        process.print("Shutting down connection\n")
        side.finish()
        yield 0.5
        process.print("Done\n")
        server.exit(0)

    server.listen(port, "TCP", connection)
    return (yield from server.run())


def _net(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    raise NotInterpreted('"agnhost net"')
    yield


def _resource_consumer(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    return (yield from resource_consumer(process, int(values["port"])))


FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "connect": {"timeout": 0.0, "protocol": "tcp", "udp-data": "hostname", "sctp-data": "hostname"},
    "resource-consumer": {"port": 8080},
}
SHORT: Mapping[str, Mapping[str, str]] = {}
SUBCOMMANDS = {"connect": _connect, "port-forward-tester": _port_forward_tester, "net": _net, "resource-consumer": _resource_consumer}
