"""The user's editor: which program it is, and one run of it on a temporary file."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kctl.cli.command import PROGRAM
from kctl.cli.errors import CommandError

_VARIABLES = ("KUBE_EDITOR", "EDITOR")
_DEFAULT_EDITOR = "vi"
_DEFAULT_SHELL = "/bin/bash"


class Editor:
    """`words` are the program and its arguments; with `shell` the last of them is a line for a shell, which gets the file's name.
    `folder` is where temporary files are made ('' for the system's choice)."""

    def __init__(self, words: Sequence[str], *, shell: bool = False, folder: str = "") -> None:
        self.words = list(words)
        self.shell = shell
        self.folder = folder

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Editor:
        """$KUBE_EDITOR, $EDITOR or vi. A line with quotes or backslashes is left to $SHELL to read."""
        line = next((environment[name] for name in _VARIABLES if environment.get(name)), _DEFAULT_EDITOR)
        folder = environment.get("TMPDIR", "")
        if " " in line and any(quote in line for quote in "\"'\\"):
            return cls([environment.get("SHELL") or _DEFAULT_SHELL, "-c", line], shell=True, folder=folder)
        return cls(line.split(" "), folder=folder)

    def edit(self, text: bytes, suffix: str) -> tuple[bytes, Path]:
        """What the user made of `text`, and the file in which it is. Raises CommandError where the editor fails."""
        handle, name = tempfile.mkstemp(prefix=f"{PROGRAM}-edit-", suffix=suffix, dir=self.folder or None)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        self._launch(name)
        try:
            return Path(name).read_bytes(), Path(name)
        except OSError as error:
            raise CommandError(f"open {name}: {(error.strerror or '').lower()}") from None

    def _launch(self, name: str) -> None:
        words = [*self.words[:-1], f'{self.words[-1]} "{name}"'] if self.shell else [*self.words, name]
        shown = " ".join(self.words).replace("\\", "\\\\").replace('"', '\\"')
        try:
            with _terminal_kept():
                done = subprocess.run(words, check=False)
        except FileNotFoundError:
            raise CommandError(f'unable to launch the editor "{shown}"') from None
        except OSError:
            raise CommandError(f'there was a problem with the editor "{shown}"') from None
        if done.returncode:
            raise CommandError(f'there was a problem with the editor "{shown}"')


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Whatever the editor does to the terminal is undone, however it ends."""
    import termios

    saved = None
    with suppress(termios.error, OSError, ValueError):
        saved = termios.tcgetattr(sys.stdin.fileno())
    try:
        yield
    finally:
        if saved is not None:
            with suppress(termios.error, OSError):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, saved)
