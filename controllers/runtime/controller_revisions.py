"""ControllerRevisions: what the templates of a StatefulSet or DaemonSet have been (client-go's controller history).

A revision is named after the hash of its data. The template of an earlier one coming back makes that one the newest again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from controllers.runtime import pods
from controllers.runtime.adoption import Claims, controller_reference
from controllers.runtime.indexer import OWNERS
from controllers.runtime.informer import Informer
from controllers.runtime.revisions import hash_of
from kctl.apimachinery import objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, ResourceType
from kctl.apimachinery.status import AlreadyExists, NotFound
from kctl.client.client import Client


class Newest(NamedTuple):
    """The revision of the present template; `collisions`: the owner's count, which grows where a name was taken."""

    revision: Object
    collisions: int


def number(revision: Object) -> int:
    return int(revision.get("revision") or 0)


def template_data(template: Object) -> Object:
    """What a revision keeps: a patch that puts the template back."""
    return {"spec": {"template": {**template, "$patch": "replace"}}}


def template_of(revision: Object) -> Object:
    """The template a revision was made of."""
    template: Object = revision["data"]["spec"]["template"]
    return {field: value for field, value in template.items() if field != "$patch"}


class History:
    """Of every owner of one kind. `hash_label` tells a revision's hash."""

    def __init__(self, client: Client, informer: Informer, owner: ResourceType, hash_label: str) -> None:
        self._client = client
        self._informer = informer
        self._hash_label = hash_label
        self._claims = Claims(client, owner, CONTROLLER_REVISIONS)
        informer.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        informer.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)

    async def of(self, owner: Object, selector: Selector) -> list[Object]:
        """The owner's revisions, oldest first; those that nobody owns and its selector matches become its own."""
        orphans = self._informer.by_index(pods.ORPHANS_INDEX, objects.namespace(owner))
        if orphans:
            self._informer.observe(await self._claims.adopt(owner, selector, list(orphans)))
        revisions = self._informer.by_index(pods.CONTROLLER_INDEX, objects.uid(owner))
        return sorted(revisions, key=lambda each: (number(each), objects.metadata(each).get("creationTimestamp", ""), objects.name(each)))

    async def newest(self, owner: Object, known: Sequence[Object], labels: Mapping[str, str], annotations: Mapping[str, str]) -> Newest:
        """The revision of the owner's present template, made or made the newest where it is not."""
        collisions = int(objects.status(owner).get("collisionCount") or 0)
        data = template_data(objects.spec(owner)["template"])
        following = number(known[-1]) + 1 if known else 1
        equal = next((each for each in reversed(known) if each.get("data") == data), None)
        if equal is None:
            return await self._create(owner, data, following, collisions, labels, annotations)
        if equal is not known[-1]:
            equal = await self._client.update(CONTROLLER_REVISIONS, {**equal, "revision": following})
            self._informer.observe([equal])
        return Newest(equal, collisions)

    async def _create(
        self, owner: Object, data: Object, following: int, collisions: int, labels: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Newest:
        space = objects.namespace(owner)
        while True:
            digest = hash_of(data, collisions)
            meta: dict[str, Any] = {"name": f"{objects.name(owner)}-{digest}", "labels": {**labels, self._hash_label: digest}}
            meta |= {"annotations": dict(annotations)} if annotations else {}
            meta["ownerReferences"] = [controller_reference(owner)]
            wanted = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": meta, "data": data, "revision": following}
            try:
                made = await self._client.create(CONTROLLER_REVISIONS, wanted, space)
            except AlreadyExists:
                made = await self._client.get(CONTROLLER_REVISIONS, meta["name"], space)
                if made.get("data") != data or pods.by_controller(made) != (objects.uid(owner),):
                    collisions += 1
                    continue
            self._informer.observe([made])
            return Newest(made, collisions)

    async def truncate(self, owner: Object, known: Sequence[Object], live: Collection[str]) -> None:
        """Deletes the oldest revisions beyond revisionHistoryLimit that nothing uses (`live`: names); a negative limit keeps all."""
        given = objects.spec(owner).get("revisionHistoryLimit")
        limit = 10 if given is None else int(given)
        spare = [revision for revision in known if objects.name(revision) not in live]
        for revision in spare[: max(len(spare) - limit, 0)] if limit >= 0 else ():
            with contextlib.suppress(NotFound):
                await self._client.delete(CONTROLLER_REVISIONS, objects.name(revision), objects.namespace(revision))
                self._informer.observe_deleted(objects.key(revision), objects.uid(revision))
