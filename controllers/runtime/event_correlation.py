"""How many Event objects a stream of events becomes: the rules of client-go's EventCorrelator, without any I/O.

The same event again raises the count of the one stored; many similar ones (same object, same reason, other message) are
combined into one; a source that talks too much about one object is cut off and regains a word every five minutes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_CACHE_ENTRIES = 4096
_SIMILAR_EVENTS = 10
_SIMILAR_WINDOW_SECONDS = 600.0
_SPAM_BURST = 25.0
_SPAM_REFILL_PER_SECOND = 1.0 / 300.0
_TIDY_SECONDS = 10.0
_COMBINED = "(combined from similar events): "

_V = TypeVar("_V")


class _Lru(Generic[_V]):
    def __init__(self, limit: int = _CACHE_ENTRIES) -> None:
        self._items: OrderedDict[Any, _V] = OrderedDict()
        self._limit = limit

    def get(self, key: Any) -> _V | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: Any, value: _V) -> None:
        self._items[key] = value
        if len(self._items) > self._limit:
            self._items.popitem(last=False)

    def forget(self, is_like_new: Callable[[_V], bool]) -> None:
        """Drops those longest unused, up to the first that still makes a difference."""
        items = self._items
        while items and is_like_new(next(iter(items.values()))):
            items.popitem(last=False)

    def __len__(self) -> int:
        return len(self._items)


@dataclass(slots=True)
class Stored:
    """One Event object. `body` is set while it has not been created."""

    namespace: str
    name: str
    count: int
    first: str
    last: str
    message: str
    body: dict[str, Any] | None = None
    series: bool = False


@dataclass(slots=True)
class _Similar:
    messages: tuple[str, ...]
    seen: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    seen: float

    def tokens_at(self, now: float) -> float:
        return min(_SPAM_BURST, self.tokens + (now - self.seen) * _SPAM_REFILL_PER_SECOND)


class Correlator:
    """One for all recorders of a sink, whose sources are part of every key: what is remembered stays bounded however many
    nodes there are."""

    def __init__(self) -> None:
        self._stored: _Lru[Stored] = _Lru()
        self._similar: _Lru[_Similar] = _Lru()
        self._buckets: _Lru[_Bucket] = _Lru()
        self._tidied = 0.0

    def combine(self, about: tuple[str, ...], message: str, now: float) -> tuple[tuple[str, ...], str]:
        """The key and message to store under. `about` is everything but the message."""
        record = self._similar.get(about)
        if record is None or now - record.seen > _SIMILAR_WINDOW_SECONDS:
            record = _Similar((), now)
            if now - self._tidied > _TIDY_SECONDS:
                self._tidy(now)
            self._similar.put(about, record)
        record.seen = now
        if message not in record.messages:
            if len(record.messages) == _SIMILAR_EVENTS - 1:
                return about, _COMBINED + message
            record.messages = (*record.messages, message)
        return (*about, message), message

    def _tidy(self, now: float) -> None:
        """Forget what is as if it had never been seen."""
        self._tidied = now
        self._similar.forget(lambda other: now - other.seen > _SIMILAR_WINDOW_SECONDS)
        self._buckets.forget(lambda other: other.tokens_at(now) == _SPAM_BURST)

    def __len__(self) -> int:
        """How much is remembered."""
        return len(self._stored) + len(self._similar) + len(self._buckets)

    def stored(self, key: tuple[str, ...]) -> Stored | None:
        return self._stored.get(key)

    def remember(self, key: tuple[str, ...], stored: Stored) -> None:
        self._stored.put(key, stored)

    def allowed(self, source_and_object: tuple[str, ...], now: float) -> bool:
        bucket = self._buckets.get(source_and_object)
        if bucket is None:
            self._buckets.put(source_and_object, _Bucket(_SPAM_BURST - 1, now))
            return True
        bucket.tokens = bucket.tokens_at(now)
        bucket.seen = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
