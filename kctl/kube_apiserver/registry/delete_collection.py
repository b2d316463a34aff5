"""DELETE of a collection: each selected object as DELETE would (upstream's Store.DeleteCollection)."""

from __future__ import annotations

import asyncio

from kctl.apimachinery.status import NotFound
from kctl.kube_apiserver.caller import Caller
from kctl.kube_apiserver.registry.delete import Delete, DeleteOptions
from kctl.kube_apiserver.registry.list import List, ListResult
from kctl.kube_apiserver.registry.list_options import ListOptions
from kctl.kube_apiserver.watch_cache import Entry


class DeleteCollection(List, Delete):
    async def delete_collection(self, namespace: str, selected: ListOptions, options: DeleteOptions, caller: Caller) -> ListResult:
        """The objects as they were before."""
        matching = await self.list(namespace, selected)

        async def remove(entry: Entry) -> None:
            meta = entry.object["metadata"]
            try:
                await self.delete(meta.get("namespace", ""), meta["name"], options, caller)
            except NotFound:
                return

        await asyncio.gather(*(remove(entry) for entry in matching.entries))
        return matching
