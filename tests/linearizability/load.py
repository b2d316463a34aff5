"""Clients that work on a few objects at the same time, and the history of what each asked and was answered."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from kctl.client.errors import ConnectionFailed
from tests.linearizability.checker import UNANSWERED, Kind, Operation, is_linearizable, smallest_bad_part
from tests.linearizability.subjects import Answer, Subject

KEYS = 3
_KINDS = ("create", "update", "put", "delete", "remove", "get", "list")
_WEIGHTS = (20, 25, 10, 8, 7, 22, 8)
"""update and delete name a revision, put and remove do not."""


@dataclass(slots=True)
class History:
    """Operations by key. The clock counts invocations and answers: all happen on one event loop, so their order is the real one."""

    operations: dict[str, list[Operation]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    _clock: itertools.count[int] = field(default_factory=itertools.count)

    def now(self) -> float:
        return next(self._clock)

    def record(self, key: str, kind: Kind, invoked: float, answer: Answer, expected: int = 0) -> None:
        answered = UNANSWERED if answer.outcome == "unknown" else self.now()
        one = Operation(kind, answer.outcome, invoked, answered, answer.value, answer.revision, expected)
        self.operations.setdefault(key, []).append(one)
        self.counts[f"{kind} {answer.outcome}"] += 1

    @property
    def size(self) -> int:
        return sum(map(len, self.operations.values()))

    def problem(self) -> str:
        """What is not linearizable, for a person; "" where all is well."""
        for key, operations in self.operations.items():
            if not is_linearizable(operations):
                lines = "\n".join(f"  {one}" for one in smallest_bad_part(operations))
                return f"the operations on {key} have no order that explains their answers:\n{lines}"
        return revisions_against_time([one for operations in self.operations.values() for one in operations])


def revisions_against_time(operations: Sequence[Operation]) -> str:
    """Revisions are one sequence for all keys: who writes after an answer gets a higher one than was in the answer."""
    known = sorted((one for one in operations if one.revision and one.answered != UNANSWERED), key=lambda one: one.answered)
    newest, position = 0, 0
    for write in sorted((one for one in known if one.kind in ("create", "update")), key=lambda one: one.invoked):
        while position < len(known) and known[position].answered < write.invoked:
            newest = max(newest, known[position].revision)
            position += 1
        if write.revision <= newest:
            return f"{write} was given a revision although {newest} had been answered before it began"
    return ""


class Worker:
    """One client: what it does next is random, what it names as expected is the revision it saw last, perhaps long ago."""

    def __init__(self, subject: Subject, history: History, keys: Sequence[str], number: int, seed: str) -> None:
        self._subject = subject
        self._history = history
        self._keys = keys
        self._number = number
        self._randomness = random.Random(seed)
        self._seen: dict[str, int] = {}
        self._values = itertools.count()

    async def run(self, operations: int) -> None:
        """Ends early when the server does not answer any more."""
        for _ in range(operations):
            try:
                answer = await self._one(self._randomness.choice(self._keys))
            except ConnectionFailed:
                return
            if answer.outcome == "unknown":
                return

    async def _one(self, key: str) -> Answer:
        (kind,) = self._randomness.choices(_KINDS, _WEIGHTS)
        value, invoked = f"{self._number}.{next(self._values)}", self._history.now()
        expected = self._seen.get(key, 0) if kind in ("update", "delete") else 0
        if kind == "list":
            return await self._list(invoked)
        if kind == "create":
            answer = await self._subject.create(key, value)
        elif kind in ("update", "put"):
            answer, kind = await self._subject.update(key, value, expected), "update"
        elif kind in ("delete", "remove"):
            answer, kind = await self._subject.delete(key, expected), "delete"
        else:
            answer = await self._subject.get(key)
        self._history.record(key, kind, invoked, answer, expected)  # type: ignore[arg-type]
        if answer.revision:
            self._seen[key] = answer.revision
        return answer

    async def _list(self, invoked: float) -> Answer:
        """A get of every key at the same moment."""
        found = await self._subject.list(self._keys[0].rpartition("-")[0] + "-")
        for key in self._keys:
            self._history.record(key, "get", invoked, found.get(key, Answer("missing")))
        return Answer("done")


def keys_of(episode: int) -> list[str]:
    """Objects live for one episode, so that no history gets too long to be judged."""
    return [f"object-{episode}-{number}" for number in range(KEYS)]


async def play(subjects: Sequence[Subject], history: History, episode: int, operations: int, seed: int, part: int = 0) -> None:
    """One worker for each subject; `part` where an episode is played in several, with a restart in between."""
    workers = [
        Worker(subject, history, keys_of(episode), part * len(subjects) + number, f"{seed}/{episode}/{part}/{number}")
        for number, subject in enumerate(subjects)
    ]
    await asyncio.gather(*(worker.run(operations // len(workers)) for worker in workers))
