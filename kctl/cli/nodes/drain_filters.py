"""Which pods of a node `kctl drain` moves away, which it leaves alone, and which stop it (kubectl's drain filters)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DAEMON_SETS
from kctl.apimachinery.status import ApiError, NotFound
from kctl.cli.errors import CommandError, plain
from kctl.client.client import Client

_MIRROR = "kubernetes.io/config.mirror"


class Rules(NamedTuple):
    """The flags of drain that decide."""

    ignore_daemonsets: bool
    delete_emptydir_data: bool
    force: bool
    skip_deleted_seconds: int
    now: datetime


class Verdict(NamedTuple):
    """`problem` stops the drain, `warning` is told."""

    delete: bool
    warning: str = ""
    problem: str = ""


class Plan(NamedTuple):
    """The pods to evict, with what is to be said first."""

    pods: list[Object]
    warnings: str
    problems: list[Exception]


_GOES = Verdict(True)
_STAYS = Verdict(False)


async def plan(client: Client, pods: Sequence[Object], rules: Rules) -> Plan:
    chosen: list[Object] = []
    warnings: dict[str, list[str]] = {}
    problems: dict[str, list[str]] = {}
    for pod in pods:
        verdict = await _verdict(client, pod, rules)
        name = f"{objects.namespace(pod)}/{objects.name(pod)}"
        if verdict.delete:
            chosen.append(pod)
        if verdict.warning:
            warnings.setdefault(verdict.warning, []).append(name)
        if verdict.problem:
            problems.setdefault(verdict.problem, []).append(name)
    text = "; ".join(f"{message}: {', '.join(names)}" for message, names in warnings.items())
    return Plan(chosen, text, [CommandError(f"cannot delete {message}: {', '.join(names)}") for message, names in problems.items()])


async def _verdict(client: Client, pod: Object, rules: Rules) -> Verdict:
    """The first filter that keeps the pod decides; else the last one that has something to say about it."""
    if _deleted_long_ago(pod, rules):
        return _STAYS
    verdict = await _daemon_set(client, pod, rules)
    if not verdict.delete:
        return verdict
    if _MIRROR in objects.annotations(pod):
        return _STAYS
    verdict = _local_storage(pod, rules)
    return _unreplicated(pod, rules) if verdict.delete else verdict


def _deleted_long_ago(pod: Object, rules: Rules) -> bool:
    stamp = objects.deletion_timestamp(pod)
    if not stamp or rules.skip_deleted_seconds <= 0:
        return False
    return (rules.now - times.parse(stamp)).total_seconds() > rules.skip_deleted_seconds


def _finished(pod: Object) -> bool:
    return objects.status(pod).get("phase") in ("Succeeded", "Failed")


def _controller(pod: Object) -> Object | None:
    return next((reference for reference in objects.metadata(pod).get("ownerReferences") or () if reference.get("controller")), None)


async def _daemon_set(client: Client, pod: Object, rules: Rules) -> Verdict:
    owner = _controller(pod)
    if owner is None or owner.get("kind") != "DaemonSet" or _finished(pod):
        return _GOES
    try:
        await client.get(DAEMON_SETS, owner["name"], objects.namespace(pod))
    except ApiError as error:
        if isinstance(error, NotFound) and rules.force:
            return Verdict(True, warning=plain(error))
        return Verdict(False, problem=plain(error))
    if not rules.ignore_daemonsets:
        return Verdict(False, problem="DaemonSet-managed Pods (use --ignore-daemonsets to ignore)")
    return Verdict(False, warning="ignoring DaemonSet-managed Pods")


def _local_storage(pod: Object, rules: Rules) -> Verdict:
    if _finished(pod) or not any("emptyDir" in volume for volume in objects.spec(pod).get("volumes") or ()):
        return _GOES
    if not rules.delete_emptydir_data:
        return Verdict(False, problem="Pods with local storage (use --delete-emptydir-data to override)")
    return Verdict(True, warning="deleting Pods with local storage")


def _unreplicated(pod: Object, rules: Rules) -> Verdict:
    if _finished(pod) or _controller(pod) is not None:
        return _GOES
    if rules.force:
        return Verdict(True, warning="deleting Pods that declare no controller")
    return Verdict(False, problem="Pods that declare no controller (use --force to override)")
