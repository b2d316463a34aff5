"""Flags are read as pflag reads them, and refused in its words."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.cli.errors import FlagError
from kctl.cli.flags import Flag, parse


def _flag(*names: str, kind: str = "string", default: Any = "", bare: str | None = None) -> Flag:
    return Flag(names, kind, default, bare, "", False)


FLAGS = [
    _flag("-o", "--output"),
    _flag("-A", "--all-namespaces", kind="bool", default=False),
    _flag("-w", "--watch", kind="bool", default=False),
    _flag("-r", "--replicas", kind="int", default=1),
    _flag("-f", "--filename", kind="slice", default=()),
    _flag("--from-literal", kind="array", default=()),
    _flag("--timeout", kind="duration", default=0.0),
    _flag("--dry-run", default="none", bare="unchanged"),
]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("-o yaml", "output", "yaml"),
        ("-oyaml", "output", "yaml"),
        ("-o=yaml", "output", "yaml"),
        ("--output=yaml", "output", "yaml"),
        ("--output yaml", "output", "yaml"),
        ("pods -A", "all_namespaces", True),
        ("-A=false", "all_namespaces", False),
        ("--all-namespaces=0", "all_namespaces", False),
        ("-Awo wide", "output", "wide"),
        ("-Aw", "watch", True),
        ("-r 0x10", "replicas", 16),
        ("--replicas=-1", "replicas", -1),
        ("-f a,b -f c", "filename", ("a", "b", "c")),
        ("--from-literal=a=b,c --from-literal=d", "from_literal", ("a=b,c", "d")),
        ("--timeout 1m30s", "timeout", 90.0),
        ("--dry-run x", "dry_run", "unchanged"),
        ("--dry-run=server", "dry_run", "server"),
        ("", "replicas", 1),
    ],
)
def test_values(line: str, name: str, value: object) -> None:
    assert parse(FLAGS, line.split()).values[name] == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--foo", "unknown flag: --foo"),
        ("-z", "unknown shorthand flag: 'z' in -z"),
        ("-Az", "unknown shorthand flag: 'z' in -z"),
        ("-o", "flag needs an argument: 'o' in -o"),
        ("--output", "flag needs an argument: --output"),
        ("--=x", "bad flag syntax: --=x"),
        ("--watch=x", 'invalid argument "x" for "-w, --watch" flag: strconv.ParseBool: parsing "x": invalid syntax'),
        ("-r x", 'invalid argument "x" for "-r, --replicas" flag: strconv.ParseInt: parsing "x": invalid syntax'),
        ("--timeout=x", 'invalid argument "x" for "--timeout" flag: time: invalid duration "x"'),
    ],
)
def test_refused(line: str, message: str) -> None:
    with pytest.raises(FlagError) as caught:
        parse(FLAGS, line.split())
    assert caught.value.message == message


def test_arguments_and_dash() -> None:
    parsed = parse(FLAGS, ["web", "-o", "yaml", "--", "date", "-u"])
    assert (parsed.arguments, parsed.dash) == (["web", "date", "-u"], 1)
    assert parse(FLAGS, ["a", "-"]).arguments == ["a", "-"]
    assert parse(FLAGS, ["a"]).dash == -1
