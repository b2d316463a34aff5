"""The values of the etcd contract: what a key holds, what a commit did, what a range returned.

All are immutable and free of any meaning beyond keys, bytes and revisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol


class KeyValue(NamedTuple):
    """One key at one revision. `version` counts writes since creation, from 1."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int
    version: int


class Event(NamedTuple):
    """One committed change. For a delete, `value` is empty, `mod_revision` the delete's own revision.

    `previous` is what the key held before, where the store has it at hand; None otherwise, which tells nothing.
    `tag` is the tag of the Put this event came from, told live by the store that executed it; None in all other cases.
    """

    type: Literal["PUT", "DELETE"]
    key_value: KeyValue
    previous: KeyValue | None
    tag: object = None


@dataclass(frozen=True, slots=True)
class RangeResult:
    """`key_values` in key order; `revision` is the store's revision the answer is true at;
    `count` the number of keys in the whole range at that revision, ignoring the limit (where it was asked for)."""

    key_values: Sequence[KeyValue]
    revision: int
    count: int
    more: bool


class Put(NamedTuple):
    """Write `value` under `key`.

    `mod_revision`: 0 = the key must not exist (create); n = its present mod revision must be n (update);
    None = unconditional.
    `tag`: anything of the writer's, which the event of this very write carries back to listeners of the same process. It is
    neither looked into nor stored.
    """

    key: str
    value: bytes
    mod_revision: int | None = None
    tag: object = None


class Delete(NamedTuple):
    """Delete `key`; `mod_revision` as in Put (0 is not allowed)."""

    key: str
    mod_revision: int | None = None


Operation = Put | Delete


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """What the store needs of one."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop after `seconds`."""
        ...
