"""What must be once everything is whole again and time has passed: what is wanted is there, said to be there, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DAEMON_SETS, DEPLOYMENTS, JOBS, NODES, PODS, REPLICA_SETS, STATEFUL_SETS, built_in
from kctl.client.client import Client
from tests.controllers.sequences.deeds import SPACE
from tests.controllers.sequences.invariants import controller_uid, is_active, is_ready

_BUDGETS = built_in("policy/v1", "PodDisruptionBudget")
_CLAIMS = built_in("v1", "PersistentVolumeClaim")
_REVISIONS = built_in("apps/v1", "ControllerRevision")


class Outcome:
    """One look at everything."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pods: list[Object] = []

    async def missing(self) -> list[str]:
        """What is not yet as it must be."""
        self._pods = await self._items(PODS)
        return [text async for text in self._find()]

    async def _items(self, resource: Any) -> list[Object]:
        found: list[Object] = (await self._client.list(resource, SPACE))["items"]
        return [{"kind": resource.kind, "apiVersion": resource.api_version, **item} for item in found]

    def _owned(self, owner: Object, of: list[Object] | None = None) -> list[Object]:
        return [obj for obj in (self._pods if of is None else of) if controller_uid(obj) == objects.uid(owner)]

    async def _find(self) -> AsyncIterator[str]:
        sets = await self._items(REPLICA_SETS)
        kinds = {
            "Deployment": await self._items(DEPLOYMENTS),
            "ReplicaSet": sets,
            "StatefulSet": await self._items(STATEFUL_SETS),
            "DaemonSet": await self._items(DAEMON_SETS),
            "Job": await self._items(JOBS),
        }
        for kind, found in kinds.items():
            for obj in found:
                status = objects.status(obj)
                generation = obj["metadata"].get("generation")
                if kind != "Job" and status.get("observedGeneration") != generation:
                    yield f"{_name(obj)} observed {status.get('observedGeneration')} of {generation}"
                if objects.deletion_timestamp(obj):
                    yield f"{_name(obj)} is still being deleted: {objects.finalizers(obj)}"
        for obj in kinds["Deployment"]:
            for text in self._deployment(obj, self._owned(obj, sets)):
                yield text
        for obj in sets:
            for text in self._replicas(obj):
                yield text
        for obj in kinds["StatefulSet"]:
            for text in self._stateful_set(obj):
                yield text
        nodes = len((await self._client.list(NODES))["items"])
        for obj in kinds["DaemonSet"]:
            for text in self._daemon_set(obj, nodes):
                yield text
        for obj in kinds["Job"]:
            for text in self._job(obj):
                yield text
        everything = [obj for found in kinds.values() for obj in found] + await self._items(built_in("batch/v1", "CronJob"))
        for obj in await self._items(_BUDGETS):
            for text in self._budget(obj):
                yield text
        for text in self._claims(kinds["StatefulSet"], await self._items(_CLAIMS)):
            yield text
        for text in self._orphans(everything, [*self._pods, *sets, *kinds["Job"], *await self._items(_REVISIONS)]):
            yield text

    def _deployment(self, obj: Object, sets: list[Object]) -> Iterator[str]:
        spec, status = objects.spec(obj), objects.status(obj)
        if spec.get("paused"):
            return
        wanted = int(spec["replicas"])
        now = [each for each in sets if int(objects.spec(each)["replicas"])]
        if wanted and (len(now) != 1 or objects.spec(now[0])["replicas"] != wanted):
            yield f"{_name(obj)} wants {wanted} and has {[(objects.name(each), objects.spec(each)['replicas']) for each in now]}"
        template = spec["template"]["spec"]["containers"]
        if now and objects.spec(now[0])["template"]["spec"]["containers"] != template:
            yield f"{_name(obj)} is not rolled out"
        if len(sets) > 11:
            yield f"{_name(obj)} keeps {len(sets)} ReplicaSets"
        yield from _says(obj, replicas=wanted, readyReplicas=wanted, availableReplicas=wanted, updatedReplicas=wanted)
        if (objects.condition(obj, "Available") or {}).get("status") != "True" and status:
            yield f"{_name(obj)} is not Available"

    def _replicas(self, obj: Object) -> Iterator[str]:
        # one that has failed (collected while its node was away, and the deletion refused) stays, and does not count
        pods, wanted = [pod for pod in self._owned(obj) if is_active(pod)], int(objects.spec(obj)["replicas"])
        ready = sum(map(is_ready, pods))
        if ready != wanted or len(pods) != wanted:
            yield f"{_name(obj)} wants {wanted} and has {len(pods)}, {ready} of them ready"
        yield from _says(obj, replicas=wanted, readyReplicas=wanted, availableReplicas=wanted)

    def _stateful_set(self, obj: Object) -> Iterator[str]:
        spec = objects.spec(obj)
        wanted, start = int(spec["replicas"]), int((spec.get("ordinals") or {}).get("start") or 0)
        expected = [f"{objects.name(obj)}-{number}" for number in range(start, start + wanted)]
        present = sorted((objects.name(pod) for pod in self._owned(obj) if is_ready(pod)), key=lambda name: int(name.rpartition("-")[2]))
        if present != expected or len(self._owned(obj)) != wanted:
            yield f"{_name(obj)} wants {expected} and has {present} ready of {len(self._owned(obj))}"
        template = spec["template"]["spec"]["containers"][0]["image"]
        first = start + int(((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0)
        old = [name for pod in self._owned(obj) if _number(name := objects.name(pod)) >= first and _image(pod) != template]
        if old:
            yield f"{_name(obj)} has old pods: {old}"
        yield from _says(obj, replicas=wanted, readyReplicas=wanted, availableReplicas=wanted)
        if first > start:
            return
        yield from _says(obj, updatedReplicas=wanted)
        if objects.status(obj).get("currentRevision") != objects.status(obj).get("updateRevision"):
            yield f"{_name(obj)} has not finished its update"

    def _daemon_set(self, obj: Object, nodes: int) -> Iterator[str]:
        pods = [pod for pod in self._owned(obj) if is_ready(pod)]
        places = {objects.spec(pod)["nodeName"] for pod in pods}
        if len(places) != nodes or len(self._owned(obj)) != nodes:
            yield f"{_name(obj)} runs on {sorted(places)} of {nodes} nodes, with {len(self._owned(obj))} pods"
        if objects.spec(obj)["updateStrategy"]["type"] != "OnDelete":
            template = objects.spec(obj)["template"]["spec"]["containers"][0]["image"]
            old = [objects.name(pod) for pod in pods if objects.spec(pod)["containers"][0]["image"] != template]
            if old:
                yield f"{_name(obj)} has old pods: {old}"
            yield from _says(obj, updatedNumberScheduled=nodes)
        yield from _says(obj, desiredNumberScheduled=nodes, currentNumberScheduled=nodes, numberReady=nodes, numberAvailable=nodes)

    def _job(self, obj: Object) -> Iterator[str]:
        status = objects.status(obj)
        ended = [kind for kind in ("Complete", "Failed") if objects.is_condition_true(obj, kind)]
        pods = self._owned(obj)
        if not ended and (int(objects.spec(obj).get("parallelism", 1)) or status.get("active")):
            yield f"{_name(obj)} has not ended: {status}"
        if ended and (status.get("active") or status.get("uncountedTerminatedPods")):
            yield f"{_name(obj)} has ended and says {status}"
        if ended == ["Complete"] and status.get("succeeded") != objects.spec(obj).get("completions"):
            yield f"{_name(obj)} is complete with {status.get('succeeded')} of {objects.spec(obj).get('completions')}"
        held = [objects.name(pod) for pod in pods if ended and objects.finalizers(pod)]
        if held:
            yield f"{_name(obj)} holds {held} by a finalizer"

    def _budget(self, obj: Object) -> Iterator[str]:
        """Its count is the one that can be made of the pods."""
        selector = labels.from_label_selector(objects.spec(obj)["selector"])
        matching = [pod for pod in self._pods if selector.matches(objects.labels(pod))]
        chosen = [pod for pod in matching if not objects.deletion_timestamp(pod)]
        status = objects.status(obj)
        healthy = sum(objects.is_condition_true(pod, "Ready") for pod in chosen)  # whatever their phase, as upstream counts
        if chosen and status.get("currentHealthy") != healthy:
            yield f"{_name(obj)} counts {status.get('currentHealthy')} healthy ones of {healthy}"
        allowed = max(healthy - int(status.get("desiredHealthy") or 0), 0)
        if status.get("disruptionsAllowed") != allowed and all(map(controller_uid, chosen)):  # else nobody knows how many there should be
            yield f"{_name(obj)} allows {status.get('disruptionsAllowed')} instead of {allowed}"
        if status.get("disruptedPods"):
            yield f"{_name(obj)} waits for {status['disruptedPods']}"

    def _claims(self, sets: list[Object], claims: list[Object]) -> Iterator[str]:
        """Each pod has its own, and where they are to be deleted with their pods, no other is left. One that is used stays."""
        running = {objects.name(pod) for pod in self._pods}
        for claim in claims:
            if objects.deletion_timestamp(claim) and objects.name(claim).removeprefix("data-") not in running:
                yield f"{_name(claim)} is still being deleted: {objects.finalizers(claim)}"
        present = {objects.name(claim) for claim in claims}
        for obj in sets:
            spec = objects.spec(obj)
            if not spec.get("volumeClaimTemplates"):
                continue
            pods = {objects.name(pod) for pod in self._owned(obj)}
            if missing := sorted(name for name in pods if f"data-{name}" not in present):
                yield f"{_name(obj)} has no claims for {missing}"
            kept = {name for name in present if name.startswith(f"data-{objects.name(obj)}-") and name.removeprefix("data-") not in pods}
            if kept and (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled") == "Delete":
                yield f"{_name(obj)} has left {sorted(kept)}"

    def _orphans(self, owners: list[Object], owned: list[Object]) -> Iterator[str]:
        uids = {objects.uid(owner) for owner in owners}
        for obj in owned:
            if any(reference["uid"] not in uids for reference in objects.owner_references(obj)):
                yield f"{_name(obj)} is left of an owner that is gone"
        for pod in self._pods:
            if objects.deletion_timestamp(pod):
                yield f"{_name(pod)} is still being deleted: {objects.finalizers(pod)}"


def _number(pod: str) -> int:
    return int(pod.rpartition("-")[2])


def _image(pod: Object) -> str:
    return str(objects.spec(pod)["containers"][0]["image"])


def _name(obj: Object) -> str:
    return f"{obj['kind']} {objects.name(obj)}"


def _says(obj: Object, **expected: int) -> Iterator[str]:
    status = objects.status(obj)
    wrong = {name: status.get(name) for name, value in expected.items() if int(status.get(name) or 0) != value}
    if wrong:
        yield f"{_name(obj)} says {wrong} instead of { ({name: expected[name] for name in wrong}) }"
