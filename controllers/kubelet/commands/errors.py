"""Why a command is not interpreted, and the shell's own jump.

NotInterpreted   nobody here knows what it would do
Exit             `exit`; never leaves the interpreter
"""

from __future__ import annotations


class NotInterpreted(Exception):
    """The message names what is not known."""


class Exit(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code & 255
