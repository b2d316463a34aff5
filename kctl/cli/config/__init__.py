"""kctl config: read and change kubeconfig files."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlGroup, Lazy


def _at(module: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.config.{module}", attribute, short_help)


_COMMANDS = {
    "current-context": _at("contexts", "Display the current-context", "current_context"),
    "delete-cluster": _at("delete", "Delete the specified cluster from the kubeconfig", "delete_cluster"),
    "delete-context": _at("delete", "Delete the specified context from the kubeconfig", "delete_context"),
    "delete-user": _at("delete", "Delete the specified user from the kubeconfig", "delete_user"),
    "get-clusters": _at("contexts", "Display clusters defined in the kubeconfig", "get_clusters"),
    "get-contexts": _at("contexts", "Describe one or many contexts", "get_contexts"),
    "get-users": _at("contexts", "Display users defined in the kubeconfig", "get_users"),
    "rename-context": _at("change", "Rename a context from the kubeconfig file", "rename_context"),
    "set-cluster": _at("change", "Set a cluster entry in kubeconfig", "set_cluster"),
    "set-context": _at("change", "Set a context entry in kubeconfig", "set_context"),
    "set-credentials": _at("change", "Set a user entry in kubeconfig", "set_credentials"),
    "use-context": _at("change", "Set the current-context in a kubeconfig file", "use_context"),
    "view": _at("view", "Display merged kubeconfig settings or a specified kubeconfig file", "view"),
}


@click.command("config", cls=KubectlGroup, short_help="Modify kubeconfig files", usage="SUBCOMMAND", lazy=_COMMANDS)
def command() -> None:
    """Modify kubeconfig files using subcommands like "kctl config use-context my-context".

    --kubeconfig names the file; else the files of $KUBECONFIG are merged, and a change goes to the one that has the entry; else
    the local cluster's own kubeconfig is meant.
    """


command.callback = None
