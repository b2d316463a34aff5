"""storage-version-migrator-controller: writes every object of a resource once more, so that all are in the version that is stored now
(StorageVersionMigration), and lets a CustomResourceDefinition forget the versions that nothing is stored in any more.

One migration at a time for each resource, the oldest first. Of a custom resource the definition says meanwhile that it is StorageMigrating;
where it has not been changed since, its status.storedVersions is the one version afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import ApiError, Conflict, NotFound
from kctl.client.discovery import discover, preferred
from kctl.client.transport import APPLY_PATCH

MIGRATIONS = built_in("storagemigration.k8s.io/v1", "StorageVersionMigration")
DEFINITIONS = built_in("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_RUNNING, _SUCCEEDED, _FAILED = "Running", "Succeeded", "Failed"
_PATIENCE = timedelta(minutes=1)
"""In which a resource may still come that is not served yet."""
_LOOK_SECONDS = 5.0
_PAGE = 500
_NEEDED = frozenset({"list", "patch"})


def has_ended(migration: Object) -> bool:
    return any(objects.is_condition_true(migration, kind) for kind in (_SUCCEEDED, _FAILED))


def resource_of(migration: Object) -> tuple[str, str]:
    """Group and plural."""
    named = objects.spec(migration).get("resource") or {}
    return str(named.get("group") or ""), str(named.get("resource") or "")


def following(migrations: Sequence[Object]) -> Object | None:
    """Of the same resource's: the one whose turn it is. None where none is left."""
    left = [each for each in migrations if not has_ended(each)]
    running = [each for each in left if objects.is_condition_true(each, _RUNNING)]
    return min(running or left, key=lambda each: (each["metadata"]["creationTimestamp"], objects.name(each)), default=None)


class StorageVersionMigrator(LoopController):
    name = "storage-version-migrator-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._migrations = context.informers.informer(MIGRATIONS)

    def wakes(self) -> Sequence[Source]:
        return (For(MIGRATIONS),)

    async def reconcile(self, key: str) -> Result | None:
        named = self._migrations.get(key)
        if named is None:
            for other in self._migrations.list():  # it may have been its turn
                if not has_ended(other):
                    self.loop.enqueue(objects.key(other))
            return None
        alike = [each for each in self._migrations.list() if resource_of(each) == resource_of(named)]
        for each in alike:
            if has_ended(each) and objects.condition(each, _RUNNING) is not None:
                await self._clean_up(each)
        chosen = following(alike)
        return await self._migrate(chosen) if chosen is not None else None

    # ---- a migration

    async def _migrate(self, migration: Object) -> Result | None:
        resource = await self._resource(*resource_of(migration))
        if resource is None:
            return await self._missing(migration)
        if not objects.is_condition_true(migration, _RUNNING):
            await self._tell_definition(migration, "True", "MigrationRunning", f"Migration {objects.name(migration)} is running")
            migration = await self._note(migration, _RUNNING, "MigrationRunning", "The migration is running")
        try:
            await self._write_all(resource)
        except ApiError as error:
            if error.http_status in (429, 500, 503):
                raise  # and try again
            await self._note(migration, _FAILED, "StorageVersionMigrationFailed", f"migration encountered unhandled error: {error.message}")
        else:
            await self._note(migration, _SUCCEEDED, "StorageVersionMigrationSucceeded", "")
        return None

    async def _resource(self, group: str, plural: str) -> ResourceType | None:
        """As it is served."""
        found = preferred(await discover(self._client.transport))
        return next((each for each in found if (each.group, each.plural) == (group, plural) and set(each.verbs) >= _NEEDED), None)

    async def _missing(self, migration: Object) -> Result | None:
        created = times.parse(migration["metadata"]["creationTimestamp"])
        if self.context.clock.now() < created + _PATIENCE:
            return Result(requeue_after=_LOOK_SECONDS)
        await self._note(migration, _FAILED, "StorageVersionMigrationFailed", "resource not found")
        return None

    async def _write_all(self, resource: ResourceType) -> None:
        """As they are; the server stores them in its version. What has been written or deleted meanwhile needs it no more."""
        token = ""
        while True:
            page = await self._client.list(resource, limit=_PAGE, continue_token=token)
            for item in page.get("items") or ():
                meta = item["metadata"]
                known = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
                empty = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": known}
                name, space = meta["name"], meta.get("namespace", "")
                try:
                    await self._client.patch(resource, name, empty, space, patch_type=APPLY_PATCH, field_manager=self.name)
                except (Conflict, NotFound):
                    continue
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                return

    async def _note(self, migration: Object, kind: str, reason: str, message: str) -> Object:
        now = times.rfc3339(self.context.clock.now())
        made = {"type": kind, "status": "True", "lastTransitionTime": now, "reason": reason}
        made |= {"message": message}
        kept = [each for each in objects.status(migration).get("conditions") or () if each["type"] != kind]
        return await self._store(objects.with_status(migration, conditions=[*kept, made]))

    async def _store(self, changed: Object) -> Object:
        written = await self._client.update_status(MIGRATIONS, changed)
        self._migrations.observe((written,))
        return written

    async def _clean_up(self, migration: Object) -> None:
        """What has ended is not running any more."""
        if objects.is_condition_true(migration, _SUCCEEDED):
            await self._tell_definition(migration, "False", "MigrationSucceeded", "The migration has succeeded")
        else:
            await self._tell_definition(migration, "False", "MigrationFailed", "The migration has failed")
        kept = [each for each in objects.status(migration).get("conditions") or () if each["type"] != _RUNNING]
        await self._store(objects.with_status(migration, conditions=kept))

    # ---- the definition

    async def _tell_definition(self, migration: Object, status: str, reason: str, message: str) -> None:
        """Nothing where it is no custom resource. After a success it forgets the versions from before, unless it has changed since."""
        group, plural = resource_of(migration)
        try:
            definition = await self._client.get(DEFINITIONS, f"{plural}.{group}")
        except NotFound:
            return
        generation, changes = definition["metadata"].get("generation"), dict[str, Any]()
        if reason == "MigrationSucceeded":
            told = objects.condition(definition, "StorageMigrating") or {}
            if told.get("observedGeneration") == generation:
                stored = [version["name"] for version in objects.spec(definition)["versions"] if version.get("storage")]
                changes["storedVersions"] = stored
                message += " and the stored versions have been updated"
            else:
                message += " but the stored versions have not been updated due to a generation mismatch"
        now = times.rfc3339(self.context.clock.now())
        made = {"type": "StorageMigrating", "status": status, "lastTransitionTime": now, "reason": reason, "message": message}
        kept = [each for each in objects.status(definition).get("conditions") or () if each["type"] != "StorageMigrating"]
        changes["conditions"] = [*kept, {**made, "observedGeneration": generation}]
        await self._client.patch(DEFINITIONS, objects.name(definition), {"status": changes}, subresource="status")
