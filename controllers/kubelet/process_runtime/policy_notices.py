"""NetworkPolicies that select pods which are processes: they share the machine's network, so nothing enforces them, and that is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from controllers.kubelet.network.policies import policy_types
from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object

_REASON = "NetworkPolicyNotEnforced"


class PolicyNotices:
    """`tell` gets a pod, a reason and a message, once for each pod and policy."""

    def __init__(self, tell: Callable[[Object, str, str], None]) -> None:
        self._tell = tell
        self._told: dict[tuple[str, str], None] = {}

    def look(self, pods: Iterable[Object], policies: Iterable[Object]) -> None:
        by_namespace: dict[str, list[Object]] = {}
        for policy in policies:
            by_namespace.setdefault(objects.namespace(policy), []).append(policy)
        told = self._told
        self._told = {}
        for pod in pods if by_namespace else ():
            if objects.spec(pod).get("hostNetwork"):
                continue  # no policy is for these anywhere
            for policy in by_namespace.get(objects.namespace(pod), ()):
                spec = objects.spec(policy)
                if labels.from_label_selector(spec.get("podSelector") or {}).matches(objects.labels(pod)):
                    key = objects.uid(pod), objects.uid(policy)
                    self._told[key] = None
                    if key not in told:
                        directions = " and ".join(each.lower() for each in policy_types(spec))
                        self._tell(pod, _REASON, _message(objects.name(policy), directions))


def _message(policy: str, directions: str) -> str:
    why = "pods that are processes share the network of this machine"
    return f'NetworkPolicy "{policy}" selects this pod and is not enforced: {why}, so its {directions} is as open as without a policy'
