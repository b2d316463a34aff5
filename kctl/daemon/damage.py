"""A file of a cluster that is not as kctl wrote it: named, with what to do about it, and left as it is.

Whoever reads such a file raises DamagedFile; nothing starts, and nothing is written over it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_MAXIMUM_BYTES = 64 * 1024


class DamagedFile(Exception):
    """`why` goes on from the file's name: 'is no JSON'. `advice` says how to mend it."""

    def __init__(self, path: Path, why: str, advice: str) -> None:
        super().__init__(f"{path} {why}; {advice}")
        self.path = path


def read_small(path: Path, advice: str) -> bytes | None:
    """A small file's content; None where there is none. Raises DamagedFile."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAXIMUM_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DamagedFile(path, f"cannot be read ({(error.strerror or str(error)).lower()})", advice) from None
    if len(data) > _MAXIMUM_BYTES:
        raise DamagedFile(path, f"has more than {_MAXIMUM_BYTES} bytes", advice)
    return data


def json_object(path: Path, data: bytes, advice: str) -> dict[str, Any]:
    """Raises DamagedFile."""
    import orjson

    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise DamagedFile(path, "is empty" if not data.strip() else "is not JSON", advice) from None
    if not isinstance(parsed, dict):
        raise DamagedFile(path, "is not a JSON object", advice)
    return parsed
