"""What the kuberc file makes of a command line: an alias becomes its command, and flags that were not given get their defaults."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kctl.cli.command import Command, Group
from kctl.cli.errors import Exit, FlagError
from kctl.cli.flags import parse
from kctl.cli.kuberc import file
from kctl.cli.lazy import load
from kctl.cli.options import GLOBAL_FLAGS, HELP_FLAG
from kctl.cli.session import Session

_NONE: dict[str, Any] = {}


def applied(root: type[Group], words: Sequence[str], session: Session) -> list[str]:
    """Raises Exit where the preferences cannot be used."""
    try:
        return _Applying(root, _loaded(words, session)).words(words)
    except ValueError as error:
        session.error(f"error occurred while applying preferences {error}")
        raise Exit(1) from None


def _loaded(words: Sequence[str], session: Session) -> dict[str, Any]:
    """Raises ValueError."""
    flag = _flag_of(words)
    if file.is_off(os.environ):
        if flag:
            raise ValueError("kuberc error disabling kuberc via KUBERC=off and passing kuberc flag are mutually exclusive")
        return _NONE
    path, named = file.place(flag, os.environ)
    try:
        found = file.read(path)
    except OSError as error:
        if not named and isinstance(error, FileNotFoundError):
            return _NONE
        why = (error.strerror or str(error)).lower()
        raise ValueError(f"kuberc error kuberc: open {path}: {why}") from None
    except ValueError:
        raise ValueError(f"kuberc error kuberc: no valid preferences found in {path}, use --v=5 to see details") from None
    for name in file.unknown_fields(found):
        session.error(f'kuberc: ignoring strict decoding error in {path}: strict decoding error: unknown field "{name}"')
    _check_credential_plugins(found)
    session.may_run_plugin = lambda command: _may_run(found, command)
    return found


def _check_credential_plugins(found: dict[str, Any]) -> None:
    policy, listed = found.get("credentialPluginPolicy") or "", found.get("credentialPluginAllowlist")
    if policy not in ("", "AllowAll", "DenyAll", "Allowlist"):
        raise ValueError(f'misconfigured credential plugin allowlist: invalid plugin policy: "{policy}"')
    if listed and policy != "Allowlist":
        raise ValueError(f'misconfigured credential plugin allowlist: plugin policy is "{policy}" but allowlist is non-nil')


def _may_run(found: dict[str, Any], command: str) -> bool:
    """Entries of the list name a program as the kubeconfig does, or where the PATH finds it."""
    policy = found.get("credentialPluginPolicy") or "AllowAll"
    if policy != "Allowlist":
        return bool(policy == "AllowAll")
    import shutil

    listed = {str(entry.get("command") or entry.get("name")) for entry in found.get("credentialPluginAllowlist") or ()}
    return bool(listed & {command, shutil.which(command) or command})


def _flag_of(words: Sequence[str]) -> str:
    """--kuberc, wherever it stands before `--`."""
    for index, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("--kuberc="):
            return word.removeprefix("--kuberc=")
        if word == "--kuberc" and index + 1 < len(words):
            return words[index + 1]
    return ""


class _Applying:
    def __init__(self, root: type[Group], preferences: dict[str, Any]) -> None:
        self._root = root
        self._aliases = [each for each in preferences.get("aliases") or () if isinstance(each, dict)]
        self._defaults = [each for each in preferences.get("defaults") or () if isinstance(each, dict)]

    def words(self, words: Sequence[str]) -> list[str]:
        made = list(words)
        for alias in self._aliases:
            self._check(alias)
        at = next((index for index, word in enumerate(made) if not word.startswith("-")), -1)
        alias = next((each for each in self._aliases if at >= 0 and each.get("name") == made[at]), _NONE)
        if alias and self._root.member(made[at]) is None:
            head = str(alias["command"]).split() + [str(word) for word in alias.get("prependArgs") or ()]
            made[at : at + 1] = head
            made = self._with_options(made, str(alias["command"]), alias.get("options") or ())
            made += [str(word) for word in alias.get("appendArgs") or ()]
        for default in self._defaults:
            made = self._with_options(made, str(default.get("command")), default.get("options") or ())
        return made

    def _check(self, alias: dict[str, Any]) -> None:
        """Raises ValueError for an alias of nothing."""
        command = str(alias.get("command") or "")
        if self._command(command.split())[1] != command.split() or not command:
            raise ValueError(f'command "{command}" not found to set alias "{alias.get("name")}": [{command}]')

    def _command(self, words: Sequence[str]) -> tuple[Any, list[str]]:
        """The command that words name, and its path; only what a program has itself."""
        command: Any = self._root
        path: list[str] = []
        for word in words:
            found = command.member(word) if isinstance(command, type) and issubclass(command, Group) else None
            if found is None:
                break
            command = load(found)
            path.append(word)
        return command, path

    def _with_options(self, words: list[str], command: str, wanted: Sequence[Any]) -> list[str]:
        """With those options that the words do not give, if they are of that command. Raises ValueError."""
        arguments = [word for word in words if not word.startswith("-")]
        start = next((index for index, word in enumerate(arguments) if self._root.member(word) is not None), len(arguments))
        found, path = self._command(arguments[start:])
        if path != command.split() or not (isinstance(found, type) and issubclass(found, Command)):
            return words
        own = [*found.flags.values(), *(flag for flag in (*GLOBAL_FLAGS, HELP_FLAG))]
        try:
            given = parse(own, words).changed
        except FlagError:  # it is said when the command reads them
            return words
        added = []
        for option in wanted:
            name = str(option.get("name")) if isinstance(option, dict) else ""
            if not any(flag.long == f"--{name}" for flag in own):
                raise ValueError(f"invalid flag {name} for command {path[-1]}")
            if name.replace("-", "_") not in given:
                added.append(f"--{name}={option.get('default', '')}")
        end = words.index("--") if "--" in words else len(words)
        return [*words[:end], *added, *words[end:]]
