"""md5sum, sha*sum, base64, xxd, od, hexdump."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.limits import LINES
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, lines_of, programs


def _sum(call: Call) -> Run:
    given, names = call.options("bctsw", long={"check": "c", "status": "s", "warn": "w", "binary": "b", "text": "t"})
    kind = call.name.removesuffix("sum")
    code, contents = yield from call.inputs(names)
    if "c" in given:
        return code or _check(call, kind, contents, silent="s" in given)
    for name, data in contents:
        call.print(f"{hashlib.new(kind, data).hexdigest()}  {name}\n")
        yield from call.pace(len(data) // 400)
    return code


def _check(call: Call, kind: str, contents: list[tuple[str, bytes]], *, silent: bool) -> int:
    wrong = 0
    for _, data in contents:
        for line in lines_of(data):
            matched = re.fullmatch(r"([0-9a-fA-F]{32,128}) [ *](.+)", line)
            if matched is None:
                continue
            name = matched.group(2)
            try:
                right = hashlib.new(kind, call.process.read(name)).hexdigest() == matched.group(1).lower()
            except OSError as error:
                call.failed(name, error)
                right = False
            wrong += not right
            if not silent:
                call.print(f"{name}: {'OK' if right else 'FAILED'}\n")
    if wrong and not silent:
        if call.gnu:
            call.complain(f"WARNING: {wrong} computed checksum{'s' if wrong > 1 else ''} did NOT match")
        else:
            call.complain(f"WARNING: {wrong} of {wrong} computed checksums did NOT match")
    return int(bool(wrong))


def _base64(call: Call) -> Run:
    given, names = call.options("dDi", "w", {"decode": "d", "wrap": "w", "ignore-garbage": "i"})
    code, contents = yield from call.inputs(names[:1])
    width = int(given.get("w", "76")) if given.get("w", "76").isdigit() else 76
    for _, data in contents:
        if given.keys() & {"d", "D"}:
            text = re.sub(rb"[^A-Za-z0-9+/=]" if "i" in given else rb"\s", b"", data)
            try:
                call.process.out(base64.b64decode(text, validate=True))
            except binascii.Error:
                valid = re.match(rb"[A-Za-z0-9+/]*", data.replace(b"\n", b""))
                start = valid.group(0) if valid else b""
                whole, rest = start[: len(start) // 4 * 4], start[len(start) // 4 * 4 :]
                call.process.out(base64.b64decode(whole) + (base64.b64decode(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""))
                call.complain("invalid input" if call.gnu else "truncated input")
                return 1
            continue
        if width and len(data) * 4 // 3 // width > LINES:
            raise NotInterpreted(f"a text of more than {LINES} lines")
        encoded = base64.b64encode(data).decode()
        lines = [encoded[at : at + width] for at in range(0, len(encoded), width)] if width else [encoded]
        call.print("\n".join(lines) + ("\n" if width and lines else ""))
        yield from call.pace(2 * len(lines) // 10)
    return code


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def _xxd(call: Call) -> Run:
    given, names = call.options("pri", "lsc")
    if "i" in given:
        raise NotInterpreted('"xxd -i"')
    code, contents = yield from call.inputs(names[:1], "{}", "{}")
    for _, data in contents:
        if "r" in given:
            text = data if "p" in given else b"".join(line.split(b":", 1)[-1].split(b"  ")[0] for line in data.splitlines())
            call.process.out(bytes.fromhex(re.sub(rb"[^0-9a-fA-F]", b"", text).decode()))
            continue
        data = data[int(given.get("s", "0")) :][: int(given["l"]) if "l" in given else None]
        if "p" in given:
            for at in range(0, len(data), 30):
                call.print(data[at : at + 30].hex() + "\n")
                yield from call.pace(2)
            continue
        for at in range(0, len(data), 16):
            yield from call.pace(8)
            row = data[at : at + 16]
            pairs = " ".join(row[each : each + 2].hex() for each in range(0, len(row), 2))
            call.print(f"{at:08x}: {pairs:<39}  {_printable(row)}\n")
    return code


def _od(call: Call) -> Run:
    given, names = call.options("cxbvd", "AtNj")
    code, contents = yield from call.inputs(names)
    data = b"".join(each for _, each in contents)
    data = data[int(given.get("j", "0")) :][: int(given["N"]) if given.get("N", "").isdigit() else None]
    address = given.get("A", "o")
    kind = given.get("t", "c" if "c" in given else "x1" if "x" in given else "")
    if kind not in ("c", "x1", "x", "u1", "d", "d4", "u4", "d8", "u8", "u2", "u"):
        raise NotInterpreted(f'"od -t {kind}"')
    for at in range(0, len(data), 16):
        yield from call.pace(12)
        row = data[at : at + 16]
        call.print(_address(address, at) + "".join(_cells(kind, row)) + "\n")
    if address != "n":
        call.print(_address(address, len(data)) + "\n")
    return code


def _address(kind: str, at: int) -> str:
    return "" if kind == "n" else f"{at:07o}" if kind == "o" else f"{at:07d}" if kind == "d" else f"{at:06x}"


_NAMED = {0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


def _cells(kind: str, row: bytes) -> list[str]:
    if kind == "c":
        return [f"{_NAMED.get(byte) or (chr(byte) if 32 <= byte < 127 else f'{byte:03o}'):>4}" for byte in row]
    if kind == "x1":
        return [f" {byte:02x}" for byte in row]
    size = int(kind[1:] or 4)
    width = {1: 4, 2: 6, 4: 11, 8: 21}[size]
    values = [int.from_bytes(row[at : at + size], "little", signed=kind[0] == "d") for at in range(0, len(row), size)]
    return [f"{value:0{size * 2}x}".rjust(size * 2 + 1) if kind[0] == "x" else f"{value:>{width}}" for value in values]


def _hexdump(call: Call) -> Run:
    given, names = call.options("Cv", "ns")
    if "C" not in given:
        raise NotInterpreted('"hexdump" without -C')
    code, contents = yield from call.inputs(names)
    data = b"".join(each for _, each in contents)[: int(given["n"]) if given.get("n", "").isdigit() else None]
    for at in range(0, len(data), 16):
        yield from call.pace(12)
        row = data[at : at + 16]
        left, right = (" ".join(f"{byte:02x}" for byte in half) for half in (row[:8], row[8:]))
        call.print(f"{at:08x}  {left:<23}  {right:<23}  |{_printable(row)}|\n")
    call.print(f"{len(data):08x}\n" if data else "")
    return code


_APPLETS: dict[str, Applet] = {f"{kind}sum": _sum for kind in ("md5", "sha1", "sha256", "sha512")}
_APPLETS |= {"base64": _base64, "xxd": _xxd, "od": _od, "hexdump": _hexdump}
program = programs(_APPLETS)
