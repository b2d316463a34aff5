"""More of what befalls a cluster: budgets and evictions, quotas, suspended Jobs, partitions, claims of StatefulSets that are deleted."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Protocol

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, STATEFUL_SETS, ResourceType, built_in
from kctl.apimachinery.status import ApiError, NotFound
from kctl.client.client import Client

if TYPE_CHECKING:
    from tests.controllers.sequences.invariants import Witness

BUDGETS = built_in("policy/v1", "PodDisruptionBudget")
QUOTAS = built_in("v1", "ResourceQuota")
CLAIMS = built_in("v1", "PersistentVolumeClaim")
SPACE = "random"


def stateful_set(chance: random.Random) -> Object:
    more: Object = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": chance.choice((0, 0, 2))}}}
    if chance.random() < 0.4:
        meta, wanted = {"name": "data"}, {"requests": {"storage": "1Gi"}}
        more["volumeClaimTemplates"] = [{"metadata": meta, "spec": {"accessModes": ["ReadWriteOnce"], "resources": wanted}}]
        policies = {"whenDeleted": chance.choice(("Retain", "Delete")), "whenScaled": chance.choice(("Retain", "Delete"))}
        more["persistentVolumeClaimRetentionPolicy"] = policies
    return more


def job(chance: random.Random, *, indexed: bool) -> Object:
    more: Object = {}
    if chance.random() < 0.3:
        rules: list[Object] = [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
        ]
        more["podFailurePolicy"] = {"rules": rules}
    elif chance.random() < 0.3:
        more["podReplacementPolicy"] = "Failed"
    if indexed and chance.random() < 0.5:
        more["backoffLimitPerIndex"] = chance.choice((0, 1))
    if chance.random() < 0.15:
        more["suspend"] = True
    return more


async def resume(client: Client, space: str) -> None:
    for suspended in (await client.list(JOBS, space))["items"]:
        if objects.spec(suspended).get("suspend"):
            await client.patch(JOBS, objects.name(suspended), {"spec": {"suspend": False}}, space)


class Doer(Protocol):
    client: Client
    chance: random.Random
    witness: Witness

    def note(self, text: str) -> None: ...
    async def any(self, *resources: ResourceType) -> tuple[ResourceType, Object]: ...


class WideDeeds:
    def __init__(self, doer: Doer) -> None:
        self._doer = doer

    async def budget(self) -> None:
        doer = self._doer
        resource, obj = await doer.any(DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
        limit = doer.chance.choice(({"minAvailable": 2}, {"minAvailable": "50%"}, {"maxUnavailable": 1}, {"maxUnavailable": "30%"}))
        name = f"{resource.kind.lower()}-{objects.name(obj)}"
        spec = {"selector": objects.spec(obj)["selector"], **limit}
        await doer.client.create(BUDGETS, {"metadata": {"name": name}, "spec": spec}, SPACE)
        doer.note(f"budget {name}: {limit}")

    async def evict(self) -> None:
        doer = self._doer
        _, pod = await doer.any(PODS)
        name = objects.name(pod)
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": SPACE}}
        doer.witness.disturbed()
        try:
            await doer.client.create_subresource(PODS, name, SPACE, "eviction", body)
        except ApiError as error:
            doer.note(f"evict {name}: {error}")
        else:
            doer.note(f"evict {name}")

    async def quota(self) -> None:
        hard = {"pods": str(self._doer.chance.choice((4, 10, 20))), "count/jobs.batch": "5"}
        await self._doer.client.create(QUOTAS, {"metadata": {"name": "quota"}, "spec": {"hard": hard}}, SPACE)
        self._doer.note(f"quota {hard}")

    async def no_quota(self) -> None:
        await self._doer.client.delete(QUOTAS, "quota", SPACE)
        self._doer.note("no quota")

    async def suspend(self) -> None:
        doer = self._doer
        resource, obj = await doer.any(JOBS, CRON_JOBS)
        if any(objects.is_condition_true(obj, kind) for kind in ("Complete", "Failed")):
            raise NotFound("it is over")
        wanted = not objects.spec(obj).get("suspend")
        await doer.client.patch(resource, objects.name(obj), {"spec": {"suspend": wanted}}, SPACE)
        doer.note(f"suspend {resource.kind} {objects.name(obj)}: {wanted}")

    async def partition(self) -> None:
        doer = self._doer
        resource, obj = await doer.any(STATEFUL_SETS, DAEMON_SETS)
        patch: Any = {"updateStrategy": {"rollingUpdate": {"partition": doer.chance.randint(0, 4)}}}
        if resource is DAEMON_SETS:
            patch = {"minReadySeconds": doer.chance.choice((0, 5))}
        elif objects.spec(obj)["updateStrategy"].get("type") != "RollingUpdate":
            raise NotFound("it is not rolled")
        await doer.client.patch(resource, objects.name(obj), {"spec": patch}, SPACE)
        doer.note(f"{resource.kind} {objects.name(obj)}: {patch}")

    async def delete_claim(self) -> None:
        doer = self._doer
        _, claim = await doer.any(CLAIMS)
        await doer.client.delete(CLAIMS, objects.name(claim), SPACE)
        doer.note(f"delete PersistentVolumeClaim {objects.name(claim)}")
