"""What a server said to `get`."""

from __future__ import annotations

from typing import NamedTuple

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType


class Answer(NamedTuple):
    """What the server said about one selection: a Table, an object or a list."""

    resource: ResourceType
    object: Object
    named: bool
    source: str = ""

    @property
    def is_table(self) -> bool:
        return self.object.get("kind") == "Table"
