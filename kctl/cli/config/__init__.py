"""kctl config: look at and change kubeconfig files. No command of this group opens a connection."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


def _at(module: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.config.{module}", attribute, short_help)


_COMMANDS = {
    "current-context": _at("contexts", "Display the current-context", "ConfigCurrentContext"),
    "delete-cluster": _at("entries", "Delete the specified cluster from the kubeconfig", "ConfigDeleteCluster"),
    "delete-context": _at("contexts", "Delete the specified context from the kubeconfig", "ConfigDeleteContext"),
    "delete-user": _at("entries", "Delete the specified user from the kubeconfig", "ConfigDeleteUser"),
    "get-clusters": _at("entries", "Display clusters defined in the kubeconfig", "ConfigGetClusters"),
    "get-contexts": _at("contexts", "Describe one or many contexts", "ConfigGetContexts"),
    "get-users": _at("entries", "Display users defined in the kubeconfig", "ConfigGetUsers"),
    "rename-context": _at("contexts", "Rename a context from the kubeconfig file", "ConfigRenameContext"),
    "set": _at("properties", "Set an individual value in a kubeconfig file", "ConfigSet"),
    "set-cluster": _at("set_cluster", "Set a cluster entry in kubeconfig", "ConfigSetCluster"),
    "set-context": _at("contexts", "Set a context entry in kubeconfig", "ConfigSetContext"),
    "set-credentials": _at("set_credentials", "Set a user entry in kubeconfig", "ConfigSetCredentials"),
    "unset": _at("properties", "Unset an individual value in a kubeconfig file", "ConfigUnset"),
    "use-context": _at("contexts", "Set the current-context in a kubeconfig file", "ConfigUseContext"),
    "view": _at("view", "Display merged kubeconfig settings or a specified kubeconfig file", "ConfigView"),
}


class Config(Group):
    """Modify kubeconfig files using subcommands like "kctl config set current-context my-context".

    The loading order follows these rules:

    1.  If the --kubeconfig flag is set, then only that file is loaded.
    2.  If $KUBECONFIG is set, it is a list of paths that are merged. A changed value is written to the file that defines
        the stanza; a new one to the first file of the list that exists, or else to its last.
    3.  Otherwise the kubeconfig of the local cluster is used (--cluster, $KCTL_CLUSTER, default "kctl").
    """

    name = "config"
    usage = "SUBCOMMAND"
    members = _COMMANDS
    aliases = {"use": "use-context"}
