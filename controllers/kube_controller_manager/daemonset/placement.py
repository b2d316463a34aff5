"""On which nodes a DaemonSet's pods belong, and how a pod is made for one node. Pure.

Pods carry their node's name in an affinity, so that the scheduler binds them like any other; and they tolerate what a node in
trouble is tainted with, for many of them are there to mend it.
"""

from __future__ import annotations

from typing import NamedTuple

from controllers.runtime.node_affinity import matches_node
from controllers.runtime.pod_control import pod_from_template
from controllers.runtime.tolerations import untolerated
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

HASH_LABEL = "controller-revision-hash"
GENERATION_LABEL = "pod-template-generation"
GENERATION = "deprecated.daemonset.template.generation"

_NODE_NAME = "metadata.name"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_TOLERATED_ON_HOST_NETWORK = (*_TOLERATED, ("node.kubernetes.io/network-unavailable", "NoSchedule"))


class Verdict(NamedTuple):
    """`run`: a pod should be there; `keep`: one that is there may stay."""

    run: bool
    keep: bool


def tolerations_of(spec: Object) -> list[Object]:
    tolerations = list(spec.get("tolerations") or ())
    for key, effect in _TOLERATED_ON_HOST_NETWORK if spec.get("hostNetwork") else _TOLERATED:
        wanted = {"key": key, "operator": "Exists", "effect": effect}
        if wanted not in tolerations:
            tolerations.append(wanted)
    return tolerations


class Placement:
    """Of one DaemonSet; what it asks of a node is worked out once."""

    def __init__(self, daemon_set: Object) -> None:
        self._spec: Object = objects.spec(daemon_set)["template"].get("spec") or {}
        self._tolerations = tolerations_of(self._spec)

    def verdict(self, node: Object) -> Verdict:
        if self._spec.get("nodeName") and self._spec["nodeName"] != objects.name(node):
            return Verdict(False, False)
        if not matches_node(self._spec, objects.labels(node), objects.name(node)):
            return Verdict(False, False)
        taints = objects.spec(node).get("taints") or ()
        if untolerated(self._tolerations, taints, ("NoExecute",)) is not None:
            return Verdict(False, False)
        return Verdict(untolerated(self._tolerations, taints, ("NoSchedule",)) is None, True)


def pod_for(daemon_set: Object, node: str, digest: str) -> Object:
    pod = pod_from_template(objects.spec(daemon_set)["template"], daemon_set)
    labels = {**objects.labels(pod), HASH_LABEL: digest, GENERATION_LABEL: template_generation(daemon_set)}
    spec = pod["spec"]
    affinity = spec.get("affinity") or {}
    required = {"nodeSelectorTerms": [{"matchFields": [{"key": _NODE_NAME, "operator": "In", "values": [node]}]}]}
    node_affinity = {**(affinity.get("nodeAffinity") or {}), "requiredDuringSchedulingIgnoredDuringExecution": required}
    spec = {**spec, "affinity": {**affinity, "nodeAffinity": node_affinity}, "tolerations": tolerations_of(spec)}
    return {**objects.with_metadata(pod, labels=labels), "spec": spec}


def template_generation(daemon_set: Object) -> str:
    return objects.annotations(daemon_set).get(GENERATION) or str(objects.generation(daemon_set))


def node_of(pod: Object) -> str:
    """Where it runs, or where its affinity will have it."""
    spec = objects.spec(pod)
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == _NODE_NAME and len(field.get("values") or ()) == 1:
                return str(field["values"][0])
    return ""
