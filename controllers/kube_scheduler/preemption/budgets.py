"""Which victims a PodDisruptionBudget would keep (filterPodsWithPDBViolation). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kube_scheduler.pod_info import PodInfo
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object


def divide_by_budgets(pods: Sequence[PodInfo], budgets: Sequence[Object]) -> tuple[list[PodInfo], list[PodInfo]]:
    """(those whose eviction a budget does not allow, the others), each in the order of `pods`, in which budgets are used up."""
    left = [int(objects.status(budget).get("disruptionsAllowed") or 0) for budget in budgets]
    selectors = [labels.from_label_selector(objects.spec(budget).get("selector")) for budget in budgets]
    violating: list[PodInfo] = []
    allowed: list[PodInfo] = []
    for pod in pods:
        kept = False
        for index, budget in enumerate(budgets):
            if not _is_counted(pod, budget) or not selectors[index].matches(objects.labels(pod.pod)):
                continue
            left[index] -= 1
            kept |= left[index] < 0
        (violating if kept else allowed).append(pod)
    return violating, allowed


def _is_counted(pod: PodInfo, budget: Object) -> bool:
    """A budget without a selector, or with an empty one, counts nobody here; who is evicted already has been counted."""
    if objects.namespace(budget) != objects.namespace(pod.pod) or not objects.labels(pod.pod):
        return False
    selector = objects.spec(budget).get("selector") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return False
    return objects.name(pod.pod) not in (objects.status(budget).get("disruptedPods") or {})
