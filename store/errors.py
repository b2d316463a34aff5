"""Errors of the store.

StoreError
 +-- KeyExists        a create found the key
 +-- KeyNotFound      an update or delete with a revision found no key
 +-- Conflict         the key's mod revision is another than the one expected
 +-- Compacted        the revision asked for is gone; carries `compact_revision`
 +-- FutureRevision   the revision asked for is not reached yet; carries `current_revision`
 +-- WatchDropped     a watcher was too slow and has been cut off; watch again from its last revision
 +-- WriteFailed      the disk refused the commit; the store goes on without this write, and takes the next one when it can
 +-- ReadFailed       the disk refused a read
 +-- DamagedStore     at start: the file is not what was stored; it has been left as it is
 +-- StoreClosed      the store is shut down; nothing of this write was stored
      +-- StoreLost   its files have been removed: it has closed itself
"""

from __future__ import annotations


class StoreError(Exception):
    """Root of all errors the store raises on purpose."""


class KeyExists(StoreError):
    def __init__(self, key: str, mod_revision: int) -> None:
        super().__init__(f"key {key!r} exists at revision {mod_revision}")
        self.key = key
        self.mod_revision = mod_revision


class KeyNotFound(StoreError):
    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} not found")
        self.key = key


class Conflict(StoreError):
    def __init__(self, key: str, expected: int, actual: int) -> None:
        super().__init__(f"key {key!r} is at revision {actual}, not {expected}")
        self.key = key
        self.expected = expected
        self.actual = actual


class Compacted(StoreError):
    def __init__(self, revision: int, compact_revision: int) -> None:
        super().__init__(f"revision {revision} is compacted; the oldest is {compact_revision}")
        self.revision = revision
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    def __init__(self, revision: int, current_revision: int) -> None:
        super().__init__(f"revision {revision} is in the future; the newest is {current_revision}")
        self.revision = revision
        self.current_revision = current_revision


class WatchDropped(StoreError):
    pass


class WriteFailed(StoreError):
    pass


class ReadFailed(StoreError):
    pass


class DamagedStore(StoreError):
    pass


class StoreClosed(StoreError):
    pass


class StoreLost(StoreClosed):
    pass
