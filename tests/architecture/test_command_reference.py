"""docs/commands.md names every command, flag and sub-command there is. `python -m tests.architecture.test_command_reference` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from kctl.cli.command import Command, Group
from kctl.cli.help import unindented
from kctl.cli.lazy import load
from kctl.cli.main import COMMANDS, HEADINGS, Root

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
_INTRODUCTION = """\
# Commands

What `kctl --help` shows, in one page; it is made from the commands themselves. Commands are kubectl's unless they stand under "Local
Cluster Commands"; `kctl COMMAND --help` shows a command's examples and what each flag does.
"""


def reference() -> str:
    parts = [_INTRODUCTION]
    for heading in HEADINGS:
        parts.append(f"## {heading}\n")
        for name, entry in COMMANDS.items():
            if entry.heading == heading:
                parts += _of(load(entry), f"kctl {name}", entry.short_help)
    missing = ", ".join(f"`{name}`" for name in sorted(Root.not_yet))
    parts.append(f"## Not yet\n\nThese commands of kubectl's are refused by name: {missing}.\n")
    return "\n".join(parts)


def _of(command: object, path: str, short_help: str) -> Iterator[str]:
    yield f"### `{path}`\n"
    if isinstance(command, click.Command):
        yield f"{short_help}.\n"
        flags = sorted(name for one in command.params for name in one.opts if name.startswith("--") and not getattr(one, "hidden", False))
        if flags:
            yield "Flags: " + ", ".join(f"`{name}`" for name in flags) + "\n"
        for name, member in sorted(getattr(command, "commands", {}).items()):
            yield from _of(member, f"{path} {name}", member.get_short_help_str(120).removesuffix("."))
        return
    assert isinstance(command, type) and issubclass(command, Command)
    yield unindented(command.__doc__ or short_help) + "\n"
    flags = sorted(one.title for one in command.flags.values() if not one.hidden)
    if flags:
        yield "Flags: " + ", ".join(f"`{title}`" for title in flags) + "\n"
    if issubclass(command, Group):
        for name in sorted(command.members):
            yield from _of(load(command.members[name]), f"{path} {name}", command.members[name].short_help)
        if command.not_yet:
            yield "Not yet: " + ", ".join(f"`{path} {name}`" for name in sorted(command.not_yet)) + "\n"


def test_the_reference_is_current() -> None:
    assert DOCUMENT.read_text() == reference()


if __name__ == "__main__":
    DOCUMENT.write_text(reference())
