"""Why a command is not interpreted, and the shell's own jumps.

NotInterpreted   nobody here knows what it would do
Exit             `exit`; never leaves the interpreter
Return, Break, Continue   likewise; the latter two count the loops that they leave
"""

from __future__ import annotations


class NotInterpreted(Exception):
    """The message names what is not known."""


class Exit(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code & 255


class Return(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code & 255


class Break(Exception):
    def __init__(self, loops: int) -> None:
        super().__init__(loops)
        self.loops = loops


class Continue(Break):
    pass
