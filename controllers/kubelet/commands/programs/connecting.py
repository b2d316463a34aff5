"""What connects by hand: nc (busybox's and OpenBSD's), ping."""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator, Iterator

from controllers.kubelet.commands.errors import Exit, NotInterpreted
from controllers.kubelet.commands.network import PodNetwork, Side
from controllers.kubelet.commands.process import Process, Run, run_program
from controllers.kubelet.commands.programs import images
from controllers.kubelet.commands.programs.call import Applet, Call, Options, programs, reason
from controllers.kubelet.commands.programs.fetching import CONNECT_SECONDS, Deadline, Limits, TimedOut, connected
from controllers.kubelet.commands.programs.resolver import lookup
from controllers.kubelet.commands.world import Connection

Waits = float | None
_MOST_PORTS = 1000


# ---- nc


def _is_busybox(call: Call) -> bool:
    return not call.gnu and images.family(call.process.world.image).partition(":")[0] in ("busybox", "alpine", "toybox")


def _nc(call: Call) -> Run:
    arguments, command = call.arguments, list[str]()
    if "-e" in arguments:
        at = arguments.index("-e")
        arguments, command = arguments[:at], arguments[at + 1 :]
    elif "-lke" in arguments or "-le" in arguments:
        at = next(index for index, word in enumerate(arguments) if word in ("-lke", "-le"))
        arguments, command = [*arguments[:at], arguments[at][:-1]], arguments[at + 1 :]
    call.arguments = arguments
    given, words = call.options("zvtulkn46NrCd", "wpqise")
    protocol = "UDP" if "u" in given else "TCP"
    limit = _seconds(given.get("w", ""))
    if "l" in given:
        own = _port(call, given.get("p") or (words[-1] if words else ""))
        return (yield from _listen(call, own, protocol, command, keep="k" in given, limit=limit))
    if len(words) < 2:
        raise call.usage("missing port number" if words else "missing hostname and port")
    code = 0
    for port in _ports(call, words[1]):
        code = yield from _client(call, given, words[0], port, protocol, limit, command)
    return code


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() and len(text) < 7 else 0.0


def _port(call: Call, text: str) -> int:
    if not (text.isdigit() and 0 < int(text[:6]) < 65536):
        raise call.usage(f"port number invalid: {text}")
    return int(text)


def _ports(call: Call, text: str) -> Iterator[int]:
    first, dash, last = text.partition("-")
    begin, end = _port(call, first), _port(call, last) if dash else _port(call, first)
    return iter(range(begin, min(end, begin + _MOST_PORTS) + 1))


def _client(
    call: Call, given: Options, host: str, port: int, protocol: str, limit: float, command: list[str]
) -> Generator[Waits, None, int]:
    busybox, kind = _is_busybox(call), protocol.lower()
    try:
        address = lookup(call.process, host)[0]
        side, address = yield from connected(call.process, address, port, protocol, Limits(limit or CONNECT_SECONDS))
        if side.refused and "z" in given:
            side.close()
            return 1
    except socket.gaierror:
        call.complain(f"bad address '{host}'" if busybox else f'getaddrinfo for host "{host}" port {port}: Name does not resolve')
        return 1
    except (TimedOut, OSError) as error:
        late = isinstance(error, TimedOut)
        why = "Operation timed out" if late else reason(error) if isinstance(error, OSError) else ""
        if busybox:
            call.complain("timed out" if late and limit else f"can't connect to remote host ({address}): {why}")
        elif late:
            call.complain(f"connect to {host} port {port} ({kind}) timed out: Operation in progress")
        elif "v" in given or "z" not in given:
            call.complain(f"connect to {host} port {port} ({kind}) failed: {why}")
        return 1
    if "v" in given:
        open_words = f"{host} ({address}:{port}) open\n" if busybox else f"Connection to {host} {port} port [{kind}/*] succeeded!\n"
        call.process.complain(open_words)
    if "z" in given:
        side.close()
        return 0
    if command:
        return (yield from _with_program(call.process, side, command))
    return (yield from _copied(call.process, side, limit))


