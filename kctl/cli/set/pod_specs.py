"""Where an object keeps the spec of its pods, for the commands that change pod templates of any kind."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.cli.errors import CommandError

_TEMPLATE = ("spec", "template", "spec")
_PATHS: dict[str, tuple[str, ...]] = {
    "pods": ("spec",),
    "cronjobs.batch": ("spec", "jobTemplate", *_TEMPLATE),
    **dict.fromkeys(
        (
            "deployments.apps",
            "replicasets.apps",
            "daemonsets.apps",
            "statefulsets.apps",
            "jobs.batch",
            "replicationcontrollers",
        ),
        _TEMPLATE,
    ),
}


def pod_spec(resource: ResourceType, obj: Object) -> Object:
    """Raises CommandError for a kind without pods."""
    part: Any = obj
    for field in _path(resource, obj):
        part = part.get(field) or {}
    return dict(part)


def with_pod_spec(resource: ResourceType, obj: Object, spec: Any) -> Object:
    """The object with another pod spec; of {} it makes a patch."""

    def put(inside: Object, fields: tuple[str, ...]) -> Any:
        return {**inside, fields[0]: put(inside.get(fields[0]) or {}, fields[1:])} if fields else spec

    return dict(put(obj, _path(resource, obj)))


def _path(resource: ResourceType, obj: Object) -> tuple[str, ...]:
    path = _PATHS.get(resource.group_resource)
    if path is None:
        name = (obj.get("metadata") or {}).get("name", "")
        go_type = f"*{resource.version}.{resource.kind}"
        raise CommandError(f"{resource.plural}/{name} the object is not a pod or does not have a pod template: {go_type}")
    return path
