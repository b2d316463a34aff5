"""A table of name and age made here, for answers that are no Table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import times
from kctl.apimachinery.objects import Object
from kctl.printers.printer import items_of
from kctl.printers.table import generic_table


def table_of(obj: Object, now: datetime) -> dict[str, Any]:
    def age(stamp: Any) -> str:
        return times.human_duration(now - times.parse(stamp)) if stamp else "<unknown>"

    return generic_table(items_of(obj), age)
