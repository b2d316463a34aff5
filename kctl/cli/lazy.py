"""Commands by name: what the tables of commands hold, so that one command costs no other's import."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple


class Lazy(NamedTuple):
    """A command that is imported when it is used. `attribute` names the class (or click command) in `module`."""

    module: str
    attribute: str
    short_help: str
    heading: str = ""


def load(lazy: Lazy) -> Any:
    """Import a command: a Command class or a click command."""
    return getattr(import_module(lazy.module), lazy.attribute)
