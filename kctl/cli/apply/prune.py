"""apply --prune: delete what an earlier apply made and the manifests no longer name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kctl.apimachinery import objects
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import NotFound
from kctl.cli.apply.last_applied import last_applied
from kctl.cli.builder import Info, qualified_name
from kctl.cli.deletion import Deleted, propagation, wait_gone
from kctl.cli.errors import CommandError
from kctl.client.discovery import NoKind

if TYPE_CHECKING:
    from kctl.cli.apply.command import Apply

DEFAULT: Final = (
    "core/v1/ConfigMap",
    "core/v1/Endpoints",
    "core/v1/Namespace",
    "core/v1/PersistentVolumeClaim",
    "core/v1/PersistentVolume",
    "core/v1/Pod",
    "core/v1/ReplicationController",
    "core/v1/Secret",
    "core/v1/Service",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/Ingress",
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/ReplicaSet",
    "apps/v1/StatefulSet",
)


async def prune(apply: Apply, infos: Sequence[Info]) -> None:
    session = apply.session
    kept = {(info.resource.plural, info.resource.group, info.namespace, info.name) for info in infos}
    namespaces = dict.fromkeys(info.namespace for info in infos if info.namespace)
    mapper, client = await session.mapper(), await session.client()
    deleted: list[Deleted] = []
    for entry in apply.prune_allowlist or DEFAULT:
        resource = await _resource(mapper, entry)
        for namespace in namespaces if resource.namespaced else ("",):
            found = await client.list(resource, namespace, label_selector=apply.selector)
            for item in found.get("items") or ():
                key = (resource.plural, resource.group, objects.namespace(item), objects.name(item))
                if key in kept or last_applied(item) is None or objects.deletion_timestamp(item):
                    continue
                await _delete(apply, resource, objects.namespace(item), objects.name(item))
                deleted.append(Deleted(resource, objects.namespace(item), objects.name(item), objects.uid(item)))
    if apply.wait and apply.strategy == "none":
        await wait_gone(session, deleted, apply.timeout)


async def _resource(mapper: object, entry: str) -> ResourceType:
    parts = entry.split("/")
    if len(parts) != 3:
        raise CommandError(f"invalid GroupVersionKind format: {entry}, please follow <group/version/kind>")
    group, version, kind = parts
    try:
        return await mapper.kind(version if group == "core" else f"{group}/{version}", kind)  # type: ignore[attr-defined,no-any-return]
    except NoKind as error:
        raise CommandError(str(error)) from None


async def _delete(apply: Apply, resource: ResourceType, namespace: str, name: str) -> None:
    if apply.strategy != "client":
        grace = apply.grace_period if apply.grace_period >= 0 else None
        try:
            await (await apply.session.client()).delete(
                resource,
                name,
                namespace,
                grace_period_seconds=grace,
                propagation_policy=propagation(apply.cascade),
                dry_run=apply.strategy == "server",
            )
        except NotFound:
            return
    mark = {"none": "", "client": " (dry run)", "server": " (server dry run)"}[apply.strategy]
    apply.session.print(f"{qualified_name(resource, name)} pruned{mark}")
