"""The pods that an object stands for, as `kubectl logs deployment/web` finds them: those its selector matches, the most telling first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType
from kctl.apimachinery.status import from_status
from kctl.cli.errors import CommandError
from kctl.cli.session import Session
from kctl.cli.targets import Target

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_SELECTORS = {
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "deployments.apps",
    "jobs.batch",
}
_PLAIN_SELECTORS = {"services", "replicationcontrollers"}
_PHASES = {"Running": 0, "Pending": 1}


def chosen_container(pod: Object, name: str, tell: Callable[[str], object]) -> str:
    """The container that is meant: the named one, the one that an annotation names, or the first. `tell` hears of a choice.
    Raises CommandError."""
    spec = objects.spec(pod)
    names = [str(container["name"]) for container in spec.get("containers") or ()]
    init = [str(container["name"]) for container in spec.get("initContainers") or ()]
    ephemeral = [str(container["name"]) for container in spec.get("ephemeralContainers") or ()]
    if name:
        if name not in (*init, *names, *ephemeral):
            every = ", ".join([*init, *names, *ephemeral])
            raise CommandError(f"container {name} is not valid for pod {objects.name(pod)} out of: {every}")
        return name
    preferred = objects.annotations(pod).get(_DEFAULT_CONTAINER, "")
    if preferred in (*names, *init, *ephemeral):
        return preferred
    choices = [*names, *(f"{name} (ephem)" for name in ephemeral), *(f"{name} (init)" for name in init)]
    if len(choices) > 1:
        tell(f'Defaulted container "{names[0]}" out of: {", ".join(choices)}')
    return names[0]


async def pods_of(session: Session, target: Target, timeout_seconds: float, doing: str = "get the logs from") -> list[Object]:
    """Waits for the first pod where there is none yet; raises CommandError where none comes in time. `doing` is said where the
    target has no pods."""
    selector = _selector(target.resource, target.object, doing)
    client = await session.client()
    listed = await client.list(PODS, target.namespace, label_selector=selector)
    items = listed.get("items") or []
    if not items:
        version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        try:
            items = [await asyncio.wait_for(_first(session, target.namespace, selector, version), timeout_seconds)]
        except TimeoutError:
            raise CommandError("timed out waiting for the condition") from None
    return sorted(({"apiVersion": "v1", "kind": "Pod", **item} for item in items), key=_rank)


def _selector(resource: ResourceType, obj: Object, doing: str) -> str:
    """Raises CommandError for what has no pods."""
    selector = objects.spec(obj).get("selector")
    go_type = f"*{resource.version}.{resource.kind}"
    if resource.group_resource in _SELECTORS and selector is not None:
        return labels.format_selector(selector)
    if resource.group_resource in _PLAIN_SELECTORS:
        if not selector:
            kind, name = resource.kind, objects.name(obj)
            raise CommandError(f"cannot {doing} {go_type}: invalid {kind.lower()} '{name}': {kind} is defined without a selector")
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    raise CommandError(f"cannot {doing} {go_type}: selector for {go_type} not implemented")


async def _first(session: Session, namespace: str, selector: str, version: str) -> Object:
    events = await (await session.client()).watch(PODS, namespace, label_selector=selector, resource_version=version)
    async for batch in events:
        for event in batch:
            if event.type == "ERROR":
                raise from_status(event.object)
            if event.type in ("ADDED", "MODIFIED"):
                return event.object
    raise CommandError("watch closed before UntilWithoutRetry timeout")


def _rank(pod: Object) -> tuple[int, int, str]:
    """Running and ready ones before others, older first."""
    phase = _PHASES.get(objects.status(pod).get("phase", ""), 2)
    ready = 0 if objects.is_condition_true(pod, "Ready") else 1
    return phase, ready, str(objects.metadata(pod).get("creationTimestamp"))
