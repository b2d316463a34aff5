"""Help as kubectl lays it out: description, examples, sub-commands, options with their defaults, usage line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.flags import Flag
from kctl.cli.options import GLOBAL_FLAGS

if TYPE_CHECKING:
    from kctl.cli.command import Lazy

_GLOBAL_HINT = 'Use "kctl options" for a list of global command-line options (applies to all commands).'


def root_help(commands: Mapping[str, Lazy], headings: Sequence[str]) -> str:
    parts = [
        "kctl runs and controls Kubernetes clusters: a whole control plane from one command, and kubectl's commands for it.\n",
        "  kctl run-cluster                    start a local cluster\n  kctl get pods -A                    see what runs in it\n",
    ]
    for heading in headings:
        rows = [(name, entry.short_help) for name, entry in commands.items() if entry.heading == heading]
        parts.append(f"{heading}:\n" + _columns(rows))
    parts.append("Usage:\n  kctl [flags] [options]\n")
    parts.append('Use "kctl <command> --help" for more information about a given command.\n' + _GLOBAL_HINT + "\n")
    return "\n".join(parts)


def _columns(rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0) + 3
    return "".join(f"  {name.ljust(width)}{text}\n" for name, text in rows)


def command_help(command: Any, ctx: click.Context) -> str:
    path = ctx.command_path
    parts = [inspect.cleandoc(command.help or command.short_help or "") + "\n"]
    if command.examples:
        parts.append("Examples:\n" + command.examples.strip("\n") + "\n")
    members = command.list_commands(ctx) if isinstance(command, click.Group) else []
    if members:
        shown = [(name, command.short_help_of(name)) for name in members]
        parts.append("Available Commands:\n" + _columns(shown))
    flags = sorted((one for one in command.params if isinstance(one, Flag) and not one.hidden), key=lambda one: one.long)
    if flags:
        parts.append("Options:\n" + "\n".join(map(option_help, flags)))
    usage = command.usage or ("SUBCOMMAND" if members else "")
    parts.append(f"Usage:\n  {path} {usage}{' ' if usage else ''}[options]\n")
    hint = f'Use "{path} <command> --help" for more information about a given command.\n' if members else ""
    parts.append(hint + _GLOBAL_HINT)
    return "\n".join(parts)


def option_help(one: Flag) -> str:
    return f"    {one.title}={_default(one)}:\n\t{one.help}\n"


def _default(one: Flag) -> str:
    if one.kind == "bool":
        return "true" if one.initial else "false"
    if one.kind in ("slice", "array"):
        return f"[{','.join(one.initial)}]"
    if one.kind == "duration":
        return f"{int(one.initial)}s"
    return f"'{one.initial}'" if one.kind == "string" else str(one.initial)


def options_help() -> str:
    return "The following options can be passed to any command:\n\n" + "\n".join(map(option_help, GLOBAL_FLAGS))
