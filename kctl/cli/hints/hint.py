"""From a failed command to the line that may help: which kind of mistake an error tells of, and who knows what is close to it.

Errors are looked at by their texts, for these come from the server, from kubeconfigs and from commands alike. A hint may ask the server,
within SECONDS; whatever goes wrong on the way, there is no hint.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from kctl.cli.errors import AggregateError, plain
from kctl.cli.hints.close import close, question
from kctl.cli.session import Session

SECONDS: Final = 2.0
MOST_ERRORS: Final = 5
"""So many of a command's errors are looked at."""


class Failed(NamedTuple):
    """A command line that has failed; `root` is the command that all others are members of."""

    session: Session
    words: Sequence[str]
    root: Any


def tell(error: Exception, failed: Failed) -> None:
    """Write the hints for it."""
    errors = error.errors if isinstance(error, AggregateError) else [error]
    told: dict[str, None] = {}
    for one in list(errors)[:MOST_ERRORS]:
        try:
            text = hint(plain(one), failed)
        except Exception:  # a hint must never be in the way of the error itself
            continue
        if text:
            told[text] = None
    for text in told:
        failed.session.error(text)


def hint(message: str, failed: Failed) -> str:
    """'' where there is nothing to say."""
    for pattern, answer in _MISTAKES:
        found = pattern.search(message)
        if found is not None:
            return answer(found, failed)
    return ""


def _asked(work: Callable[[], Awaitable[str]], session: Session) -> str:
    """What the server has to be asked for. The store of a stopped cluster is not opened for it once more."""
    if session.embedded:
        return ""

    async def within() -> str:
        import asyncio

        async with asyncio.timeout(SECONDS):
            return await work()

    return str(session.run(within()))


def _resource_type(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.hints.objects import close_types

    return _asked(lambda: close_types(failed.session, found[1], found[2] or ""), failed.session)


def _kind(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.hints.objects import close_kinds

    return _asked(lambda: close_kinds(failed.session, found[1], found[2]), failed.session)


def _object(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.hints.objects import close_names

    return _asked(lambda: close_names(failed.session, found[1], found[2]), failed.session)


def _field(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.hints.fields import close_fields

    return _asked(lambda: close_fields(failed.session, found["kind"], found["version"], found["field"]), failed.session)


def _explained(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.hints.fields import close_explained

    typed = next((word for word in failed.words[1:] if f".{found[1]}" in word), "")
    return _asked(lambda: close_explained(failed.session, typed, found[1]), failed.session)


def _context(found: re.Match[str], failed: Failed) -> str:
    return question(close(found[1], failed.session.kubeconfig.contexts))


def _cluster(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.configuration import uses_local_cluster

    if uses_local_cluster(failed.session.flags):
        from kctl.cli.cluster import cluster_names

        return question(close(found[1], cluster_names()))
    return question(close(found[1], failed.session.kubeconfig.clusters))


def _user(found: re.Match[str], failed: Failed) -> str:
    return question(close(found[1], failed.session.kubeconfig.users))


def _command(failed: Failed) -> Any:
    """The command that was meant: `failed.session.program` is its path."""
    from kctl.cli.lazy import load

    command: Any = failed.root
    for word in failed.session.program.split(" ")[1:]:
        command = load(command.member(word))
    return command


def _flag(found: re.Match[str], failed: Failed) -> str:
    from kctl.cli.options import GLOBAL_FLAGS

    known = [flag.long for flag in (*_command(failed).flags.values(), *GLOBAL_FLAGS) if not flag.hidden]
    return question(close(found[1], known, beginnings=len(found[1]) > len("--a")))


def _sub_command(found: re.Match[str], failed: Failed) -> str:
    command = _command(failed)
    return question(close(found[1], [name for name in command.members if not name.startswith("_")]))


_Answer = Callable[[re.Match[str], Failed], str]
_MISTAKES: Final[tuple[tuple[re.Pattern[str], _Answer], ...]] = (
    (re.compile(r'the server doesn\'t have a resource type "([^"]+)"(?: in group "([^"]+)")?'), _resource_type),
    (re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"'), _kind),
    (
        re.compile(
            r'(?P<kind>\w+) in version "(?P<version>[^"]+)" cannot be handled as a \w+: .*?unknown field "(?P<field>[^"]+)"', re.DOTALL
        ),
        _field,
    ),
    (re.compile(r'^field "([^"]+)" does not exist$'), _explained),
    (re.compile(r'(?:^context|no context exists with the name:) "([^"]+)"'), _context),
    (re.compile(r"context was not found for specified context: (\S+)"), _context),
    (re.compile(r'(?:no server found for cluster|cluster) "([^"]+)"'), _cluster),
    (re.compile(r'auth info "([^"]+)" does not exist'), _user),
    (re.compile(r"^unknown flag: (--\S+)"), _flag),
    (re.compile(r'^unknown command "([^"]+)"$'), _sub_command),
    (re.compile(r'\b([a-z][a-z0-9]*(?:\.[a-z0-9.-]+)?) "([^"]+)" not found'), _object),
)
