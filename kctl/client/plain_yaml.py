"""The YAML that kubeconfig files are written in, read without a YAML library: importing one costs more than a request.

Only block mappings and sequences with plain or simply quoted scalars, as kctl and kubectl write them. Anything else (anchors,
flow style, block scalars, comments after values, tags, tabs) makes `read` give up with None, and the caller uses the real
reader.
"""

from __future__ import annotations

import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_./+=@%:-]+")
_NOT_TEXT = re.compile(r"[-+.]?\d.*|~|null|Null|NULL|[yYnN]|yes|no|on|off|Yes|No|On|Off|YES|NO|ON|OFF|[^:]*: .*|.*:|---.*|-")


class _GiveUp(Exception):
    pass


def read(text: str) -> Any:
    """The document, or None if it is not plain enough."""
    lines: list[tuple[int, str]] = []
    for raw in text.split("\n"):
        stripped = raw.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if "\t" in raw or stripped in ("---", "..."):
            return None
        lines.append((len(raw) - len(raw.lstrip(" ")), stripped))
    try:
        value, rest = _block(lines, 0, lines[0][0] if lines else 0)
        return value if rest == len(lines) else None
    except (_GiveUp, IndexError):
        return None


def _block(lines: list[tuple[int, str]], index: int, indent: int) -> tuple[Any, int]:
    if lines[index][1].startswith("- "):
        return _sequence(lines, index, indent)
    return _mapping(lines, index, indent)


def _sequence(lines: list[tuple[int, str]], index: int, indent: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while index < len(lines) and lines[index][0] == indent and lines[index][1].startswith("- "):
        inner = lines[index][1][2:].lstrip(" ")
        depth = indent + len(lines[index][1]) - len(inner)
        if _key(inner) is None:
            items.append(_scalar(inner))
            index += 1
        else:
            lines[index] = (depth, inner)
            value, index = _mapping(lines, index, depth)
            items.append(value)
    return items, index


def _mapping(lines: list[tuple[int, str]], index: int, indent: int) -> tuple[dict[str, Any], int]:
    mapping: dict[str, Any] = {}
    while index < len(lines) and lines[index][0] == indent and not lines[index][1].startswith("- "):
        pair = _key(lines[index][1])
        if pair is None or pair[0] in mapping:
            raise _GiveUp
        name, value = pair
        index += 1
        if value:
            mapping[name] = _scalar(value)
        elif index < len(lines) and _is_below(lines[index], indent):
            mapping[name], index = _block(lines, index, lines[index][0])
        else:
            mapping[name] = None
    if index < len(lines) and lines[index][0] > indent:
        raise _GiveUp
    return mapping, index


def _is_below(line: tuple[int, str], indent: int) -> bool:
    return line[0] > indent or (line[0] == indent and line[1].startswith("- "))


def _key(text: str) -> tuple[str, str] | None:
    match = re.match(r"([A-Za-z0-9_./-]+):(?: +(.*))?$", text)
    return (match.group(1), match.group(2) or "") if match else None


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if text in ("null", "{}", "[]", '""', "''"):
        return {"null": None, "{}": {}, "[]": []}.get(text, "")
    if len(text) > 1 and text[0] == text[-1] == '"' and "\\" not in text and '"' not in text[1:-1]:
        return text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "'" and "'" not in text[1:-1]:
        return text[1:-1]
    if _PLAIN.fullmatch(text) and not _NOT_TEXT.fullmatch(text):
        return text
    if re.fullmatch(r"[A-Za-z0-9+/]{40,}={0,2}", text):
        return text
    raise _GiveUp
