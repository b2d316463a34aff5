"""The writes of deployment-controller: new ReplicaSets, their sizes, the Deployment's status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controllers.kube_controller_manager.deployment import conditions, progress, rolling
from controllers.runtime import deployment_revisions as revisions
from controllers.runtime.adoption import controller_reference
from controllers.runtime.deployment_revisions import replicas
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.informer import Informer
from controllers.runtime.manager import ControllerContext
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.revisions import hash_of
from controllers.runtime.sources import OwnStatus
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, REPLICA_SETS
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound
from kctl.apimachinery.times import rfc3339


class CollisionError(Exception):
    """The new ReplicaSet's name is taken by another template: the collision count is raised, the next try gets another."""


class Writer:
    def __init__(self, context: ControllerContext, deployments: Informer, replica_sets: Informer) -> None:
        self._context = context
        self._deployments = deployments
        self._replica_sets = replica_sets
        self._recorder = context.recorder("deployment-controller")
        self.own_status = OwnStatus()

    # ---- status

    async def write_status(self, deployment: Object, status: dict[str, Any], **annotations: str) -> Object:
        """Returns the Deployment as it is afterwards. The revision annotation travels with the status, as upstream."""
        changed = self.own_status.in_place(deployment, status)
        if annotations:
            changed = objects.with_metadata(
                changed, annotations={**objects.annotations(deployment), revisions.REVISION: annotations["revision"]}
            )
        if changed == deployment:
            return deployment
        written = await self._context.client.update_status(DEPLOYMENTS, changed)
        self._deployments.observe([written])
        return written

    async def note(self, deployment: Object, condition: objects.Condition | None, number: str = "") -> Object:
        """Adds a condition and, where it changed, the revision."""
        status = objects.status(deployment)
        if condition is not None:
            noted = conditions.put(list(status.get("conditions") or ()), condition)
            status = {**status, "conditions": noted}
        if number and objects.annotations(deployment).get(revisions.REVISION) != number:
            return await self.write_status(deployment, status, revision=number)
        return await self.write_status(deployment, status)

    # ---- the new ReplicaSet

    async def revise(self, deployment: Object, new: Object, old: Sequence[Object]) -> tuple[Object, Object]:
        """An existing ReplicaSet is the new one: gives it its number; returns (Deployment, ReplicaSet)."""
        number = max([0, *(revisions.revision(rs) for rs in old)]) + 1
        annotations = revisions.new_annotations(deployment, new, number)
        min_ready = objects.spec(deployment).get("minReadySeconds") or 0
        if annotations != objects.annotations(new) or (objects.spec(new).get("minReadySeconds") or 0) != min_ready:
            changed = objects.with_metadata(new, annotations=annotations)
            spec = {key: value for key, value in objects.spec(new).items() if key != "minReadySeconds"}
            changed["spec"] = {**spec, "minReadySeconds": min_ready} if min_ready else spec
            new = await self._update(changed)
        condition = None
        known = objects.find_condition(objects.status(deployment).get("conditions") or (), conditions.PROGRESSING)
        if progress.has_deadline(deployment) and known is None:
            text = f'Found new replica set "{objects.name(new)}"'
            condition = conditions.new(conditions.PROGRESSING, "True", conditions.NEW_FOUND, text, self._now())
        number_text = objects.annotations(new).get(revisions.REVISION, "")
        return await self.note(deployment, condition, number_text), new

    async def create(self, deployment: Object, old: Sequence[Object]) -> tuple[Object, Object]:
        """A ReplicaSet for the present template; returns (Deployment, ReplicaSet)."""
        number = str(max([0, *(revisions.revision(rs) for rs in old)]) + 1)
        wanted = self._build(deployment, old, number)
        condition = None
        try:
            created = await self._context.client.create(REPLICA_SETS, wanted, objects.namespace(deployment))
            self._replica_sets.observe([created])
            if size := replicas(created):
                text = f"Scaled up replica set {objects.name(created)} from 0 to {size}"
                self._recorder.event(deployment, NORMAL, "ScalingReplicaSet", text)
            if progress.has_deadline(deployment):
                text = f'Created new replica set "{objects.name(created)}"'
                condition = conditions.new(conditions.PROGRESSING, "True", conditions.NEW_CREATED, text, self._now())
        except AlreadyExists:
            created = await self._resolve_collision(deployment, wanted)
        except ApiError as error:
            if not namespace_terminating(error):
                await self._cannot_create(deployment, objects.name(wanted), error)
            raise
        return await self.note(deployment, condition, number), created

    def _build(self, deployment: Object, old: Sequence[Object], number: str) -> Object:
        spec = objects.spec(deployment)
        template = spec["template"]
        digest = hash_of(template, objects.status(deployment).get("collisionCount"))
        template_meta = template.get("metadata") or {}
        labels = {**(template_meta.get("labels") or {}), revisions.HASH_LABEL: digest}
        selector = spec["selector"]
        match_labels = {**(selector.get("matchLabels") or {}), revisions.HASH_LABEL: digest}
        annotations = {
            **revisions.copied_annotations(deployment),
            revisions.REVISION: number,
            **revisions.replica_annotations(replicas(deployment), rolling.max_surge(deployment)),
        }
        wanted_spec: dict[str, Any] = {
            "replicas": rolling.new_size(deployment, 0, rolling.total(old)),
            "selector": {**selector, "matchLabels": match_labels},
            "template": {**template, "metadata": {**template_meta, "labels": labels}},
        }
        if spec.get("minReadySeconds"):
            wanted_spec["minReadySeconds"] = spec["minReadySeconds"]
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{objects.name(deployment)}-{digest}",
                "namespace": objects.namespace(deployment),
                "labels": labels,
                "annotations": annotations,
                "ownerReferences": [controller_reference(deployment)],
            },
            "spec": wanted_spec,
        }

    async def _resolve_collision(self, deployment: Object, wanted: Object) -> Object:
        """Ours already (the cache was late), or the hash collided."""
        name, space = objects.name(wanted), objects.namespace(wanted)
        present = await self._context.client.get(REPLICA_SETS, name, space)
        owner = objects.controller_of(present)
        same = revisions.same_template(objects.spec(present)["template"], objects.spec(deployment)["template"])
        if owner is not None and owner["uid"] == objects.uid(deployment) and same:
            self._replica_sets.observe([present])
            return present
        count = int(objects.status(deployment).get("collisionCount") or 0) + 1
        await self.write_status(deployment, {**objects.status(deployment), "collisionCount": count})
        raise CollisionError(f'name "{name}" is taken; collision count is now {count}')

    async def _cannot_create(self, deployment: Object, name: str, error: ApiError) -> None:
        text = f'Failed to create new replica set "{name}": {error.message}'
        condition = conditions.new(conditions.PROGRESSING, "False", conditions.NEW_FAILED, text, self._now())
        self._recorder.event(deployment, WARNING, conditions.NEW_FAILED, text)
        if progress.has_deadline(deployment):
            await self.note(deployment, condition)

    # ---- sizes

    async def scale(self, deployment: Object, sizes: rolling.Scale) -> bool:
        """Sets sizes and the annotations that remember what they were computed from; says whether a size changed."""
        changed = False
        for rs, size in sizes:
            noted = revisions.replica_annotations(replicas(deployment), rolling.max_surge(deployment))
            annotations = {**objects.annotations(rs), **noted}
            before = replicas(rs)
            if size == before and annotations == objects.annotations(rs):
                continue
            wanted = objects.with_metadata(rs, annotations=annotations)
            await self._update(objects.replace(wanted, spec={**objects.spec(rs), "replicas": size}))
            if size != before:
                changed = True
                direction = "up" if size > before else "down"
                text = f"Scaled {direction} replica set {objects.name(rs)} from {before} to {size}"
                self._recorder.event(deployment, NORMAL, "ScalingReplicaSet", text)
        return changed

    async def clean_up(self, deployment: Object, old: Sequence[Object]) -> None:
        for rs in revisions.to_clean_up(deployment, old):
            try:
                await self._context.client.delete(REPLICA_SETS, objects.name(rs), objects.namespace(rs), uid=objects.uid(rs))
            except NotFound:
                continue

    async def _update(self, rs: Object) -> Object:
        written = await self._context.client.update(REPLICA_SETS, rs)
        self._replica_sets.observe([written])
        return written

    def _now(self) -> str:
        return rfc3339(self._context.clock.now())

    def selects_everything(self, deployment: Object) -> None:
        text = "This deployment is selecting all pods. A non-empty selector is required."
        self._recorder.event(deployment, WARNING, "SelectingAll", text)
