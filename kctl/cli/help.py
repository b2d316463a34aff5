"""Help as kubectl lays it out: description, examples, sub-commands, options with their defaults, usage line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kctl.cli.flags import Flag
from kctl.cli.lazy import Lazy
from kctl.cli.options import GLOBAL_FLAGS

_GLOBAL_HINT = 'Use "kctl options" for a list of global command-line options (applies to all commands).'


def root_help(commands: Mapping[str, Lazy], headings: Sequence[str]) -> str:
    parts = [
        "kctl runs and controls Kubernetes clusters: a whole control plane from one command, and kubectl's commands for it.\n",
        "  kctl run-cluster                    start a local cluster\n  kctl get pods -A                    see what runs in it\n",
    ]
    for heading in headings:
        rows = [(name, lazy.short_help) for name, lazy in commands.items() if lazy.heading == heading]
        parts.append(f"{heading}:\n" + _columns(rows))
    parts.append("Usage:\n  kctl [flags] [options]\n")
    parts.append('Use "kctl <command> --help" for more information about a given command.\n' + _GLOBAL_HINT + "\n")
    return "\n".join(parts)


def _columns(rows: Sequence[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0) + 3
    return "".join(f"  {name.ljust(width)}{text}\n" for name, text in rows)


def command_help(
    path: str,
    description: str,
    *,
    usage: str = "",
    examples: str = "",
    flags: Iterable[Flag] = (),
    members: Mapping[str, Lazy] | None = None,
) -> str:
    """`path` is the command as typed: kctl rollout status; `description` its docstring, `members` its sub-commands."""
    parts = [unindented(description) + "\n"]
    if examples:
        parts.append("Examples:\n" + examples.strip("\n") + "\n")
    if members:
        parts.append("Available Commands:\n" + _columns([(name, members[name].short_help) for name in sorted(members)]))
    shown = sorted((flag for flag in flags if not flag.hidden), key=lambda flag: flag.long)
    if shown:
        parts.append("Options:\n" + "\n".join(map(option_help, shown)))
    usage = usage or ("SUBCOMMAND" if members else "")
    parts.append(f"Usage:\n  {path} {usage}{' ' if usage else ''}[options]\n")
    hint = f'Use "{path} <command> --help" for more information about a given command.\n' if members else ""
    parts.append(hint + _GLOBAL_HINT + "\n")
    return "\n".join(parts)


def unindented(text: str) -> str:
    """A docstring as it reads (inspect.cleandoc, without importing inspect)."""
    first, *rest = text.expandtabs().strip().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first, *(line[margin:].rstrip() for line in rest)])


def option_help(option: Flag) -> str:
    return f"    {option.title}={_default(option)}:\n\t{option.help}\n"


def _default(option: Flag) -> str:
    if option.kind == "bool":
        return "true" if option.initial else "false"
    if option.kind in ("slice", "array"):
        return f"[{','.join(option.initial)}]"
    if option.kind == "duration":
        return f"{int(option.initial)}s"
    return f"'{option.initial}'" if option.kind == "string" else str(option.initial)


def options_help() -> str:
    return "The following options can be passed to any command:\n\n" + "\n".join(map(option_help, GLOBAL_FLAGS))
