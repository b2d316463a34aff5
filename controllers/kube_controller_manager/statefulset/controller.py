"""statefulset-controller: pods with names, storage and an order of their own.

plan.py thinks, identity.py says what each pod and claim is; this looks, writes and tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from controllers.kube_controller_manager.statefulset import identity
from controllers.kube_controller_manager.statefulset.plan import Plan, Planner, Revisions, status_of
from controllers.runtime import controller_revisions, pods
from controllers.runtime.adoption import Claims, claimants
from controllers.runtime.controller_revisions import History
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import OWNERS
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import namespace_terminating
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Owns, OwnStatus, Source
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, PODS, STATEFUL_SETS, built_in
from kctl.apimachinery.status import AlreadyExists, ApiError, NotFound

_CLAIMS = built_in("v1", "PersistentVolumeClaim")
_HASH_LABEL = "controller.kubernetes.io/hash"


def _selector(stateful_set: Object) -> Selector:
    return labels.from_label_selector(objects.spec(stateful_set).get("selector"))


class StatefulSetController(LoopController):
    name = "statefulset-controller"
    pace_seconds = 0.02

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._sets = context.informers.informer(STATEFUL_SETS)
        self._pods = context.informers.informer(PODS)
        self._volume_claims = context.informers.informer(_CLAIMS)
        self._pods.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._pods.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)
        self._own_status = OwnStatus()
        self._claims = Claims(context.client, STATEFUL_SETS, PODS)
        revisions = context.informers.informer(CONTROLLER_REVISIONS)
        self._history = History(context.client, revisions, STATEFUL_SETS, _HASH_LABEL)
        self._recorder = context.recorder(self.name)

    def wakes(self) -> Sequence[Source]:
        return (
            For(STATEFUL_SETS, when=self._matters),
            Owns(PODS, by=STATEFUL_SETS, orphans=claimants(self._sets, _selector)),
        )

    def _matters(self, old: Object | None, new: Object | None) -> bool:
        """Own writes of the status do not, but for the end of an update: its old revision may be one too many then."""
        if self._own_status.not_mine(old, new):
            return True
        before, after = objects.status(old or {}), objects.status(new or {})
        return before.get("currentRevision") != after.get("currentRevision")

    async def reconcile(self, key: str) -> Result | None:
        stateful_set = self._sets.get(key)
        if stateful_set is None:
            return None
        selector = _selector(stateful_set)
        await self._claim(stateful_set, selector)
        known = await self._history.of(stateful_set, selector)
        template = objects.spec(stateful_set)["template"]
        newest = await self._history.newest(
            stateful_set, known, (template.get("metadata") or {}).get("labels") or {}, objects.annotations(stateful_set)
        )
        name = objects.status(stateful_set).get("currentRevision")
        current = next((each for each in known if objects.name(each) == name), newest.revision)
        revisions = Revisions(objects.name(current), objects.name(newest.revision))
        templates = {revisions.current: controller_revisions.template_of(current), revisions.update: template}
        planner = Planner(stateful_set, self._members(stateful_set), revisions, self.context.clock.now())
        plan = planner.plan()
        try:
            await self._carry_out(stateful_set, plan, planner.condemned, templates)
        finally:
            following = await self._write_status(stateful_set, revisions, newest.collisions)
        live = {revisions.current, revisions.update, *(identity.revision_of(pod) for pod in self._members(stateful_set))}
        await self._history.truncate(stateful_set, known, live)
        delays = [seconds for seconds in (plan.wait, following) if seconds is not None]
        return Result(requeue_after=min(delays)) if delays else None

    async def _claim(self, stateful_set: Object, selector: Selector) -> None:
        orphans = self._pods.by_index(pods.ORPHANS_INDEX, objects.namespace(stateful_set))
        members = [pod for pod in orphans if identity.is_member(stateful_set, pod)]
        if members:
            self._pods.observe(await self._claims.adopt(stateful_set, selector, members))
        owned = list(self._pods.by_index(pods.CONTROLLER_INDEX, objects.uid(stateful_set)))
        strangers = [pod for pod in owned if not (selector.matches(objects.labels(pod)) and identity.is_member(stateful_set, pod))]
        if strangers:
            self._pods.observe(await self._claims.release(stateful_set, strangers))

    def _members(self, stateful_set: Object) -> list[Object]:
        return list(self._pods.by_index(pods.CONTROLLER_INDEX, objects.uid(stateful_set)))

    async def _write_status(self, stateful_set: Object, revisions: Revisions, collisions: int) -> float | None:
        stateful_set = self._sets.get(objects.key(stateful_set)) or stateful_set
        status, following = status_of(stateful_set, self._members(stateful_set), revisions, collisions, self.context.clock.now())
        if status != objects.status(stateful_set):
            try:
                written = await self._client.update_status(STATEFUL_SETS, self._own_status.in_place(stateful_set, status))
            except NotFound:
                return None
            self._sets.observe([written])
        return following

    # ---- carrying out

    async def _carry_out(self, stateful_set: Object, plan: Plan, condemned: Sequence[Object], templates: dict[str, Object]) -> None:
        wanted = [identity.new_pod(stateful_set, templates[revision], revision, ordinal) for ordinal, revision in plan.create]
        await self._create_all(stateful_set, wanted)
        for pod in plan.claims:
            await self._create_claims(stateful_set, pod)
        for pod in plan.mend:
            await self._mend(stateful_set, pod)
        if objects.spec(stateful_set).get("volumeClaimTemplates"):
            for pod in condemned:
                await self._own_claims(stateful_set, pod)
        for pod in plan.recreate:
            self._tell_recreation(stateful_set, pod)
        doomed = [*plan.recreate, *plan.delete]
        await asyncio.gather(*(self._delete(stateful_set, pod) for pod in doomed))

    async def _create_all(self, stateful_set: Object, wanted: Sequence[Object]) -> None:
        """Slow start: where the first is refused, hundreds of others need not be asked for."""
        begun, batch = 0, 1
        while begun < len(wanted):
            await asyncio.gather(*(self._create(stateful_set, pod) for pod in wanted[begun : begun + batch]))
            begun, batch = begun + batch, batch * 2

    async def _create(self, stateful_set: Object, pod: Object) -> None:
        await self._create_claims(stateful_set, pod)
        try:
            made = await self._client.create(PODS, pod, objects.namespace(stateful_set))
        except AlreadyExists:
            return  # one that is not ours yet, or is still to be seen
        except ApiError as error:
            if not namespace_terminating(error):
                self._tell(stateful_set, "create", f"Pod {objects.name(pod)} in StatefulSet {objects.name(stateful_set)}", error)
                raise
            return
        self._pods.observe([made])
        self._tell(stateful_set, "create", f"Pod {objects.name(pod)} in StatefulSet {objects.name(stateful_set)}")

    async def _create_claims(self, stateful_set: Object, pod: Object) -> None:
        space = objects.namespace(stateful_set)
        for claim in identity.new_claims(stateful_set, pod):
            if self._volume_claims.get(f"{space}/{objects.name(claim)}") is not None:
                continue
            what = f"Claim {objects.name(claim)} Pod {objects.name(pod)} in StatefulSet {objects.name(stateful_set)}"
            try:
                made = await self._client.create(_CLAIMS, claim, space)
            except AlreadyExists:
                continue
            except ApiError as error:
                self._tell(stateful_set, "create", what, error)
                raise
            self._volume_claims.observe([made])
            self._tell(stateful_set, "create", what, word="success")

    async def _own_claims(self, stateful_set: Object, pod: Object) -> None:
        """Before a pod is scaled away: whether its claims go with it."""
        for name in identity.claim_names(stateful_set, pod).values():
            claim = self._volume_claims.get(f"{objects.namespace(stateful_set)}/{name}")
            if claim is None or objects.deletion_timestamp(claim):
                continue
            wanted = identity.with_owner(stateful_set, pod, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claim})
            if objects.owner_references(wanted) != objects.owner_references(claim):
                self._volume_claims.observe([await self._client.update(_CLAIMS, wanted)])

    async def _mend(self, stateful_set: Object, pod: Object) -> None:
        what = f"Pod {objects.name(pod)} in StatefulSet {objects.name(stateful_set)}"
        try:
            written = await self._client.update(PODS, identity.with_identity(pod))
        except ApiError as error:
            self._tell(stateful_set, "update", what, error)
            raise
        self._pods.observe([written])
        self._tell(stateful_set, "update", what)

    async def _delete(self, stateful_set: Object, pod: Object) -> None:
        name, uid = objects.name(pod), objects.uid(pod)
        what = f"Pod {name} in StatefulSet {objects.name(stateful_set)}"
        try:
            answer = await self._client.delete(PODS, name, objects.namespace(pod), uid=uid)
        except NotFound:
            self._pods.observe_deleted(objects.key(pod), uid)
            return
        except ApiError as error:
            self._tell(stateful_set, "delete", what, error)
            raise
        if objects.deletion_timestamp(answer):
            self._pods.observe([answer])
        else:
            self._pods.observe_deleted(objects.key(pod), uid)
        self._tell(stateful_set, "delete", what)

    # ---- telling

    def _tell(self, stateful_set: Object, verb: str, what: str, error: ApiError | None = None, *, word: str = "successful") -> None:
        if error is None:
            self._recorder.event(stateful_set, NORMAL, f"Successful{verb.capitalize()}", f"{verb} {what} {word}")
        else:
            self._recorder.event(stateful_set, WARNING, f"Failed{verb.capitalize()}", f"{verb} {what} failed error: {error.message}")

    def _tell_recreation(self, stateful_set: Object, pod: Object) -> None:
        failed = objects.status(pod).get("phase") == "Failed"
        word = "failed" if failed else "terminated"
        text = f"StatefulSet {objects.key(stateful_set)} is recreating {word} Pod {objects.name(pod)}"
        self._recorder.event(stateful_set, WARNING if failed else NORMAL, f"Recreating{word.capitalize()}Pod", text)
