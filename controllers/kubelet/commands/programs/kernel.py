"""What looks at the kernel and at network devices: sysctl, ip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.programs.call import Call, programs, text_of, walk
from controllers.kubelet.files.tree import File

# ---- sysctl

_ROOT = "/proc/sys"


def _sysctl(call: Call) -> int:
    given, names = call.options("neaqwA", "p", {"all": "a", "values": "n", "ignore": "e", "quiet": "q", "write": "w", "load": "p"})
    if "p" in given:
        raise NotInterpreted('"sysctl -p"')
    if "a" in given or "A" in given:
        names = sorted(path.removeprefix(f"{_ROOT}/") for path, node, _ in walk(call, _ROOT) if isinstance(node, File))
    if not names:
        raise call.missing_operand()
    return max(_sysctl_one(call, name, given) for name in names)


def _sysctl_one(call: Call, name: str, given: Sequence[str] | dict[str, str]) -> int:
    name, equals, value = name.partition("=")
    # a name may be written with dots or with slashes
    shown = name.replace("/", ".")
    path = f"{_ROOT}/{shown.replace('.', '/')}"
    try:
        if equals:
            call.files.write(path, f"{value}\n".encode(), call.who)
        found = text_of(call.files.read(path, call.who)).rstrip("\n")
    except OSError as error:
        if "e" in given:
            return 0
        return call.failed(shown if call.gnu else path, error, "error: '{}'", "cannot stat /proc/sys/{}")
    if not (equals and "q" in given):
        call.print(f"{found}\n" if "n" in given else f"{shown} = {found}\n")
    return 0


# ---- ip

_NET_ADMIN = 12
_LOOPBACK = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
"""
_ETHERNET = (
    "2: eth0@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP qlen 1000\n    link/ether {} brd ff:ff:ff:ff:ff:ff\n"
)


def _ip(call: Call) -> int:
    words = [word for word in call.arguments if word not in ("-4", "-o", "-br", "-c")]
    if words and words[0].startswith("-"):
        raise NotInterpreted(f'"ip {words[0]}"')
    kind = next((full for full in ("link", "address", "route") if words and words[0] and full.startswith(words[0])), "")
    if words and words[0] == "addr":
        kind = "address"
    if not kind:
        raise NotInterpreted(f'"ip {words[0] if words else ""}"')
    doing, *rest = words[1:] or ["show"]
    if doing in ("show", "list", "s", "l", "ls"):
        device = rest[-1] if rest else ""
        shown = "".join(_shown(call, kind, device))
        if device and not shown and kind != "route":
            call.complain(f"can't find device '{device}'")
            return 1
        call.print(shown)
        return 0
    if not _may(call, _NET_ADMIN):
        call.complain("RTNETLINK answers: Operation not permitted")
        return 2
    if (kind, doing) == ("link", "add") and "type" in rest and "dummy" in rest:
        return 0  # nothing here has traffic to send through it
    raise NotInterpreted(f'"ip {kind} {doing}"')


def _shown(call: Call, kind: str, device: str) -> Iterator[str]:
    network = call.process.world.network
    addresses = [address for address in (network.addresses if network else ()) if "." in address]
    if kind == "route":
        for address in addresses:
            gateway = re.sub(r"\d+$", "1", address)
            yield f"default via {gateway} dev eth0 \n{gateway.rpartition('.')[0]}.0/24 dev eth0 scope link  src {address} \n"
        return
    if device in ("", "lo"):
        yield _LOOPBACK
        if kind == "address":
            yield "    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n"
    if device in ("", "eth0") and addresses:
        hardware = ":".join(["0a", "58", *(f"{int(part):02x}" for part in addresses[0].split("."))])
        yield _ETHERNET.format(hardware)
        if kind == "address":
            broadcast = re.sub(r"\d+$", "255", addresses[0])
            yield f"    inet {addresses[0]}/24 brd {broadcast} scope global eth0\n       valid_lft forever preferred_lft forever\n"


def _may(call: Call, capability: int) -> bool:
    """By the effective capabilities of the first process."""
    held = re.search(r"CapEff:\t([0-9a-f]+)", text_of(call.files.read("/proc/self/status")))
    return held is not None and bool(int(held.group(1), 16) >> capability & 1)


program = programs({"sysctl": _sysctl, "ip": _ip})
