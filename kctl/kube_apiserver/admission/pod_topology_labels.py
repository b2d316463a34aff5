"""PodTopologyLabels: a pod gets the zone and region of its node as labels, where it is bound or created with one."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(AdmissionPlugin):
    name = "PodTopologyLabels"
    operations = ("CREATE",)
    subresources = frozenset({"", "binding"})
    per_object = False

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if operation.subresource:
            target = obj.get("target") or {}
            node_name = target.get("name") if target.get("kind") == "Node" else ""
        else:
            node_name = obj["spec"].get("nodeName")
        node = context.get(NODES, "", node_name) if node_name else None
        if node is None:
            return
        of_node = node["metadata"].get("labels") or {}
        copied = {label: of_node[label] for label in _LABELS if label in of_node}
        if copied:
            obj["metadata"] = {**(obj.get("metadata") or {}), "labels": {**objects.labels(obj), **copied}}


PLUGIN = PodTopologyLabels()
