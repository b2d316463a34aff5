"""deployment-controller: rolls a Deployment's template out through ReplicaSets.

One reconcile takes one step (size one side, or write the status) from the present state; the change it makes wakes it
for the next. rolling.py, revisions.py, conditions.py and progress.py think; sync.py writes.
"""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kube_controller_manager.deployment import conditions, progress, rolling
from controllers.kube_controller_manager.deployment.sync import CollisionError, Writer
from controllers.runtime import deployment_revisions as revisions
from controllers.runtime import pods
from controllers.runtime.adoption import Claims, claimants
from controllers.runtime.deployment_revisions import replicas
from controllers.runtime.indexer import OWNERS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Owns, Source, Watches, deleted, owner_keys
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from kctl.apimachinery.status import ApiError, NotFound


class DeploymentController(LoopController):
    name = "deployment-controller"
    pace_seconds = 0.02

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._deployments = context.informers.informer(DEPLOYMENTS)
        self._replica_sets = context.informers.informer(REPLICA_SETS)
        self._pods = context.informers.informer(PODS)
        self._replica_sets.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._replica_sets.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)
        self._pods.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._claims = Claims(context.client, DEPLOYMENTS, REPLICA_SETS)
        self._writer = Writer(context, self._deployments, self._replica_sets)

    def wakes(self) -> Sequence[Source]:
        return (
            For(DEPLOYMENTS, when=self._matters),
            Owns(REPLICA_SETS, by=DEPLOYMENTS, orphans=claimants(self._deployments, _selector)),
            Watches(PODS, to=self._recreating, when=deleted),
        )

    def _matters(self, old: Object | None, new: Object | None) -> bool:
        """An own change of counts does not. The completion of a rollout does: old ReplicaSets beyond the history limit go then."""
        if self._writer.own_status.not_mine(old, new) or old is None or new is None:
            return True
        if old["metadata"].get("annotations") != new["metadata"].get("annotations"):
            return True
        progressing = objects.find_condition(objects.status(new).get("conditions") or (), conditions.PROGRESSING)
        return progressing is not None and progressing.get("reason") in (conditions.NEW_AVAILABLE, conditions.RESUMED)

    def _recreating(self, pod: Object) -> list[str]:
        """Only Recreate waits for pods themselves: for the last old one to be gone."""
        for name in owner_keys(pod, REPLICA_SETS):
            rs = self._replica_sets.get(name)
            for key in owner_keys(rs, DEPLOYMENTS) if rs is not None else ():
                deployment = self._deployments.get(key)
                if deployment is not None and not rolling.is_rolling(deployment):
                    return [key]
        return []

    # ---- one step

    async def reconcile(self, key: str) -> Result | None:
        deployment = self._deployments.get(key)
        if deployment is None:
            return None
        if _selector(deployment).empty:
            await self._refuse(deployment)
            return None
        try:
            status = await self._step(deployment)
        except CollisionError:
            return Result(requeue=True)
        except NotFound:
            if self._deployments.get(key) is None:
                return None
            raise
        left = progress.seconds_to_deadline(deployment, objects.status(status), self.context.clock.now())
        return Result(requeue_after=left) if left is not None else None

    async def _refuse(self, deployment: Object) -> None:
        self._writer.selects_everything(deployment)
        generation = objects.generation(deployment)
        if int(objects.status(deployment).get("observedGeneration") or 0) < generation:
            await self._writer.write_status(deployment, {**objects.status(deployment), "observedGeneration": generation})

    async def _step(self, deployment: Object) -> Object:
        """Returns the Deployment as it is now."""
        mine = await self._claim(deployment)
        now = self.context.clock.now()
        new = revisions.find_new(deployment, mine)
        old = revisions.without(mine, new)
        if objects.deletion_timestamp(deployment):
            return await self._writer.write_status(deployment, progress.counts(deployment, new, mine, now))
        pause = progress.pause_condition(deployment, now)
        if pause is not None:
            deployment = await self._writer.note(deployment, pause)
        if objects.spec(deployment).get("paused") or rolling.is_scaling(deployment, mine):
            return await self._resize(deployment, new, old)
        if rolling.is_rolling(deployment):
            return await self._roll(deployment, new, old)
        return await self._recreate(deployment, new, old)

    async def _claim(self, deployment: Object) -> list[Object]:
        selector, uid = _selector(deployment), objects.uid(deployment)
        orphans = self._replica_sets.by_index(pods.ORPHANS_INDEX, objects.namespace(deployment))
        if orphans:
            self._replica_sets.observe(await self._claims.adopt(deployment, selector, list(orphans)))
        owned = list(self._replica_sets.by_index(pods.CONTROLLER_INDEX, uid))
        strangers = [rs for rs in owned if not selector.matches(objects.labels(rs))]
        if strangers:
            self._replica_sets.observe(await self._claims.release(deployment, strangers))
            return [rs for rs in owned if selector.matches(objects.labels(rs))]
        return owned

    async def _resize(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> Object:
        """No rollout while paused or just after spec.replicas changed: only sizes follow."""
        if new is not None:
            deployment, new = await self._writer.revise(deployment, new, old)
        await self._writer.scale(deployment, rolling.resize(deployment, new, old))
        if objects.spec(deployment).get("paused"):
            await self._writer.clean_up(deployment, old)
        mine = self._refreshed(new, old)
        fresh = revisions.find_new(deployment, mine)
        status = progress.counts(deployment, fresh, mine, self.context.clock.now())
        return await self._writer.write_status(deployment, status)

    async def _new_one(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> tuple[Object, Object]:
        if new is None:
            return await self._writer.create(deployment, old)
        return await self._writer.revise(deployment, new, old)

    async def _roll(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> Object:
        deployment, new = await self._new_one(deployment, new, old)
        if not await self._writer.scale(deployment, rolling.scale_new(deployment, new, old)):
            await self._writer.scale(deployment, rolling.scale_old(deployment, new, revisions.active(old)))
        return await self._finish(deployment, new, old)

    async def _recreate(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> Object:
        """Everything old goes, and only when its last pod is gone does the new come."""
        if new is not None:
            deployment, new = await self._writer.revise(deployment, new, old)
        if await self._writer.scale(deployment, [(rs, 0) for rs in revisions.active(old)]) or self._still_run(old):
            return await self._finish(deployment, new, old)
        if new is None:
            deployment, new = await self._writer.create(deployment, old)
        if replicas(new) != replicas(deployment):
            await self._writer.scale(deployment, [(new, replicas(deployment))])
        return await self._finish(deployment, new, old)

    def _still_run(self, old: Sequence[Object]) -> bool:
        return any(not pods.is_terminal(pod) for rs in old for pod in self._pods.by_index(pods.CONTROLLER_INDEX, objects.uid(rs)))

    async def _finish(self, deployment: Object, new: Object | None, old: Sequence[Object]) -> Object:
        if progress.is_complete(deployment, objects.status(deployment)):
            await self._writer.clean_up(deployment, old)
        mine = self._refreshed(new, old)
        fresh = next((rs for rs in mine if new is not None and objects.uid(rs) == objects.uid(new)), None)
        status = progress.rollout_status(deployment, fresh, mine, self.context.clock.now())
        return await self._writer.write_status(deployment, status)

    def _refreshed(self, new: Object | None, old: Sequence[Object]) -> list[Object]:
        """The ReplicaSets as they are after this step's own writes."""
        before = [*old, *([new] if new is not None else [])]
        return [self._replica_sets.get(objects.key(rs)) or rs for rs in before]


def _selector(deployment: Object) -> Selector:
    try:
        return labels.from_label_selector(objects.spec(deployment).get("selector"))
    except ApiError:
        return labels.NOTHING