def _copied(process: Process, side: Side, limit: float) -> Generator[Waits, None, int]:
    """The standard input to the other side, what comes from there to the output, until it closes or nothing comes for so long."""
    finished = False
    deadline = Deadline(process, limit)
    try:
        while True:
            typed = process.stdin.take()
            if typed:
                side.write(typed)
            if process.stdin.closed and not typed and not finished:
                finished = True
                if side.protocol == "TCP":
                    side.finish()
            came = side.stdin.take()
            if came:
                process.out(came)
            if typed or came:
                deadline.cancel()
                deadline = Deadline(process, limit)
                continue
            if side.stdin.closed or deadline.over:
                return 0
            yield None
    except OSError as error:
        return 0 if error.errno == errno.EPIPE else 1
    finally:
        deadline.cancel()
        side.close()


def _with_program(process: Process, side: Side, command: list[str]) -> Generator[Waits, None, int]:
    child = process.child(command, side.write, side.write, side.stdin)
    program = process.world.find_program(command[0], child)
    if program is None:
        process.complain(f"nc: can't execute '{command[0]}': No such file or directory\n")
        side.close()
        return 127
    try:
        return (yield from run_program(program, child))
    except Exit as left:
        return left.code
    except OSError:
        return 1
    finally:
        side.close()


def _listen(call: Call, port: int, protocol: str, command: list[str], *, keep: bool, limit: float) -> Generator[Waits, None, int]:
    network = call.process.world.network
    if network is None:
        raise NotInterpreted('"nc -l" without a network')
    waiting: list[Connection] = []
    try:
        stop = network.listen(port, protocol, waiting.append)
    except OSError as error:
        call.complain(f"bind: {reason(error)}")
        return 1
    deadline = Deadline(call.process, limit)
    try:
        while True:
            while not waiting:
                if deadline.over:
                    return 1
                yield None
            side = waiting.pop(0)
            assert isinstance(side, Side)
            if not keep:
                stop()
            code = yield from _with_program(call.process, side, command) if command else _copied(call.process, side, limit)
            if not keep:
                return code
    finally:
        deadline.cancel()
        stop()
        for each in waiting:
            each.close()


# ---- ping


def _ping(call: Call) -> Run:
    given, words = call.options("qn46Abf", "cWwsiIt")
    if not words:
        raise call.usage("usage error: Destination address required" if call.gnu else "BusyBox v1.36.1: too few arguments")
    host, count = words[0], int(given["c"][:6]) if given.get("c", "").isdigit() else 0
    try:
        address = lookup(call.process, host)[0]
    except socket.gaierror:
        call.complain(f"{host}: Name or service not known" if call.gnu else f"bad address '{host}'")
        return 2 if call.gnu else 1
    network = call.process.world.network
    interval, until = float(_seconds(given.get("i", "1")) or 1), _seconds(given.get("w", ""))
    sent = received = 0
    began = call.process.world.clock.monotonic()
    call.print(f"PING {host} ({address}) 56(84) bytes of data.\n" if call.gnu else f"PING {host} ({address}): 56 data bytes\n")
    while True:
        there = isinstance(network, PodNetwork) and network.reaches(address)
        sent += 1
        if there:
            received += 1
            sequence = f"icmp_seq={sent}" if call.gnu else f"seq={sent - 1}"
            call.print("" if "q" in given else f"64 bytes from {address}: {sequence} ttl=64 time=0.050 ms\n")
        if count and sent >= count:
            if not there:
                yield _seconds(given.get("W", "")) or 10.0
            break
        yield interval
        if until and call.process.world.clock.monotonic() - began >= until:
            break
    lost = 100 * (sent - received) // sent
    spent = int((call.process.world.clock.monotonic() - began) * 1000)
    call.print(f"\n--- {host} ping statistics ---\n")
    if call.gnu:
        call.print(f"{sent} packets transmitted, {received} received, {lost}% packet loss, time {spent}ms\n")
        call.print("rtt min/avg/max/mdev = 0.050/0.050/0.050/0.000 ms\n" if received else "\n")
    else:
        call.print(f"{sent} packets transmitted, {received} packets received, {lost}% packet loss\n")
        call.print("round-trip min/avg/max = 0.050/0.050/0.050 ms\n" if received else "")
    return 0 if received else 1


_APPLETS: dict[str, Applet] = {"nc": _nc, "ncat": _nc, "netcat": _nc, "ping": _ping}
program = programs(_APPLETS)
