"""The pods that an object stands for, as `kubectl logs deployment/web` finds them: those its selector matches, the most telling first."""

from __future__ import annotations

import asyncio

from kctl.apimachinery import labels, objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, ResourceType
from kctl.apimachinery.status import from_status
from kctl.cli.errors import CommandError
from kctl.cli.session import Session
from kctl.cli.targets import Target

_SELECTORS = {
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "deployments.apps",
    "jobs.batch",
}
_PLAIN_SELECTORS = {"services", "replicationcontrollers"}
_PHASES = {"Running": 0, "Pending": 1}


async def pods_of(session: Session, target: Target, timeout_seconds: float) -> list[Object]:
    """Waits for the first pod where there is none yet; raises CommandError where none comes in time."""
    selector = _selector(target.resource, target.object)
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


def _selector(resource: ResourceType, obj: Object) -> str:
    """Raises CommandError for what has no pods."""
    selector = objects.spec(obj).get("selector")
    go_type = f"*{resource.version}.{resource.kind}"
    if resource.group_resource in _SELECTORS and selector is not None:
        return labels.format_selector(selector)
    if resource.group_resource in _PLAIN_SELECTORS:
        if not selector:
            kind, name = resource.kind, objects.name(obj)
            raise CommandError(f"cannot get the logs from {go_type}: invalid {kind.lower()} '{name}': {kind} is defined without a selector")
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    raise CommandError(f"cannot get the logs from {go_type}: selector for {go_type} not implemented")


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
