"""The rules: what create, update and delete mean against the present state of a key. Shared by all implementations."""

from __future__ import annotations

from typing import NamedTuple

from store.errors import Conflict, KeyExists, KeyNotFound
from store.types import Delete, Event, KeyValue, Operation


class KeyState(NamedTuple):
    """What must be known of a live key to judge an operation on it."""

    create_revision: int
    mod_revision: int
    version: int


def judge(operation: Operation, state: KeyState | None, revision: int) -> KeyState | None:
    """The key's state after the operation at `revision`; None when it is deleted. Raises KeyExists, KeyNotFound, Conflict."""
    expected = operation.mod_revision
    deleting = isinstance(operation, Delete)
    if expected == 0 and not deleting:
        if state is not None:
            raise KeyExists(operation.key, state.mod_revision)
    elif state is None:
        if expected is not None or deleting:
            raise KeyNotFound(operation.key)
    elif expected is not None and expected != state.mod_revision:
        raise Conflict(operation.key, expected, state.mod_revision)
    if deleting:
        return None
    if state is None:
        return KeyState(revision, revision, 1)
    return KeyState(state.create_revision, revision, state.version + 1)


def event_of(
    operation: Operation, before: KeyState | None, after: KeyState | None, revision: int, previous: KeyValue | None = None
) -> Event:
    """What listeners are told; `previous` where the store has it at hand."""
    if isinstance(operation, Delete) or after is None:
        assert before is not None
        gone = KeyValue(operation.key, b"", before.create_revision, revision, before.version)
        return Event("DELETE", gone, previous)
    changed = KeyValue(operation.key, operation.value, after.create_revision, revision, after.version)
    return Event("PUT", changed, previous, operation.tag)
