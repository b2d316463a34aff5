"""How far a rollout is, in kubectl's sentences (polymorphichelpers' StatusViewer): one function for each kind."""

from __future__ import annotations

from collections.abc import Callable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError

Progress = tuple[str, bool]
"""A line to show, and whether the rollout is done."""


def deployment(obj: Object, revision: int) -> Progress:
    name, spec, status = objects.name(obj), objects.spec(obj), objects.status(obj)
    if revision:
        running = int(objects.annotations(obj).get("deployment.kubernetes.io/revision") or 0)
        if running != revision:
            raise CommandError(f"desired revision ({revision}) is different from the running revision ({running})")
    if objects.generation(obj) > status.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...\n", False
    progressing = objects.condition(obj, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        raise CommandError(f'deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new replicas have been updated...\n", False
    if total > updated:
        return f"{waiting}{total - updated} old replicas are pending termination...\n", False
    if available < updated:
        return f"{waiting}{available} of {updated} updated replicas are available...\n", False
    return f'deployment "{name}" successfully rolled out\n', True


def daemon_set(obj: Object, revision: int) -> Progress:
    name, spec, status = objects.name(obj), objects.spec(obj), objects.status(obj)
    if (spec.get("updateStrategy") or {}).get("type") != "RollingUpdate":
        raise CommandError("rollout status is only available for RollingUpdate strategy type")
    if objects.generation(obj) > status.get("observedGeneration", 0):
        return "Waiting for daemon set spec update to be observed...\n", False
    wanted, updated = status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new pods have been updated...\n", False
    available = status.get("numberAvailable", 0)
    if available < wanted:
        return f"{waiting}{available} of {wanted} updated pods are available...\n", False
    return f'daemon set "{name}" successfully rolled out\n', True


def stateful_set(obj: Object, revision: int) -> Progress:
    spec, status = objects.spec(obj), objects.status(obj)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        raise CommandError("rollout status is only available for RollingUpdate strategy type")
    if not status.get("observedGeneration") or objects.generation(obj) > status["observedGeneration"]:
        return "Waiting for statefulset spec update to be observed...\n", False
    wanted = spec.get("replicas", 1)
    ready, updated = status.get("readyReplicas", 0), status.get("updatedReplicas", 0)
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...\n", False
    partition = (strategy.get("rollingUpdate") or {}).get("partition")
    if partition:
        if updated < wanted - partition:
            return (
                f"Waiting for partitioned roll out to finish: {updated} out of {wanted - partition} new pods have been updated...\n",
                False,
            )
        return f"partitioned roll out complete: {updated} new pods have been updated...\n", True
    if status.get("updateRevision") != status.get("currentRevision"):
        return (
            f"waiting for statefulset rolling update to complete {updated} pods at revision {status.get('updateRevision')}...\n",
            False,
        )
    current = status.get("currentReplicas", 0)
    return f"statefulset rolling update complete {current} pods at revision {status.get('currentRevision')}...\n", True


Viewer = Callable[[Object, int], Progress]
VIEWERS: dict[str, Viewer] = {
    "deployments.apps": deployment,
    "daemonsets.apps": daemon_set,
    "statefulsets.apps": stateful_set,
}
