"""A test mode in which everyone who changes a shared object in place is found out.

Objects are values: the API server's cache, informers, scheduler and kubelets hold the very same dicts. What an entry of the
cache looked like when it was made is kept, and compared when the test is over.
"""

from __future__ import annotations

from typing import Any

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default
from kctl.kube_apiserver import watch_cache


class Witness:
    """Remembers every entry made while it watches."""

    def __init__(self) -> None:
        self._seen: list[tuple[dict[str, Any], bytes]] = []

    def entry_class(self) -> type[watch_cache.Entry]:
        seen = self._seen

        class WitnessedEntry(watch_cache.Entry):
            __slots__ = ()

            def __init__(self, obj: dict[str, Any], revision: int) -> None:
                super().__init__(obj, revision)
                seen.append((obj, orjson.dumps(obj, default)))

        return WitnessedEntry

    def changed(self) -> list[str]:
        """What was, and what somebody made of it."""
        found = []
        for obj, before in self._seen:
            after = orjson.dumps(obj, default)
            if after != before:
                found.append(f"{before.decode()}\nbecame\n{after.decode()}")
        return found
