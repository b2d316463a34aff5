"""What users, machines and networks do to a cluster, one thing after the other, chosen by a seed."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, JOBS, NODES, PODS, REPLICA_SETS, STATEFUL_SETS, ResourceType
from kctl.apimachinery.status import AlreadyExists, ApiError, Conflict, Forbidden, Invalid, NotFound
from kctl.client.client import Client
from tests.controllers.sequences import wide_deeds
from tests.controllers.sequences.faults import MortalManager
from tests.controllers.sequences.invariants import PATIENCE_SECONDS, Witness
from tests.controllers.sequences.wide_deeds import WideDeeds

SPACE = "random"
NAMES = ("a", "b", "c")
SCALED: tuple[ResourceType, ...] = (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)
WORKLOADS: tuple[ResourceType, ...] = (*SCALED, DAEMON_SETS, JOBS, CRON_JOBS)
_LATE_SECONDS = 5.0
_COLLECTED_SECONDS = 120.0
"""By then pods of a node that was removed are gone."""
Deed = Callable[[], Awaitable[None]]


class Deeds:
    def __init__(
        self, client: Client, clock: Clock, manager: MortalManager, witness: Witness, chance: random.Random, *, wide: bool
    ) -> None:
        """`wide`: with more kinds and fields than the seeds of old know, whose sequences stay what they were."""
        self.client = client
        self.clock = clock
        self.manager = manager
        self.witness = witness
        self.chance = chance
        self.wide = wide
        self.done: list[str] = []
        self._images = 0
        self._late_until = 0.0
        self._deeds: tuple[tuple[int, Deed], ...] = (
            (6, self.create),
            (5, self.scale),
            (3, self.update),
            (2, self.delete),
            (3, self.delete_pod),
            (2, self.lose_node),
            (2, self.find_node),
            (1, self.cordon),
            (1, self.remove_node),
            (2, self.kill_manager),
            (2, self.break_watches),
            (1, self.late_watches),
            (1, self.lose_answers),
            (1, self.refuse),
            (1, self.all_well),
        )
        if wide:
            more = WideDeeds(self)
            self._deeds += (
                (2, more.budget),
                (4, more.evict),
                (1, more.quota),
                (1, more.no_quota),
                (2, more.suspend),
                (2, more.partition),
                (1, more.delete_claim),
            )

    async def run(self, count: int) -> None:
        weights, deeds = zip(*self._deeds, strict=True)
        for _ in range(count):
            (deed,) = self.chance.choices(deeds, weights)
            try:
                await deed()
            except (AlreadyExists, NotFound, Conflict, Forbidden, Invalid) as error:
                self.note(f"{deed.__name__}: {error}")
            await self.clock.sleep(self.chance.choice((0.0, 0.001, 0.05, 0.5, 2.0, 10.0, 45.0)))

    def note(self, text: str) -> None:
        self.done.append(f"{self.clock.now():%H:%M:%S.%f} {text}")

    # ---- workloads

    async def create(self) -> None:
        resource, name = self.chance.choice(WORKLOADS), self.chance.choice(NAMES)
        spec = getattr(self, f"_{resource.kind.lower()}")(f"{resource.kind.lower()}-{name}")
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec}
        await self.client.create(resource, body, SPACE)
        self.note(f"create {resource.kind} {name}: {_short(spec)}")

    def _template(self, app: str, **more: object) -> Object:
        annotations = {"kctl.dev/readiness-delay": self.chance.choice(("0s", "1s", "1s-5s")), "kctl.dev/stop-duration": "0s-3s"}
        annotations |= {key: str(value) for key, value in more.items() if key.startswith("kctl.dev/")}
        spec = {"containers": [self._container()], "terminationGracePeriodSeconds": self.chance.choice((0, 2, 30))}
        spec |= {key: value for key, value in more.items() if not key.startswith("kctl.dev/")}
        return {"metadata": {"labels": {"app": app}, "annotations": annotations}, "spec": spec}

    def _container(self) -> Object:
        self._images += 1
        return {"name": "c", "image": f"example/{self._images}"}

    def _share(self) -> int | str:
        return self.chance.choice((1, 2, "25%", "50%"))

    def _deployment(self, app: str) -> Object:
        rolling = {"maxSurge": self._share(), "maxUnavailable": self.chance.choice((0, self._share()))}
        strategy = {"type": "Recreate"} if self.chance.random() < 0.25 else {"type": "RollingUpdate", "rollingUpdate": rolling}
        return {**self._replicas(app), "strategy": strategy}

    def _replicaset(self, app: str) -> Object:
        return self._replicas(app)

    def _replicas(self, app: str) -> Object:
        return {"replicas": self.chance.randint(0, 8), "selector": {"matchLabels": {"app": app}}, "template": self._template(app)}

    def _statefulset(self, app: str) -> Object:
        policy = self.chance.choice(("OrderedReady", "OrderedReady", "Parallel"))
        more: Object = {"ordinals": {"start": 3}} if self.chance.random() < 0.2 else {}
        spec = {**self._replicas(app), "serviceName": "none", "podManagementPolicy": policy, **more}
        return spec | wide_deeds.stateful_set(self.chance) if self.wide else spec

    def _daemonset(self, app: str) -> Object:
        rolling = self.chance.choice(({"maxUnavailable": 1}, {"maxUnavailable": "50%"}, {"maxSurge": 1, "maxUnavailable": 0}))
        strategy = {"type": "OnDelete"} if self.chance.random() < 0.2 else {"type": "RollingUpdate", "rollingUpdate": rolling}
        return {"selector": {"matchLabels": {"app": app}}, "template": self._template(app), "updateStrategy": strategy}

    def _job(self, app: str) -> Object:
        fails = self.chance.random() < 0.3
        more = {"kctl.dev/run-duration": "1s-20s", "kctl.dev/exit-code": self.chance.choice(("1", "1,0")) if fails else "0"}
        template = self._template(app, restartPolicy="Never", **more)
        template["metadata"].pop("labels")
        completions = self.chance.choice((1, 3, 8))
        mode: Object = {"completionMode": "Indexed"} if self.chance.random() < 0.4 else {}
        if self.wide:
            mode |= wide_deeds.job(self.chance, indexed=bool(mode))
        return {
            "completions": completions,
            "parallelism": self.chance.randint(1, 6),
            "backoffLimit": self.chance.choice((0, 2, 6)),
            "template": template,
            **mode,
        }

    def _cronjob(self, app: str) -> Object:
        policy = self.chance.choice(("Allow", "Forbid", "Replace"))
        job = {**self._job(app), "completions": 2, "parallelism": 2}
        job.pop("suspend", None)
        return {"schedule": "* * * * *", "concurrencyPolicy": policy, "jobTemplate": {"spec": job}}

    async def any(self, *resources: ResourceType) -> tuple[ResourceType, Object]:
        """Of those that people made. Raises NotFound."""
        found = [
            (resource, obj)
            for resource in resources
            for obj in (await self.client.list(resource, SPACE))["items"]
            if resource is PODS or not objects.controller_of(obj)
        ]
        if not found:
            raise NotFound("there is none")
        return self.chance.choice(found)

    async def scale(self) -> None:
        resource, obj = await self.any(*SCALED, JOBS)
        field = "parallelism" if resource is JOBS else "replicas"
        count = self.chance.randint(0, 10)
        await self.client.patch(resource, objects.name(obj), {"spec": {field: count}}, SPACE)
        self.note(f"scale {resource.kind} {objects.name(obj)} to {count}")

    async def update(self) -> None:
        resource, obj = await self.any(DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, CRON_JOBS)
        patch: Object = {"spec": {"template": {"spec": {"containers": [self._container()]}}}}
        if resource is CRON_JOBS:
            patch = {"spec": {"suspend": self.chance.random() < 0.5}}
        elif resource is DEPLOYMENTS and self.chance.random() < 0.15:
            patch["spec"]["paused"] = not objects.spec(obj).get("paused")
        await self.client.patch(resource, objects.name(obj), patch, SPACE)
        self.note(f"update {resource.kind} {objects.name(obj)}: {_short(patch)}")

    async def delete(self) -> None:
        resource, obj = await self.any(*WORKLOADS)
        policy = self.chance.choice(("Background", "Foreground", "Orphan"))
        self.witness.disturbed()
        await self.client.delete(resource, objects.name(obj), SPACE, propagation_policy=policy)
        self.note(f"delete {resource.kind} {objects.name(obj)} ({policy})")

    async def delete_pod(self) -> None:
        _, pod = await self.any(PODS)
        grace = self.chance.choice((None, 0, 1))
        self.witness.disturbed()
        await self.client.delete(PODS, objects.name(pod), SPACE, grace_period_seconds=grace)
        self.note(f"delete Pod {objects.name(pod)} (grace {grace})")

    # ---- nodes

    async def _node(self, *, lost: bool) -> Object:
        nodes = (await self.client.list(NODES))["items"]
        found = [node for node in nodes if (objects.annotations(node).get("kctl.dev/kubelet") == "stopped") == lost]
        if not found or (not lost and len(found) < 2):
            raise NotFound("there is none")
        return self.chance.choice(found)

    async def lose_node(self) -> None:
        name = objects.name(await self._node(lost=False))
        self.witness.disturbed(float("inf"))
        await self.client.patch(NODES, name, {"metadata": {"annotations": {"kctl.dev/kubelet": "stopped"}}})
        self.note(f"lose {name}")

    async def find_node(self) -> None:
        name = objects.name(await self._node(lost=True))
        await self.client.patch(NODES, name, {"metadata": {"annotations": {"kctl.dev/kubelet": None}}})
        self.note(f"find {name}")

    async def cordon(self) -> None:
        node = self.chance.choice((await self.client.list(NODES))["items"])
        wanted = self.chance.random() < 0.5
        await self.client.patch(NODES, objects.name(node), {"spec": {"unschedulable": wanted}})
        self.note(f"{'cordon' if wanted else 'uncordon'} {objects.name(node)}")

    async def remove_node(self) -> None:
        nodes = (await self.client.list(NODES))["items"]
        if len(nodes) < 3:
            raise NotFound("too few are left")
        name = objects.name(self.chance.choice(nodes))
        self.witness.disturbed(_COLLECTED_SECONDS)
        await self.client.delete(NODES, name)
        self.note(f"remove {name}")

    # ---- the manager and its connection

    async def kill_manager(self) -> None:
        if self.manager.is_up:
            seconds = self.chance.choice((0.0, 0.5, 20.0, 90.0))
            self.manager.kill(seconds)
            self.note(f"kill the manager for {seconds:g} s")

    async def break_watches(self) -> None:
        expired = self.chance.random() < 0.5
        self.manager.faults.break_watches(expired=expired)
        self.note(f"break watches{' (expired)' if expired else ''}")

    async def late_watches(self) -> None:
        """Without lost answers: who neither is told that a pod was made nor sees it makes another one, here as in Kubernetes."""
        self.manager.faults.lost_answers = 0.0
        self.manager.faults.late_seconds = _LATE_SECONDS
        self._late_until = float("inf")
        # late, a list that began before, and the time in which it is acted on
        self.witness.lag_seconds = 3 * _LATE_SECONDS + PATIENCE_SECONDS
        self.note("watches are late")

    async def lose_answers(self) -> None:
        if self.clock.monotonic() < self._late_until:
            raise NotFound("watches are late")
        self.manager.faults.lost_answers = 0.2
        self.note("answers are lost")

    async def refuse(self) -> None:
        self.manager.faults.refused = 0.3
        self.note("writes are refused")

    async def all_well(self) -> None:
        if self.manager.faults.late_seconds:
            self._late_until = self.clock.monotonic() + 2 * _LATE_SECONDS
        self.manager.faults.end()
        self.note("all is well between manager and server")

    async def restore(self, names: tuple[str, ...]) -> None:
        """Everything that was broken is whole again: what is wanted must come about now."""
        self.manager.faults.end()
        present = {objects.name(node): node for node in (await self.client.list(NODES))["items"]}
        for name in names:
            try:
                if name not in present:
                    await self.client.create(NODES, {"metadata": {"name": name, "annotations": {"kctl.dev/simulated": "true"}}})
                else:
                    patch = {"metadata": {"annotations": {"kctl.dev/kubelet": None}}, "spec": {"unschedulable": None}}
                    await self.client.patch(NODES, name, patch)
            except ApiError as error:
                self.note(f"restore {name}: {error}")
        if self.wide:
            await self.client.delete_collection(wide_deeds.QUOTAS, SPACE)
            await wide_deeds.resume(self.client, SPACE)
        for cron_job in (await self.client.list(CRON_JOBS, SPACE))["items"]:
            await self.client.patch(CRON_JOBS, objects.name(cron_job), {"spec": {"suspend": True}}, SPACE)
        self.note("restore")


def _short(spec: Object) -> str:
    shown = {key: value for key, value in spec.items() if key not in ("selector", "template", "jobTemplate")}
    return ", ".join(f"{key}={value}" for key, value in shown.items())
