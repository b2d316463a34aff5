"""GET (upstream's Store.Get): from the cache, which is as new as the store."""

from __future__ import annotations

from kctl.apimachinery.status import Timeout, not_found
from kctl.kube_apiserver.registry.served_resource import ServedResource
from kctl.kube_apiserver.watch_cache import Entry


class Get(ServedResource):
    def get(self, namespace: str, name: str, revision: int = 0) -> Entry:
        """The stored object, not older than `revision`. Raises NotFound, and Timeout for a revision not reached yet."""
        if revision > self.storage.revision:
            raise too_large(revision, self.storage.revision)
        entry = self.cache.entries.get(self.key(namespace, name))
        if entry is None:
            raise not_found(self.resource.group, self.resource.plural, name)
        return entry


def too_large(wanted: int, current: int) -> Timeout:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    return Timeout(f"Timeout: Too large resource version: {wanted}, current: {current}", details=details)
