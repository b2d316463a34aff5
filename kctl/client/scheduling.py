"""What kube-scheduler can be asked beside the API of Kubernetes: the seam between it and kube-apiserver, which serves the answers
under /kctl.dev/scheduling."""

from __future__ import annotations

from typing import Protocol

from kctl.apimachinery.objects import Object

PREFIX = "/kctl.dev/scheduling"
VERSION = "kctl.dev/v1"


class SchedulingAnswers(Protocol):
    def why(self, pod: Object) -> Object:
        """A SchedulingDecision: where the pod was placed and what spoke for it, or why it waits."""
        ...

    async def what_if(self, asked: Object) -> Object:
        """A SchedulingForecast for `asked`: {pods: [...], nodes: [...], shape: {...}}. Raises BadRequest."""
        ...
