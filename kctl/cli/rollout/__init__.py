"""kctl rollout: status, history, undo, restart, pause and resume of Deployments, DaemonSets and StatefulSets."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlGroup, Lazy


def _at(module: str, short_help: str, attribute: str = "command") -> Lazy:
    return Lazy(f"kctl.cli.rollout.{module}", attribute, short_help)


_COMMANDS = {
    "history": _at("history", "View rollout history"),
    "pause": _at("pause", "Mark the provided resource as paused", "pause"),
    "restart": _at("pause", "Restart a resource", "restart"),
    "resume": _at("pause", "Resume a paused resource", "resume"),
    "status": _at("status", "Show the status of the rollout"),
    "undo": _at("undo", "Undo a previous rollout"),
}


@click.command("rollout", cls=KubectlGroup, short_help="Manage the rollout of a resource", usage="SUBCOMMAND", lazy=_COMMANDS)
def command() -> None:
    """Manage the rollout of one or many resources.

    Valid resource types include deployments, daemonsets and statefulsets.
    """


command.callback = None
