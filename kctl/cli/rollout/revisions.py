"""The revisions a rollout can go back to: ReplicaSets of a Deployment, ControllerRevisions of DaemonSets and StatefulSets."""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONTROLLER_REVISIONS, REPLICA_SETS
from kctl.cli.errors import CommandError
from kctl.cli.targets import Target
from kctl.client.client import Client

CHANGE_CAUSE = "kubernetes.io/change-cause"
_REVISION = "deployment.kubernetes.io/revision"
SUPPORTED = ("deployments.apps", "daemonsets.apps", "statefulsets.apps")


class Revision(NamedTuple):
    """`template` is the pod template of that time, `source` the object it was kept in."""

    number: int
    change_cause: str
    template: Object
    source: Object


async def revisions_of(client: Client, target: Target) -> list[Revision]:
    """Oldest first. Raises CommandError for kinds without history."""
    if target.resource.group_resource not in SUPPORTED:
        raise CommandError(f'no history viewer has been implemented for "{target.resource.kind}"')
    selector = labels.format_selector(objects.spec(target.object).get("selector"))
    kept_in = REPLICA_SETS if target.resource.plural == "deployments" else CONTROLLER_REVISIONS
    listed = await client.list(kept_in, target.namespace, label_selector="" if selector == "<none>" else selector)
    own = [kept for kept in listed.get("items") or () if (objects.controller_of(kept) or {}).get("uid") == objects.uid(target.object)]
    revisions = [_from_replica_set(kept) if kept_in is REPLICA_SETS else _from_revision(kept, target.object) for kept in own]
    return sorted((kept for kept in revisions if kept.number), key=lambda kept: kept.number)


def _from_replica_set(obj: Object) -> Revision:
    annotations = objects.annotations(obj)
    template = objects.spec(obj).get("template") or {}
    return Revision(int(annotations.get(_REVISION) or 0), annotations.get(CHANGE_CAUSE, ""), template, obj)


def _from_revision(obj: Object, owner: Object) -> Revision:
    """A ControllerRevision holds a patch of spec.template, marked $patch: replace."""
    data: Any = obj.get("data") or {}
    template = {key: value for key, value in ((data.get("spec") or {}).get("template") or {}).items() if key != "$patch"}
    return Revision(int(obj.get("revision") or 0), objects.annotations(obj).get(CHANGE_CAUSE, ""), template, obj)


def without_hash(template: Object) -> Object:
    """The template as the user wrote it."""
    meta = template.get("metadata") or {}
    kept = {key: value for key, value in (meta.get("labels") or {}).items() if key != "pod-template-hash"}
    return {**template, "metadata": {**meta, "labels": kept}}
