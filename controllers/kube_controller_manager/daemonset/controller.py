"""daemonset-controller: one pod on every node that fits.

placement.py says where pods belong, rolling.py which to replace next; this looks, writes and tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controllers.kube_controller_manager.daemonset import rolling
from controllers.kube_controller_manager.daemonset.placement import (
    GENERATION,
    HASH_LABEL,
    Placement,
    Verdict,
    node_of,
    pod_for,
    template_generation,
)
from controllers.runtime import pods
from controllers.runtime.adoption import Claims, claimants
from controllers.runtime.controller_revisions import History
from controllers.runtime.events import NORMAL, WARNING
from controllers.runtime.indexer import OWNERS
from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.pod_control import Outcome, PodControl, namespace_terminating
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import Follows, For, Owns, OwnStatus, Source
from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from kctl.apimachinery.status import NotFound

_BURST = 250
_FIRST_BACKOFF_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 15 * 60.0

ByNode = Mapping[str, Sequence[Object]]


def _selector(daemon_set: Object) -> Selector:
    return labels.from_label_selector(objects.spec(daemon_set).get("selector"))


def _moves_pods(old: Object | None, new: Object | None) -> bool:
    """Whether a change of a node can matter: its heartbeats cannot."""
    if old is None or new is None:
        return True
    before, after = objects.spec(old), objects.spec(new)
    return objects.labels(old) != objects.labels(new) or before.get("taints") != after.get("taints")


class DaemonSetController(LoopController):
    name = "daemonset-controller"
    pace_seconds = 0.05

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._sets = context.informers.informer(DAEMON_SETS)
        self._nodes = context.informers.informer(NODES)
        self._pods = context.informers.informer(PODS)
        self._pods.add_index(pods.CONTROLLER_INDEX, pods.by_controller, OWNERS)
        self._pods.add_index(pods.ORPHANS_INDEX, pods.by_namespace_without_controller, OWNERS)
        self._own_status = OwnStatus()
        self._claims = Claims(context.client, DAEMON_SETS, PODS)
        self._recorder = context.recorder(self.name)
        self._control = PodControl(context.client, self._pods, self._recorder)
        revisions = context.informers.informer(CONTROLLER_REVISIONS)
        self._history = History(context.client, revisions, DAEMON_SETS, HASH_LABEL)
        self._failures: dict[tuple[str, str], tuple[float, float]] = {}
        """By owner and node: the back-off, and since when."""

    def wakes(self) -> Sequence[Source]:
        return (
            For(DAEMON_SETS, when=self._own_status.not_mine),
            Owns(PODS, by=DAEMON_SETS, orphans=claimants(self._sets, _selector)),
            Follows(NODES, self._moved_by_nodes),
        )

    def _moved_by_nodes(self, changes: Sequence[Change]) -> Iterator[str]:
        """The sets for which some node is another now."""
        mattering = [change for change in changes if _moves_pods(*change)]
        if mattering:
            for daemon_set in self._sets.list():
                placement = Placement(daemon_set)
                if any(self._verdict(placement, old) != self._verdict(placement, new) for old, new in mattering):
                    yield objects.key(daemon_set)

    @staticmethod
    def _verdict(placement: Placement, node: Object | None) -> Verdict:
        return Verdict(False, False) if node is None else placement.verdict(node)

    async def reconcile(self, key: str) -> Result | None:
        daemon_set = self._sets.get(key)
        if daemon_set is None:
            self._failures = {known: value for known, value in self._failures.items() if known[0] != key}
            return None
        selector = _selector(daemon_set)
        if selector.empty:
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self._recorder.event(daemon_set, WARNING, "SelectingAll", text)
            return None
        await self._claim(daemon_set, selector)
        known = await self._history.of(daemon_set, selector)
        template_labels = (objects.spec(daemon_set)["template"].get("metadata") or {}).get("labels") or {}
        annotations = {GENERATION: template_generation(daemon_set)}
        newest = await self._history.newest(daemon_set, known, template_labels, annotations)
        digest = objects.labels(newest.revision)[HASH_LABEL]
        look = _Look(daemon_set, list(self._nodes.list()), self._owned(daemon_set))
        outcome, wait = Outcome(), None
        if not objects.deletion_timestamp(daemon_set):
            outcome, wait = await self._manage(key, look, digest)
            if outcome.error is None:
                look = _Look(daemon_set, look.nodes, self._owned(daemon_set))
                outcome = await self._roll(look, digest)
        await self._history.truncate(daemon_set, known, self._live(daemon_set, known, objects.name(newest.revision)))
        following = await self._write_status(look, digest, newest.collisions)
        if outcome.error is not None and not namespace_terminating(outcome.error):
            raise outcome.error
        delays = [seconds for seconds in (wait, following) if seconds is not None]
        return Result(requeue_after=min(delays)) if delays else None

    async def _claim(self, daemon_set: Object, selector: Selector) -> None:
        orphans = self._pods.by_index(pods.ORPHANS_INDEX, objects.namespace(daemon_set))
        if orphans:
            active = [pod for pod in orphans if pods.is_active(pod)]
            self._pods.observe(await self._claims.adopt(daemon_set, selector, active))
        strangers = [pod for pod in self._owned(daemon_set) if not selector.matches(objects.labels(pod))]
        if strangers:
            self._pods.observe(await self._claims.release(daemon_set, strangers))

    def _owned(self, daemon_set: Object) -> list[Object]:
        return list(self._pods.by_index(pods.CONTROLLER_INDEX, objects.uid(daemon_set)))

    def _live(self, daemon_set: Object, known: Sequence[Object], newest: str) -> set[str]:
        used = {objects.labels(pod).get(HASH_LABEL) for pod in self._owned(daemon_set)}
        return {newest, *(objects.name(each) for each in known if objects.labels(each).get(HASH_LABEL) in used)}

    # ---- one pod on each node

    async def _manage(self, key: str, look: _Look, digest: str) -> tuple[Outcome, float | None]:
        missing, surplus, waits = [], list(look.stranded), []
        for node in look.nodes:
            present, verdict = look.by_node.get(objects.name(node), ()), look.placement.verdict(node)
            if verdict.run and not present:
                missing.append(objects.name(node))
            elif not verdict.keep:
                surplus += [pod for pod in present if not objects.deletion_timestamp(pod)]
            elif present:
                doomed, wait = self._tidy(key, look, objects.name(node), present, digest)
                surplus += doomed
                waits += [wait] if wait else []
        created = await self._control.create(look.daemon_set, [pod_for(look.daemon_set, node, digest) for node in missing[:_BURST]])
        deleted = await self._control.delete(look.daemon_set, surplus[:_BURST])
        if len(missing) > _BURST or len(surplus) > _BURST:
            self.loop.enqueue(key)
        return Outcome(created.done + deleted.done, created.error or deleted.error), min(waits, default=None)

    def _tidy(self, key: str, look: _Look, node: str, present: Sequence[Object], digest: str) -> tuple[list[Object], float | None]:
        """Pods of one node that have ended or are too many; seconds until a failed one may be replaced."""
        doomed: list[Object] = []
        running, wait = [], None
        for pod in present:
            if objects.deletion_timestamp(pod):
                continue
            phase = objects.status(pod).get("phase")
            if phase == "Failed" and (wait := self._backoff(key, node)) is not None:
                continue
            if phase in ("Failed", "Succeeded"):
                self._tell_ended(look.daemon_set, pod, node, str(phase))
                doomed.append(pod)
            else:
                running.append(pod)
        return doomed + self._surplus(look, running, digest), wait

    def _surplus(self, look: _Look, running: Sequence[Object], digest: str) -> list[Object]:
        """Beyond the oldest; while surging beyond the oldest new and the oldest old one."""
        if len(running) <= 1:
            return []
        ordered = sorted(running, key=_age)
        if not rolling.surge(look.daemon_set, look.desired):
            return ordered[1:]
        new = [pod for pod in ordered if objects.labels(pod).get(HASH_LABEL) == digest]
        old = [pod for pod in ordered if objects.labels(pod).get(HASH_LABEL) != digest]
        doomed = [*new[1:], *old[1:]]
        if new and old:
            ready = rolling.is_available(look.daemon_set, new[0], self.context.clock.now())
            doomed += old[:1] if ready or not pods.is_ready(old[0]) else []
        return doomed

    def _backoff(self, key: str, node: str) -> float | None:
        """Seconds a failed pod has to stay; None when it may go, which doubles the wait of the next."""
        now = self.context.clock.monotonic()
        wait, since = self._failures.get((key, node), (0.0, now))
        left = since + wait - now
        if left > 1e-6:
            return left
        if now - since > 2 * _LONGEST_BACKOFF_SECONDS:
            wait = 0.0
        self._failures[key, node] = min(max(wait * 2, _FIRST_BACKOFF_SECONDS), _LONGEST_BACKOFF_SECONDS), now
        return None

    def _tell_ended(self, daemon_set: Object, pod: Object, node: str, phase: str) -> None:
        failed = phase == "Failed"
        what = "kill" if failed else "delete"
        text = f"Found {phase.lower()} daemon pod {objects.key(pod)} on node {node}, will try to {what} it"
        self._recorder.event(daemon_set, WARNING if failed else NORMAL, f"{phase}DaemonPod", text)

    # ---- updating

    async def _roll(self, look: _Look, digest: str) -> Outcome:
        strategy = objects.spec(look.daemon_set).get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return Outcome()
        now = self.context.clock.now()
        if not rolling.surge(look.daemon_set, look.desired):
            doomed = rolling.to_delete(look.daemon_set, look.by_node, digest, look.desired, now)
            return await self._control.delete(look.daemon_set, doomed[:_BURST])
        doomed, nodes = rolling.to_surge(look.daemon_set, look.by_node, digest, look.desired, now)
        created = await self._control.create(look.daemon_set, [pod_for(look.daemon_set, node, digest) for node in nodes[:_BURST]])
        deleted = await self._control.delete(look.daemon_set, doomed[:_BURST])
        return Outcome(created.done + deleted.done, created.error or deleted.error)

    # ---- status

    async def _write_status(self, look: _Look, digest: str, collisions: int) -> float | None:
        daemon_set = self._sets.get(objects.key(look.daemon_set)) or look.daemon_set
        fresh = _Look(daemon_set, look.nodes, self._owned(daemon_set))
        status, following = self._status(fresh, digest, collisions)
        if status != objects.status(daemon_set):
            try:
                written = await self.context.client.update_status(DAEMON_SETS, self._own_status.in_place(daemon_set, status))
            except NotFound:
                return None
            self._sets.observe([written])
        return following

    def _status(self, look: _Look, digest: str, collisions: int) -> tuple[dict[str, Any], float | None]:
        now, min_ready = self.context.clock.now(), int(objects.spec(look.daemon_set).get("minReadySeconds") or 0)
        current = misscheduled = ready = available = updated = 0
        following: float | None = None
        for node in look.nodes:
            present = look.by_node.get(objects.name(node))
            if not present:
                continue
            if not look.placement.verdict(node).run:
                misscheduled += 1
                continue
            oldest = min(present, key=_age)
            current += 1
            updated += objects.labels(oldest).get(HASH_LABEL) == digest
            left = pods.seconds_until_available(oldest, min_ready, now)
            ready += left is not None
            available += left == 0
            for waited in [left] if len(present) == 1 else [pods.seconds_until_available(pod, min_ready, now) for pod in present]:
                if waited:  # of a surge too: the old pod goes when its successor is available
                    following = waited if following is None else min(waited, following)
        counts = {"updatedNumberScheduled": updated, "numberAvailable": available, "numberUnavailable": look.desired - available}
        status: dict[str, Any] = {"currentNumberScheduled": current, "numberMisscheduled": misscheduled}
        status |= {"desiredNumberScheduled": look.desired, "numberReady": ready}
        status |= {"observedGeneration": objects.generation(look.daemon_set), **{name: count for name, count in counts.items() if count}}
        if collisions:
            status["collisionCount"] = collisions
        if conditions := objects.status(look.daemon_set).get("conditions"):
            status["conditions"] = conditions
        return status, following


class _Look:
    """Nodes and the set's pods on them at one moment. `stranded`: for nodes that are gone, and not bound yet."""

    def __init__(self, daemon_set: Object, nodes: Sequence[Object], owned: Sequence[Object]) -> None:
        self.daemon_set = daemon_set
        self.nodes = nodes
        self.placement = Placement(daemon_set)
        self.desired = sum(self.placement.verdict(node).run for node in nodes)
        self.by_node: dict[str, list[Object]] = defaultdict(list)
        self.stranded: list[Object] = []
        names = {objects.name(node) for node in nodes}
        for pod in owned:
            name = node_of(pod)
            if name in names:
                self.by_node[name].append(pod)
            elif not objects.spec(pod).get("nodeName") and not objects.deletion_timestamp(pod):
                self.stranded.append(pod)


def _age(pod: Object) -> tuple[bool, str, str]:
    """Oldest first; those with a node before those without."""
    return not objects.spec(pod).get("nodeName"), str(objects.metadata(pod).get("creationTimestamp")), objects.name(pod)
