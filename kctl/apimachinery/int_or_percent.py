"""IntOrString where the string is a percentage (intstr.GetScaledValueFromIntOrPercent)."""

from __future__ import annotations

import math
from typing import Any


def scaled(value: Any, total: int, *, round_up: bool) -> int:
    """A number, or that share of `total`; 0 for None."""
    if value is None:
        return 0
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * total
        return math.ceil(share / 100) if round_up else share // 100
    return int(value)
