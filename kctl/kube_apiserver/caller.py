"""Who asks, and in which form what they send is: the one value that filters, admission and registry decide by.

Identity and form are two things. `user` says what somebody may do, whoever they are; `body` says what must still be done with what
they sent. A fast path belongs to the filter or plugin that has one, and asks for the form, never for the name.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from kctl.apimachinery.user import User


class Body(enum.Enum):
    """The form of what a request carries."""

    WIRE = "wire"
    """As anybody wrote it: it is decoded, checked against its schema, and belongs to the server alone."""
    CANONICAL = "canonical"
    """A whole object as the API itself answers with, from a component of this daemon: it is a value (shared, never changed by
    either side), so it is copied where the server must change it and shared where it need not."""


WIRE, CANONICAL = Body.WIRE, Body.CANONICAL
MAXIMUM_MANAGER = 128
LARGE = 16 * 1024
"""Bytes of an object from which on parsing, defaulting and checking it may take more than a few milliseconds (0.5 s for a megabyte)."""


@dataclass(slots=True)
class Caller:
    """`manager` is the field manager (fieldManager, or the program's name). `warnings` collects what the answer warns of.
    `validates` is False for what the server itself makes against the rules for users (endpoints on the loopback address). `sent_much`
    says that defaulting and checking what was sent can take long: that is done beside the event loop."""

    user: User
    manager: str = ""
    body: Body = WIRE
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
    validates: bool = True
    sent_much: bool = False
    applies: bool = False
    """Server-side apply: what is written carries its managedFields already."""


def manager_of(program: str) -> str:
    """The field manager of a program that names none: its user agent up to the first slash (upstream's prefixFromUserAgent)."""
    return program.partition("/")[0][:MAXIMUM_MANAGER]
