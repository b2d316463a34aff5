"""Which run of a container `kubectl logs` reads, and why it cannot (the kubelet's validateContainerLogStatus)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from controllers.kubelet.pod_worker import PodWorker
from kctl.apimachinery import objects
from kctl.apimachinery.status import BadRequest

_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


def container_logs(worker: PodWorker, name: str, options: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Raises BadRequest with the kubelet's words."""
    pod = objects.name(worker.pod)
    container = worker.container(name)
    if container is None:
        raise BadRequest(f"container {name} is not valid for pod {pod}")
    if options.get("previous") in ("true", "1"):
        ended_before = "terminated" in container.last_state
        run = container.handle if ended_before and "waiting" in container.state else container.previous
        if not ended_before or run is None:
            raise BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')
        return run.logs(options)
    if "waiting" in container.state and not container.last_state:
        reason = str(container.state["waiting"].get("reason") or "")
        raise BadRequest(f'container "{name}" in pod "{pod}" is waiting to start: {_WAITING.get(reason, reason)}')
    if container.handle is None:
        raise BadRequest(f'container "{name}" in pod "{pod}" is not available')
    return container.handle.logs(options)
