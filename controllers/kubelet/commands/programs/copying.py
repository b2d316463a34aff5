"""dd and yes."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Waits, programs
from controllers.kubelet.files.tree import LARGEST_FILE_BYTES, Device, failure

_UNITS = {"": 1, "c": 1, "w": 2, "b": 512, "k": 1024, "K": 1024, "M": 1024**2, "G": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_UNITS |= {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_YES_BYTES = 64 * 1024


def _size(call: Call, text: str) -> int:
    product = 1
    for part in text.split("x"):
        matched = re.fullmatch(r"(\d{1,15})([a-zA-Z]*)", part)
        if matched is None or matched.group(2) not in _UNITS:
            raise call.usage(f"invalid number: '{text}'" if call.gnu else f"invalid number '{text}'")
        product *= int(matched.group(1)) * _UNITS[matched.group(2)]
    return product


def _dd(call: Call) -> Run:
    operands: dict[str, str] = {}
    for word in call.arguments:
        name, equals, value = word.partition("=")
        if not equals or name not in ("if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "conv", "status", "iflag", "oflag"):
            raise call.usage(f"unrecognized operand '{word}'" if call.gnu else f"invalid argument '{word}'")
        operands[name] = value
    block = _size(call, operands.get("bs") or operands.get("ibs") or "512")
    if not block:
        raise call.usage("invalid number: '0'" if call.gnu else "number 0 is not in 1..2147483647 range")
    count = _size(call, operands["count"]) if "count" in operands else None
    skip, seek = (_size(call, operands.get(name, "0")) * block for name in ("skip", "seek"))
    wanted = None if count is None else count * block
    try:
        data = yield from _input(call, operands.get("if"), skip, wanted)
    except OSError as error:
        return call.failed(operands.get("if", ""), error, "can't open '{}'", "failed to open '{}'")
    code = 0
    if "of" in operands:
        try:
            _output(call, operands["of"], data, seek, truncate="notrunc" not in operands.get("conv", ""))
        except OSError as error:
            full = error.errno == errno.ENOSPC
            code = call.failed(
                operands["of"],
                error,
                "error writing '{}'" if full else "can't open '{}'",
                "error writing '{}'" if full else "failed to open '{}'",
            )
    else:
        call.process.out(data)
    if operands.get("status") not in ("none", "noxfer"):
        whole, part = divmod(len(data), block)
        records = f"{whole}+{int(bool(part))}"
        shown = "" if not call.gnu or len(data) < 1024 else f" ({_scaled(len(data), 1000, 'kB')}, {_scaled(len(data), 1024, 'KiB')})"
        text = f"{records} records in\n{records} records out\n{len(data)} bytes"
        call.process.complain(f"{text}{shown} copied, 0.000100 s, {_speed(len(data), gnu=call.gnu)}\n")
    return code


def _speed(size: int, *, gnu: bool) -> str:
    return f"{_scaled(size * 10_000, 1000, 'kB')}/s" if gnu else f"{size * 10_000 / 1024**2:.1f}MB/s"


def _scaled(size: int, base: int, unit: str) -> str:
    value, units = size / base, [unit, "M" + unit[1:], "G" + unit[1:], "T" + unit[1:]]
    while value >= base and len(units) > 1:
        value, units = value / base, units[1:]
    return f"{value:.1f} {units[0]}" if value < 10 else f"{value:.0f} {units[0]}"


def _input(call: Call, name: str | None, skip: int, wanted: int | None) -> Generator[Waits, None, bytes]:
    if name is None:
        data = yield from call.process.stdin.all()
        return data[skip:] if wanted is None else data[skip : skip + wanted]
    node = call.node(name)
    if isinstance(node, Device) and node.read():
        if wanted is None or wanted > 16 * LARGEST_FILE_BYTES:
            raise NotInterpreted("dd of so much from a device")
        pattern = node.read()
        if not any(pattern):
            return bytes(wanted)
        repeated = bytearray(pattern)
        while len(repeated) < wanted:
            repeated += node.read()
        return bytes(repeated[:wanted])
    data = call.process.read(name)
    return data[skip:] if wanted is None else data[skip : skip + wanted]


def _output(call: Call, name: str, data: bytes, seek: int, *, truncate: bool) -> None:
    there = call.files.exists(call.path(name), call.who)
    if there and isinstance(call.node(name), Device):
        call.process.write(name, data)
        return
    if seek + len(data) > LARGEST_FILE_BYTES:
        call.process.write(name, b"")
        raise failure(errno.ENOSPC, name)
    before = call.process.read(name) if there and (seek or not truncate) else b""
    after = b"" if truncate else before[seek + len(data) :]
    call.process.write(name, before[:seek].ljust(seek, b"\0") + data + after)


def _yes(call: Call) -> int:
    """As much as a pipe holds; then its reader is gone, which is what ends the real one."""
    line = (" ".join(call.arguments) or "y") + "\n"
    call.print(line * max(_YES_BYTES // len(line), 1))
    return 141


_APPLETS: dict[str, Applet] = {"dd": _dd, "yes": _yes}
program = programs(_APPLETS)
