"""What the rounds of kills came to, of a store as of a daemon."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Figures:
    """`unanswered` writes (transactions of a store) were under way at a kill; `expired` watches were told that the revision is too old."""

    kills: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    unanswered_stored: int = 0
    watches: int = 0
    expired: int = 0
    deletions_told: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.acknowledged} writes acknowledged, 0 lost; of {self.unanswered} writes under way "
            f"{self.unanswered_stored} were stored, whole; {self.watches} watches resumed, {self.expired} of them told that the revision "
            f"is too old; they told {self.deletions_told} deletions"
        )
