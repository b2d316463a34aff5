"""apply --prune: delete what an earlier apply made and the manifests no longer name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import NotFound
from kctl.cli.apply.last_applied import last_applied
from kctl.cli.builder import Info, qualified_name
from kctl.cli.deletion import Deleted, propagation, wait_gone
from kctl.cli.errors import CommandError
from kctl.cli.session import Session
from kctl.client.discovery import NoKind, RESTMapper

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


class Pruning(NamedTuple):
    """apply's flags that matter here. `allowlist` holds group/version/kind, empty for DEFAULT; `strategy` is --dry-run's value;
    `grace_period` in seconds, -1 for the object's own."""

    allowlist: Sequence[str]
    selector: str
    strategy: str
    grace_period: int
    cascade: str
    wait: bool
    timeout: float


async def prune(session: Session, infos: Sequence[Info], pruning: Pruning) -> None:
    deleted: list[Deleted] = []
    async for resource, item in leftovers(session, infos, pruning.allowlist, pruning.selector):
        await _delete(session, pruning, resource, objects.namespace(item), objects.name(item))
        deleted.append(Deleted(resource, objects.namespace(item), objects.name(item), objects.uid(item)))
    if pruning.wait and pruning.strategy == "none":
        await wait_gone(session, deleted, pruning.timeout)


async def leftovers(
    session: Session, infos: Sequence[Info], allowlist: Sequence[str], selector: str
) -> AsyncIterator[tuple[ResourceType, Object]]:
    """What an earlier apply made in the namespaces of `infos`, and `infos` do not name; items of lists, without their kind."""
    kept = {(info.resource.plural, info.resource.group, info.namespace, info.name) for info in infos}
    namespaces = dict.fromkeys(info.namespace for info in infos if info.namespace)
    mapper, client = await session.mapper(), await session.client()
    for kind in allowlist or DEFAULT:
        resource = await _resource(mapper, kind)
        for namespace in namespaces if resource.namespaced else ("",):
            listed = await client.list(resource, namespace, label_selector=selector)
            for item in listed.get("items") or ():
                key = (resource.plural, resource.group, objects.namespace(item), objects.name(item))
                if key not in kept and last_applied(item) is not None and not objects.deletion_timestamp(item):
                    yield resource, item


async def _resource(mapper: RESTMapper, named: str) -> ResourceType:
    parts = named.split("/")
    if len(parts) != 3:
        raise CommandError(f"invalid GroupVersionKind format: {named}, please follow <group/version/kind>")
    group, version, kind = parts
    try:
        return await mapper.kind(version if group == "core" else f"{group}/{version}", kind)
    except NoKind as error:
        raise CommandError(str(error)) from None


async def _delete(session: Session, pruning: Pruning, resource: ResourceType, namespace: str, name: str) -> None:
    if pruning.strategy != "client":
        grace = pruning.grace_period if pruning.grace_period >= 0 else None
        try:
            await (await session.client()).delete(
                resource,
                name,
                namespace,
                grace_period_seconds=grace,
                propagation_policy=propagation(pruning.cascade),
                dry_run=pruning.strategy == "server",
            )
        except NotFound:
            return
    mark = {"none": "", "client": " (dry run)", "server": " (server dry run)"}[pruning.strategy]
    session.print(f"{qualified_name(resource, name)} pruned{mark}")
