"""What the simulated kubelets would say to the kctl.dev annotations of an object, said when it is written instead of when a pod starts."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType

PREFIX = "kctl.dev/"
_TEMPLATES = frozenset(
    {
        ("", "replicationcontrollers"),
        ("apps", "deployments"),
        ("apps", "replicasets"),
        ("apps", "statefulsets"),
        ("apps", "daemonsets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
    }
)


def annotation_warnings(resource: ResourceType, obj: Object) -> Sequence[str]:
    """One line for each annotation that nobody understands; nothing of the kubelet is imported where there is none of ours."""
    key = resource.group, resource.plural
    if key == ("", "nodes"):
        return _node(obj)
    if key == ("", "pods"):
        return _pod(obj, "")
    if key not in _TEMPLATES:
        return ()
    path, spec = "spec.template.", objects.spec(obj)
    if resource.plural == "cronjobs":
        path, spec = "spec.jobTemplate.spec.template.", (spec.get("jobTemplate") or {}).get("spec") or {}
    return _pod(spec.get("template") or {}, path)


def _has_ours(obj: Object) -> bool:
    return any(key.startswith(PREFIX) for key in objects.annotations(obj))


def _node(obj: Object) -> Sequence[str]:
    if not _has_ours(obj):
        return ()
    from controllers.kubelet import node_behaviour

    return node_behaviour.node_problems(objects.annotations(obj))


def _pod(obj: Object, path: str) -> Sequence[str]:
    if not _has_ours(obj):
        return ()
    from controllers.kubelet import node_behaviour

    names = node_behaviour.container_names(objects.spec(obj))
    return [path + line for line in node_behaviour.pod_problems(objects.annotations(obj), names)]
