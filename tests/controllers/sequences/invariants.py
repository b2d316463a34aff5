"""What is looked at with every write to the store: rules that hold at each moment, whatever has happened before.

The witness sees revisions as they are committed, before any controller does. Controllers act on what they have seen, so what was wanted
a moment ago may still be done: the rules allow for what anybody wanted within the last `lag_seconds`, as many as watches may be late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.int_or_percent import scaled
from kctl.apimachinery.objects import Object
from store.types import Event

_FOLLOWED = {
    "pods": "Pod",
    "replicasets": "ReplicaSet",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "cronjobs": "CronJob",
}
PATIENCE_SECONDS = 1.0


def controller_uid(obj: Object) -> str:
    owner = objects.controller_of(obj)
    return str(owner["uid"]) if owner is not None else ""


def is_active(pod: Object) -> bool:
    return objects.status(pod).get("phase") not in ("Succeeded", "Failed") and not objects.deletion_timestamp(pod)


def is_ready(pod: Object) -> bool:
    return is_active(pod) and objects.is_condition_true(pod, "Ready")


@dataclass
class Wanted:
    """A number over time: the most and the least that it was of late."""

    past: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, now: float, value: int) -> None:
        if not self.past or self.past[-1][1] != value:
            self.past.append((now, value))

    def of_late(self, since: float) -> list[int]:
        while len(self.past) > 1 and self.past[1][0] < since:
            self.past.popleft()
        return [value for _, value in self.past]


class Witness:
    """`broken` is filled with what should never be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lag_seconds = PATIENCE_SECONDS
        self._disturbed_until = float("-inf")
        """Somebody else than a controller has killed a pod, or taken a node away."""
        self.broken: list[str] = []
        self.objects: dict[str, dict[str, Object]] = {kind: {} for kind in _FOLLOWED.values()}
        """By kind and uid."""
        self._owned: dict[str, dict[str, Object]] = {}
        self._wanted: dict[tuple[str, str], Wanted] = {}
        self._succeeded: dict[str, dict[str, None]] = {}
        self._ready_at: dict[tuple[str, int], float] = {}
        self._uids: dict[str, str] = {}
        self.writes = 0

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            self.writes += 1
            kind = _FOLLOWED.get(event.key_value.key.split("/")[3])
            if kind is not None:
                self._see(kind, event)

    def _see(self, kind: str, event: Event) -> None:
        key = event.key_value.key
        uid = self._uids.get(key, "")
        old = self.objects[kind].get(uid)
        if event.type == "DELETE":
            self.objects[kind].pop(uid, None)
            self._owned.get(controller_uid(old or {"metadata": {}}), {}).pop(uid, None)
            if kind == "Pod" and old is not None:
                self._note_ready(old)
            return
        obj: Object = orjson.loads(event.key_value.value)
        uid = self._uids[key] = objects.uid(obj)
        old = self.objects[kind].get(uid)
        if old is not None and controller_uid(old) != controller_uid(obj):
            self._owned.get(controller_uid(old), {}).pop(uid, None)
        self.objects[kind][uid] = obj
        self._owned.setdefault(controller_uid(obj), {})[uid] = obj
        self._note(kind, obj)
        for text in self._rules(kind, old, obj):
            self.broken.append(f"{self._clock.now():%H:%M:%S.%f} {kind} {objects.namespace(obj)}/{objects.name(obj)}: {text}")

    # ---- what was wanted

    def _note(self, kind: str, obj: Object) -> None:
        spec, now = objects.spec(obj), self._clock.monotonic()
        names = {"Job": ("parallelism",)}.get(kind, ("replicas",))
        for name in names:
            if kind in ("Deployment", "ReplicaSet", "StatefulSet", "Job"):
                paused = kind == "Job" and spec.get("suspend")
                self._wanted.setdefault((objects.uid(obj), name), Wanted()).note(now, 0 if paused else int(spec.get(name, 1)))
        if kind == "Pod":
            # one that is being deleted has been counted as failed, and replaced
            if objects.status(obj).get("phase") == "Succeeded" and not objects.deletion_timestamp(obj):
                self._succeeded.setdefault(controller_uid(obj), {})[objects.uid(obj)] = None
            if is_ready(obj):
                self._note_ready(obj)

    def _note_ready(self, pod: Object) -> None:
        ordinal = pod["metadata"]["name"].rpartition("-")[2]
        if ordinal.isdigit() and is_ready(pod):
            self._ready_at[controller_uid(pod), int(ordinal)] = self._clock.monotonic()

    def wanted(self, owner: Object, name: str = "replicas") -> list[int]:
        """What anybody may still act on."""
        found = self._wanted.get((objects.uid(owner), name))
        return found.of_late(self._clock.monotonic() - self.lag_seconds) if found is not None else [0]

    def owned(self, owner: Object, kind: str) -> list[Object]:
        return [obj for uid, obj in self._owned.get(objects.uid(owner), {}).items() if uid in self.objects[kind]]

    @property
    def is_calm(self) -> bool:
        """Nobody but controllers has taken pods away of late."""
        return self._clock.monotonic() - self._disturbed_until > self.lag_seconds + PATIENCE_SECONDS

    def disturbed(self, seconds: float = 0.0) -> None:
        """Now, and for so long."""
        self._disturbed_until = max(self._disturbed_until, self._clock.monotonic() + seconds)

    # ---- the rules

    def _rules(self, kind: str, old: Object | None, obj: Object) -> Iterator[str]:
        if kind == "Pod":
            yield from self._pod(old, obj)
        elif kind == "ReplicaSet":
            yield from self._replica_set(old, obj)
        elif kind == "Job":
            yield from self._job(old, obj)

    def _pod(self, old: Object | None, pod: Object) -> Iterator[str]:
        reference = objects.controller_of(pod)
        owner = self.objects.get(reference["kind"], {}).get(reference["uid"]) if reference is not None else None
        if owner is None or reference is None:
            return
        if old is None:
            yield from getattr(self, f"_new_pod_of_{reference['kind'].lower()}")(owner, pod)
        elif reference["kind"] == "ReplicaSet" and is_ready(old) and objects.deletion_timestamp(pod):
            yield from self._ready_pod_goes(owner)

    def _new_pod_of_replicaset(self, owner: Object, pod: Object) -> Iterator[str]:
        active = sum(map(is_active, self.owned(owner, "Pod")))
        if active > (most := max(self.wanted(owner))):
            yield f"is the {active}th of its ReplicaSet, which wanted {most} at most"
        deployment = self.objects["Deployment"].get(controller_uid(owner))
        if deployment is None or objects.spec(deployment)["strategy"].get("type") != "Recreate":
            return
        for other in self.owned(deployment, "ReplicaSet"):
            left = [one for one in self.owned(other, "Pod") if objects.status(one).get("phase") not in ("Succeeded", "Failed")]
            if objects.uid(other) != objects.uid(owner) and left and self._is_newest(deployment, owner):
                yield f"is recreated although {objects.name(left[0])} of an older revision is still there"

    def _is_newest(self, deployment: Object, replica_set: Object) -> bool:
        template = objects.spec(deployment)["template"]["spec"]["containers"]
        return bool(objects.spec(replica_set)["template"]["spec"]["containers"] == template)

    def _ready_pod_goes(self, owner: Object) -> Iterator[str]:
        """Of a Deployment that is rolled out: enough stay."""
        deployment = self.objects["Deployment"].get(controller_uid(owner))
        if deployment is None or not self.is_calm or objects.deletion_timestamp(deployment) or objects.deletion_timestamp(owner):
            return
        strategy = objects.spec(deployment)["strategy"]
        if strategy.get("type") != "RollingUpdate":
            return
        least = min(self.wanted(deployment))
        missing = _unavailable(strategy["rollingUpdate"], least)
        ready = sum(is_ready(pod) for each in self.owned(deployment, "ReplicaSet") for pod in self.owned(each, "Pod"))
        if ready < least - missing:
            yield f"goes, and {ready} ready ones of {least} are left although only {missing} may be missing"

    def _replica_set(self, old: Object | None, obj: Object) -> Iterator[str]:
        deployment = self.objects["Deployment"].get(controller_uid(obj))
        if deployment is None:
            return
        total = sum(int(objects.spec(each).get("replicas", 1)) for each in self.owned(deployment, "ReplicaSet"))
        before = total - int(objects.spec(obj).get("replicas", 1)) + (int(objects.spec(old).get("replicas", 1)) if old is not None else 0)
        strategy = objects.spec(deployment)["strategy"]
        most = max(self.wanted(deployment))
        surge = scaled(strategy["rollingUpdate"]["maxSurge"], most, round_up=True) if strategy.get("type") == "RollingUpdate" else 0
        if total > before and total > most + surge:
            yield f"the Deployment's ReplicaSets grow to {total}, more than {most} and a surge of {surge}"

    def _new_pod_of_statefulset(self, owner: Object, pod: Object) -> Iterator[str]:
        spec, ordinal = objects.spec(owner), int(objects.name(pod).rpartition("-")[2])
        start = int((spec.get("ordinals") or {}).get("start") or 0)
        most = max(self.wanted(owner))
        if not start <= ordinal < start + most:
            yield f"has the ordinal {ordinal}, and there were {most} replicas from {start} on"
        twins = [one for one in self.owned(owner, "Pod") if objects.name(one) == objects.name(pod)]
        if len(twins) > 1:
            yield "is there twice"
        if spec.get("podManagementPolicy") != "OrderedReady" or not self.is_calm:
            return
        here = {objects.name(one): one for one in self.owned(owner, "Pod")}
        latest = self._clock.monotonic() - self.lag_seconds - PATIENCE_SECONDS
        for lower in range(start, ordinal):
            before = here.get(f"{objects.name(owner)}-{lower}")
            if (before is None or not is_ready(before)) and self._ready_at.get((objects.uid(owner), lower), float("-inf")) < latest:
                yield f"comes although the pod of the ordinal {lower} is not ready"

    def _new_pod_of_daemonset(self, owner: Object, pod: Object) -> Iterator[str]:
        node = _node_of(pod)
        surge = (objects.spec(owner)["updateStrategy"].get("rollingUpdate") or {}).get("maxSurge") or 0
        here = [one for one in self.owned(owner, "Pod") if is_active(one) and _node_of(one) == node]
        if len(here) > (2 if surge not in (0, "0%") else 1):
            yield f"is one of {len(here)} on {node}"

    def _new_pod_of_job(self, owner: Object, pod: Object) -> Iterator[str]:
        spec = objects.spec(owner)
        active = [one for one in self.owned(owner, "Pod") if is_active(one)]
        if len(active) > (most := max(self.wanted(owner, "parallelism"))):
            yield f"is the {len(active)}th at a time of a Job with a parallelism of {most}"
        done = len(self._succeeded.get(objects.uid(owner), {}))
        if spec.get("completions") is not None and done + len(active) > int(spec["completions"]):
            yield f"comes when {done} of {spec['completions']} are done and {len(active) - 1} run"
        if spec.get("completionMode") == "Indexed":
            index = objects.annotations(pod)["batch.kubernetes.io/job-completion-index"]
            twins = [one for one in active if objects.annotations(one).get("batch.kubernetes.io/job-completion-index") == index]
            if len(twins) > 1:
                yield f"is one of {len(twins)} that work at the index {index}"
        if any(objects.is_condition_true(owner, kind) for kind in ("Complete", "Failed")):
            yield "comes although its Job has ended"

    def _job(self, old: Object | None, job: Object) -> Iterator[str]:
        spec, status = objects.spec(job), objects.status(job)
        before = objects.status(old) if old is not None else {}
        done = int(status.get("succeeded") or 0)
        if spec.get("completions") is not None and done > int(spec["completions"]):
            yield f"{done} succeeded where {spec['completions']} were wanted"
        for name in ("succeeded", "failed"):
            if int(status.get(name) or 0) < int(before.get(name) or 0):
                yield f"{name} goes back from {before.get(name)} to {status.get(name)}"
        for kind in ("Complete", "Failed"):
            if old is not None and objects.is_condition_true(old, kind) and not objects.is_condition_true(job, kind):
                yield f"is not {kind} any more"
        owner = self.objects["CronJob"].get(controller_uid(job))
        if old is None and owner is not None and objects.spec(owner).get("concurrencyPolicy") == "Forbid":
            running = [one for one in self.owned(owner, "Job") if not _has_ended(one) and not objects.deletion_timestamp(one)]
            if len(running) > 1:
                yield f"runs beside {objects.name(running[0])}, which its CronJob forbids"


def _has_ended(job: Object) -> bool:
    return any(objects.is_condition_true(job, kind) for kind in ("Complete", "Failed"))


def _node_of(pod: Object) -> str:
    """Of a DaemonSet's pod, from its affinity: it is not bound at first."""
    terms: Any = objects.spec(pod)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    return str(terms[0]["matchFields"][0]["values"][0])


def _unavailable(rolling: Object, replicas: int) -> int:
    """maxUnavailable, which is 1 where both it and maxSurge come to nothing."""
    missing = scaled(rolling["maxUnavailable"], replicas, round_up=False)
    return missing if missing or scaled(rolling["maxSurge"], replicas, round_up=True) else 1
