"""What every command is made of, and kubectl's rules for finding a command and its flags on the command line.

A command is a class: its flags stand in it as fields, its docstring is its help, and it works in three steps.

    class Scale(ObjectOutput, Manifests, Command):
        \"\"\"Set a new size for a deployment.\"\"\"

        name = "scale"
        replicas: int = flag("--replicas", kind="int", default=-1, help="The new desired number of replicas. Required.")

        def complete(self) -> None: ...      # fill in what follows from other flags
        def validate(self) -> None: ...      # refuse wrong combinations; nothing has happened yet
        async def run(self) -> None: ...     # do it

It reads and writes through its session's streams only. A test makes one as `Scale(session, ("deployment", "web"), replicas=3)`.
As in cobra, flags may stand before or after the command's name, and the global flags everywhere. This is no use of click's
classes: kubectl's grammar is pflag's, and click's import alone would double the time of `kctl version --client`. (`run-cluster`
and `cluster` are kctl's own, and click commands.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kctl.cli.errors import CommandError, Exit, UsageError
from kctl.cli.flags import Flag, parse
from kctl.cli.lazy import Lazy, load
from kctl.cli.options import GLOBAL_FLAGS, HELP_FLAG
from kctl.cli.session import Session

PROGRAM = "kctl"


class Command:
    """`examples` is shown in the help; `blocking` says that the command waits for nothing but the API server's answers (no
    sleeping, nothing at the same time), and so needs no event loop. `verbatim` commands take their words as they are.
    `without_effect` names flags whose values all mean the same here, as their help says; `members` are the sub-commands of a Group."""

    name: ClassVar[str] = ""
    usage: ClassVar[str] = ""
    examples: ClassVar[str] = ""
    blocking: ClassVar[bool] = False
    verbatim: ClassVar[bool] = False
    without_effect: ClassVar[frozenset[str]] = frozenset()
    flags: ClassVar[dict[str, Flag]] = {}
    members: ClassVar[dict[str, Lazy]] = {}
    arguments: tuple[str, ...]

    def __init_subclass__(cls) -> None:
        """Gather the flags of the class and of those it inherits from, by attribute. What is no flag any more in a class is none of
        its flags: `kustomize = ""` takes -k away."""
        cls.flags = {}
        for base in reversed(cls.__mro__):
            for name, value in vars(base).items():
                if isinstance(value, Flag):
                    cls.flags[name] = value
                elif name in cls.flags:
                    del cls.flags[name]

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        self.session = session
        self.arguments = tuple(arguments)
        for attribute, option in self.flags.items():
            setattr(self, attribute, values.get(attribute, option.initial))

    def changed(self, name: str) -> bool:
        """Whether a flag was given, by its long name with underscores."""
        return name in self.session.changed

    def complete(self) -> None:
        """Fill in what follows from other flags."""

    def validate(self) -> None:
        """Refuse what cannot be; nothing has happened yet."""

    def run(self) -> Any:
        """Do it. Mostly an `async def`; what needs no cluster is a plain function and starts no event loop."""
        raise NotImplementedError

    def print_help(self) -> None:
        self.session.write(self.help(self.session.program))

    @classmethod
    def help(cls, path: str) -> str:
        """The text of --help; `path` is the command as typed."""
        from kctl.cli.help import command_help

        return command_help(path, cls.__doc__ or "", usage=cls.usage, examples=cls.examples, flags=cls.flags.values(), members=cls.members)


class Group(Command):
    """A command with sub-commands, imported by name. One that overrides `run` also works without (`create -f`).
    `not_yet` names kubectl's sub-commands that are missing; `help_on_stdout` where kubectl shows a group's help there;
    `takes_plugins` says that programs on the PATH may be its sub-commands."""

    aliases: ClassVar[dict[str, str]] = {}
    not_yet: ClassVar[frozenset[str]] = frozenset()
    help_on_stdout: ClassVar[bool] = False
    takes_plugins: ClassVar[bool] = False

    @classmethod
    def member(cls, name: str) -> Lazy | None:
        return cls.members.get(cls.aliases.get(name, name))

    @classmethod
    def works_alone(cls) -> bool:
        return cls.run is not Group.run

    @classmethod
    def refuse(cls, name: str, program: str) -> None:
        """`name` is no sub-command: say so, unless it may be an argument of the group's own."""
        if name in cls.not_yet:
            raise CommandError(f'"{program} {name}" is not supported yet')
        if not cls.works_alone():
            raise UsageError(f'unknown command "{name}"')

    def run(self) -> Any:
        """Without a sub-command: the help and exit code 1, as kubectl."""
        streams = self.session.streams
        (streams.out if self.help_on_stdout else streams.err).write(self.help(self.session.program))
        raise Exit(1)


def invoke(root: type[Group], words: Sequence[str], session: Session) -> None:
    """Find the command, read its flags, and let it complete, validate and run."""
    command, path, rest = find(root, words, session)
    session.program = " ".join(path)
    if not isinstance(command, type):
        from kctl.cli.click_commands import run_click

        run_click(command, rest, session)
        return
    assert issubclass(command, Command)
    made = command(session, rest) if command.verbatim else _parsed(command, rest, session)
    made.complete()
    made.validate()
    work = made.run()
    if work is not None:
        session.run(work, blocking=made.blocking)


def find(root: type[Group], words: Sequence[str], session: Session) -> tuple[Any, list[str], list[str]]:
    """The command that is meant, its path from the program's name on, and the words left for it."""
    command: Any = root
    path, rest = [root.name], list(words)
    while isinstance(command, type) and issubclass(command, Group):
        index = first_argument([*command.flags.values(), *GLOBAL_FLAGS, HELP_FLAG], rest)
        if index < 0:
            break
        member = command.member(rest[index])
        session.program = " ".join(path)
        if member is None:
            if command.takes_plugins and rest[index] not in command.not_yet:
                from kctl.cli.plugin.lookup import dispatch

                dispatch(words, len(words) - len(rest) + 1)
            command.refuse(rest[index], session.program)
            break
        del rest[index]
        command = load(member)
        path.append(command.name)
    return command, path, rest


def first_argument(flags: Sequence[Flag], words: Sequence[str]) -> int:
    """Where the first word is that is neither a flag nor a flag's value (cobra's stripFlags); -1 if there is none."""
    takes_value = {name for option in flags if option.bare is None for name in option.opts}
    skip = False
    for index, word in enumerate(words):
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


def _parsed(command: type[Command], words: list[str], session: Session) -> Command:
    own = command.flags
    names = {name for option in own.values() for name in option.opts}
    shared = [option for option in (*GLOBAL_FLAGS, HELP_FLAG) if not names & set(option.opts)]
    parsed = parse([*own.values(), *shared], words)
    if parsed.values.get("help"):
        command(session).print_help()
        raise Exit(0)
    session.accept(
        {option.name: parsed.values[option.name] for option in shared if option.name in parsed.changed}, parsed.changed, parsed.dash
    )
    return command(session, parsed.arguments, **{attribute: parsed.values[option.name] for attribute, option in own.items()})
