"""kctl rollout: status, history, undo, restart, pause and resume of Deployments, DaemonSets and StatefulSets."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


def _at(module: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.rollout.{module}", attribute, short_help)


_COMMANDS = {
    "history": _at("history", "View rollout history", "RolloutHistory"),
    "pause": _at("pause", "Mark the provided resource as paused", "RolloutPause"),
    "restart": _at("pause", "Restart a resource", "RolloutRestart"),
    "resume": _at("pause", "Resume a paused resource", "RolloutResume"),
    "status": _at("status", "Show the status of the rollout", "RolloutStatus"),
    "undo": _at("undo", "Undo a previous rollout", "RolloutUndo"),
}


class Rollout(Group):
    """Manage the rollout of one or many resources.

    Valid resource types include deployments, daemonsets and statefulsets.
    """

    name = "rollout"
    usage = "SUBCOMMAND"
    help_on_stdout = True
    members = _COMMANDS
