"""What every command is made of: kubectl's rules for finding a command and its flags, on click's classes.

A command file holds one dataclass of options with `complete`, `validate` and `run` (or an async function that does the
same) and a click function of a few lines:

    @click.command("version", cls=KubectlCommand, short_help="...")
    @flag("--client", kind="bool", help="...")
    async def command(session: Session, arguments: tuple[str, ...], client: bool) -> None: ...

As in cobra, flags may stand before or after the command's name, and the global flags everywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from kctl.cli.errors import CommandError, Exit, FlagError, UsageError
from kctl.cli.flags import Flag, parse
from kctl.cli.options import GLOBAL_FLAGS, HELP_FLAG
from kctl.cli.session import Session

PROGRAM = "kctl"


class KubectlCommand(click.Command):
    """A command without sub-commands. `examples` is shown in its help; `blocking` says that it waits for nothing but the
    API server's answers (no sleeping, nothing at the same time), and so needs no event loop."""

    def __init__(self, *args: Any, examples: str = "", usage: str = "", blocking: bool = False, **more: Any) -> None:
        more["add_help_option"] = False
        super().__init__(*args, **more)
        self.blocking = blocking
        self.examples = examples
        self.usage = usage

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        _parse_into(self, ctx, args)
        return []

    def invoke(self, ctx: click.Context) -> Any:
        return _run(self, ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from kctl.cli.help import command_help

        formatter.write(command_help(self, ctx))


class Lazy(NamedTuple):
    """A command that is imported when it is used. `attribute` names the click command in `module`."""

    module: str
    attribute: str
    short_help: str
    heading: str = ""


class KubectlGroup(click.Group):
    """A command with sub-commands, imported by name. With a callback it also works without one (`create -f`)."""

    def __init__(
        self,
        *args: Any,
        lazy: dict[str, Lazy] | None = None,
        examples: str = "",
        usage: str = "",
        blocking: bool = False,
        aliases: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        more["add_help_option"] = False
        more.setdefault("invoke_without_command", True)
        super().__init__(*args, **more)
        self.blocking = blocking
        self.lazy = lazy or {}
        self.aliases = aliases or {}
        self.examples = examples
        self.usage = usage

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.lazy, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.aliases.get(cmd_name, cmd_name)
        entry = self.lazy.get(name)
        if entry is None:
            return self.commands.get(name)
        return load(entry)

    def short_help_of(self, name: str) -> str:
        entry = self.lazy.get(name)
        return entry.short_help if entry is not None else self.commands[name].get_short_help_str(200)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        index = _first_argument([*_flags_of(self), *GLOBAL_FLAGS, HELP_FLAG], args)
        name = args[index] if index >= 0 else ""
        if self.aliases.get(name, name) in {*self.lazy, *self.commands}:
            ctx._protected_args = [name]
            ctx.args = args[:index] + args[index + 1 :]
            return ctx.args
        ctx.args = []
        _parse_into(self, ctx, args)
        return []

    def invoke(self, ctx: click.Context) -> Any:
        if not ctx._protected_args:
            return self.run_itself(ctx)
        name = ctx._protected_args[0]
        command = self.get_command(ctx, name)
        if command is None:
            raise CommandError(f"{self.name} {name} is not part of this build of {PROGRAM}")
        ctx.invoked_subcommand = name
        with command.make_context(command.name or name, list(ctx.args), parent=ctx) as sub:
            return sub.command.invoke(sub)

    def run_itself(self, ctx: click.Context) -> Any:
        """Without a sub-command: the group's own action, else its help and exit code 1 as kubectl."""
        if self.callback is not None:
            return _run(self, ctx)
        arguments = ctx.params.get("arguments") or ()
        if arguments:
            raise UsageError(f'unknown command "{arguments[0]}"')
        click.echo(ctx.get_help())
        raise Exit(1)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from kctl.cli.help import command_help

        formatter.write(command_help(self, ctx))


def load(entry: Lazy) -> click.Command | None:
    """Import a command. None where its module is absent."""
    try:
        found = getattr(import_module(entry.module), entry.attribute, None)
    except ModuleNotFoundError as error:
        if error.name is not None and entry.module.startswith(error.name):
            return None
        raise
    return found if isinstance(found, click.Command) else None


def _flags_of(command: click.Command) -> list[Flag]:
    return [param for param in command.params if isinstance(param, Flag)]


def _first_argument(flags: Sequence[Flag], args: Sequence[str]) -> int:
    """Where the first word is that is neither a flag nor a flag's value (cobra's stripFlags); -1 if there is none."""
    takes_value = {name for one in flags if one.bare is None for name in one.opts}
    skip = False
    for index, word in enumerate(args):
        if skip:
            skip = False
        elif word == "--":
            return -1
        elif word.startswith("--"):
            skip = "=" not in word and word in takes_value
        elif word.startswith("-") and len(word) > 1:
            skip = len(word) == 2 and word in takes_value
        else:
            return index
    return -1


def _parse_into(command: click.Command, ctx: click.Context, args: list[str]) -> None:
    session: Session | None = ctx.obj
    if session is not None:
        session.program = ctx.command_path
    own = _flags_of(command)
    names = {name for one in own for name in one.opts}
    shared = [one for one in (*GLOBAL_FLAGS, HELP_FLAG) if not names & set(one.opts)]
    try:
        parsed = parse([*own, *shared], args)
    except FlagError:
        if ctx.resilient_parsing:
            return
        raise
    if parsed.values.get("help") and not ctx.resilient_parsing:
        click.echo(ctx.get_help())
        raise Exit(0)
    own_names = [str(one.name) for one in own]
    ctx.params = {name: parsed.values[name] for name in own_names}
    ctx.params["arguments"] = tuple(parsed.arguments)
    if session is not None:
        session.accept(
            {str(one.name): parsed.values[str(one.name)] for one in shared if one.name in parsed.changed},
            parsed.changed,
            parsed.dash,
        )


def _run(command: click.Command, ctx: click.Context) -> Any:
    assert command.callback is not None
    session: Session = ctx.obj
    parameters = dict(ctx.params)
    arguments = parameters.pop("arguments", ())
    result = command.callback(session, arguments, **parameters)
    if not inspect.iscoroutine(result):
        return result
    return session.run(result, blocking=getattr(command, "blocking", False))
