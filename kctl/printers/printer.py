"""What every printer of objects is: a function of an object to text, which may refuse."""

from __future__ import annotations

from collections.abc import Callable

from kctl.apimachinery.objects import Object

Printer = Callable[[Object], str]


class OutputError(ValueError):
    """A format that does not exist, or a template that is missing or wrong."""


def items_of(obj: Object) -> list[Object]:
    """The members of a list, or the object itself."""
    items = obj.get("items")
    return items if isinstance(items, list) and str(obj.get("kind", "")).endswith("List") else [obj]
