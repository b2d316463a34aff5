"""Answers to people: why a pod is where it is or waits, and where pods would go that are not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from controllers.kube_scheduler.decisions import Placed, Refused
from controllers.kube_scheduler.explain import reasons_of
from controllers.kube_scheduler.framework import Status
from controllers.kube_scheduler.pod_info import PodInfo
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.times import rfc3339
from kctl.client.scheduling import VERSION

if TYPE_CHECKING:
    from controllers.kube_scheduler.scheduler import Scheduler

_UNKNOWN = "The scheduler has no record of this pod: it was placed before the scheduler started or too long ago, or came with its node."


class Answers:
    """Implements kctl.client.scheduling.SchedulingAnswers."""

    def __init__(self, scheduler: Scheduler, clock: Clock) -> None:
        self._scheduler = scheduler
        self._clock = clock

    def why(self, pod: Object) -> Object:
        return {
            "kind": "SchedulingDecision",
            "apiVersion": VERSION,
            "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "uid")},
            "status": self._status(pod),
        }

    def _status(self, pod: Object) -> Object:
        decision = self._scheduler.decisions.get(objects.uid(pod))
        bound = pod["spec"].get("nodeName") or ""
        if isinstance(decision, Placed) and bound in ("", decision.node):
            return _placed(decision)
        if bound:
            return {"phase": "Placed", "nodeName": bound, "message": _UNKNOWN}
        name = pod["spec"].get("schedulerName") or ""
        if name not in self._scheduler.profiles:
            return {"phase": "Waiting", "message": f'The pod is for the scheduler "{name}".'}
        if gates := [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]:
            return {"phase": "Gated", "message": f"Scheduling is blocked due to non-empty scheduling gates: {', '.join(gates)}."}
        promised = self._scheduler.cache.nomination_of(objects.uid(pod))
        nominated = {"nominatedNodeName": promised} if promised else {}
        if isinstance(decision, Refused):
            statuses = decision.refusal.detail.statuses or self._now(pod)
            said = {"time": rfc3339(decision.at), "message": decision.refusal.message}
            return {"phase": "Unschedulable", **said, **nominated, "filtered": reasons_of(statuses)}
        return {"phase": "Waiting", "message": "The scheduler has not looked at this pod yet.", **nominated}

    def _now(self, pod: Object) -> Mapping[str, Status]:
        """What was found out for each node then is forgotten; this is how it stands."""
        scheduler = self._scheduler
        return scheduler.assigner_for(pod).refusals(PodInfo.of(pod, scheduler.shapes))

    async def what_if(self, asked: Object) -> Object:
        from controllers.kube_scheduler.what_if import WhatIf

        return await WhatIf(self._scheduler, self._clock).answer(asked)


def _placed(decision: Placed) -> Object:
    merits = decision.merits
    scores = [
        {"plugin": name, "weight": weight, "score": points // weight, "points": points}
        for (name, weight), points in zip(merits.plugins, merits.points, strict=True)
    ]
    return {
        "phase": "Placed",
        "time": rfc3339(decision.at),
        "nodeName": decision.node,
        "evaluatedNodes": merits.evaluated,
        "feasibleNodes": merits.feasible,
        "totalPoints": sum(merits.points),
        "scores": scores,
    }
