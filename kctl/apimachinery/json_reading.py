"""JSON to objects by whichever reader is at hand.

orjson reads faster, but importing it brings dataclasses, inspect, uuid and the standard library's json with it: for a command that
reads one small answer that is longer than the reading. So small documents are read by the standard library until somebody else
has imported orjson.
"""

from __future__ import annotations

import sys
from typing import Any, Final, NoReturn

_LARGE_BYTES: Final = 2 * 1024 * 1024


def read_json(data: bytes) -> Any:
    """Raises ValueError."""
    if "orjson" in sys.modules or len(data) > _LARGE_BYTES:
        import orjson

        return orjson.loads(data)
    import json

    return json.loads(data.decode(), parse_constant=_refuse)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
