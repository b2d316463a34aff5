"""Every command and flag that the help of the real kubectl lists is there, under the same short name and with the same default."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from kctl.apimachinery.times import parse_duration
from kctl.cli.command import Command, Group
from kctl.cli.flags import Flag
from kctl.cli.lazy import load
from kctl.cli.main import Root
from tests.e2e.differential import kubectl_binary

pytestmark = pytest.mark.kubectl

_FLAG = re.compile(r"^    (?:-(\w), )?--([\w-]+)=(.*):$", re.MULTILINE)
_SECTION = re.compile(r"^(?:[A-Z][^\n]*Commands[^\n]*|Subcommands[^\n]*):\n((?:  \S.*\n)+)", re.MULTILINE)
_COMMAND = re.compile(r"^  ([a-z][\w-]*) ", re.MULTILINE)

DIFFERENT = {
    "create clusterrole --aggregation-rule": "a map there, whose help shows no default; a list here",
}
"""Accepted differences, each with its reason."""


class Documented(NamedTuple):
    short: str
    default: str


def documented(path: list[str]) -> tuple[dict[str, Documented], list[str]]:
    """The flags and sub-commands in kubectl's help of a command."""
    text = subprocess.run([kubectl_binary(), *path, "--help"], capture_output=True, text=True, timeout=60).stdout
    flags = {name: Documented(short, default) for short, name, default in _FLAG.findall(text)}
    return flags, [name for block in _SECTION.findall(text) for name in _COMMAND.findall(block)]


def member(command: Any, name: str) -> Any:
    found = command.member(name) if isinstance(command, type) and issubclass(command, Group) else None
    return load(found) if found is not None else None


def walk(path: list[str], command: Any) -> Iterator[tuple[list[str], Any, dict[str, Documented]]]:
    """Every command of kubectl with kctl's of that name, None where there is none."""
    flags, names = documented(path)
    yield path, command, flags
    for name in names:
        yield from walk([*path, name], member(command, name))


def same_default(flag: Flag, shown: str) -> bool:
    value = flag.initial
    match flag.kind:
        case "string":
            return f"'{value}'" == shown
        case "bool":
            return str(value).lower() == shown
        case "int":
            return str(value) == shown
        case "duration":
            return bool(parse_duration(shown) == value)
    return "[" + ",".join(value) + "]" == shown


def differences(name: str, command: type[Command], flags: dict[str, Documented]) -> list[str]:
    own = {flag.long: flag for flag in command.flags.values()}
    found = []
    for long, there in flags.items():
        here = own.get(f"--{long}")
        if here is None:
            found.append(f"{name} --{long}: missing")
        elif here.short.lstrip("-") != there.short:
            found.append(f"{name} --{long}: short {here.short!r}, there {there.short!r}")
        elif not same_default(here, there.default):
            found.append(f"{name} --{long}: default {here.initial!r}, there {there.default}")
    return found


def test_every_flag_of_every_command() -> None:
    missing, found = [], []
    for path, command, flags in walk([], Root):
        name = " ".join(path)
        if command is None:
            missing.append(name)
        elif path and isinstance(command, type) and issubclass(command, Command):
            found += differences(name, command, flags)
    assert missing == []
    assert [each for each in found if each.partition(":")[0] not in DIFFERENT] == []
