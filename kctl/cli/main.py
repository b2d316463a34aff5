"""kctl: the command line. Which commands there are, under which heading, and what happens when one fails.

A command's module is imported when the command runs, by the name in COMMANDS; `kctl get` pays for nothing of `kctl apply`.
"""

from __future__ import annotations

import gc

gc.disable()  # importing makes no garbage; enabled again below

import os
import sys
from collections.abc import Sequence
from typing import Final

from kctl.cli.command import PROGRAM, Group, invoke
from kctl.cli.lazy import Lazy
from kctl.cli.errors import CommandError, Exit, report
from kctl.cli.session import Session

CLUSTERS: Final = "Local Cluster Commands"
BEGINNER: Final = "Basic Commands (Beginner)"
INTERMEDIATE: Final = "Basic Commands (Intermediate)"
DEPLOY: Final = "Deploy Commands"
MANAGEMENT: Final = "Cluster Management Commands"
TROUBLE: Final = "Troubleshooting and Debugging Commands"
ADVANCED: Final = "Advanced Commands"
SETTINGS: Final = "Settings Commands"
OTHER: Final = "Other Commands"
HEADINGS: Final = (CLUSTERS, BEGINNER, INTERMEDIATE, DEPLOY, MANAGEMENT, TROUBLE, ADVANCED, SETTINGS, OTHER)


def _at(module: str, heading: str, short_help: str, attribute: str) -> Lazy:
    return Lazy(f"kctl.cli.{module}", attribute, short_help, heading)


COMMANDS: Final[dict[str, Lazy]] = {
    "run-cluster": _at("run_cluster", CLUSTERS, "Start a local Kubernetes cluster of simulated nodes", "run_cluster"),
    "cluster": _at("cluster", CLUSTERS, "List, inspect, stop and delete local clusters", "cluster"),
    "store": _at("store", CLUSTERS, "Check, compact, copy and move the state of a local cluster", "store"),
    "controller-manager": _at(
        "standalone.controller_manager", CLUSTERS, "Run kube-controller-manager alone, for any cluster", "ControllerManager"
    ),
    "scheduler": _at("standalone.scheduler", CLUSTERS, "Run kube-scheduler alone, for any cluster", "Scheduler"),
    "create": _at("create.command", BEGINNER, "Create a resource from a file or from stdin", "Create"),
    "expose": _at(
        "expose",
        BEGINNER,
        "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
        "Expose",
    ),
    "run": _at("run", BEGINNER, "Run a particular image on the cluster", "Run"),
    "set": _at("set", BEGINNER, "Set specific features on objects", "Set"),
    "explain": _at("explain", INTERMEDIATE, "Get documentation for a resource", "Explain"),
    "get": _at("get", INTERMEDIATE, "Display one or many resources", "Get"),
    "edit": _at("edit.command", INTERMEDIATE, "Edit a resource on the server", "Edit"),
    "delete": _at(
        "delete", INTERMEDIATE, "Delete resources by file names, stdin, resources and names, or by resources and label selector", "Delete"
    ),
    "rollout": _at("rollout", DEPLOY, "Manage the rollout of a resource", "Rollout"),
    "scale": _at("scale", DEPLOY, "Set a new size for a deployment, replica set, or replication controller", "Scale"),
    "autoscale": _at("autoscale", DEPLOY, "Auto-scale a deployment, replica set, stateful set, or replication controller", "Autoscale"),
    "certificate": _at("certificate", MANAGEMENT, "Modify certificate resources", "Certificate"),
    "top": _at("top", MANAGEMENT, "Display resource (CPU/memory) usage", "Top"),
    "cordon": _at("nodes.cordon", MANAGEMENT, "Mark node as unschedulable", "Cordon"),
    "uncordon": _at("nodes.cordon", MANAGEMENT, "Mark node as schedulable", "Uncordon"),
    "drain": _at("nodes.drain", MANAGEMENT, "Drain node in preparation for maintenance", "Drain"),
    "taint": _at("nodes.taint", MANAGEMENT, "Update the taints on one or more nodes", "Taint"),
    "cluster-info": _at("cluster_info.command", MANAGEMENT, "Display cluster information", "ClusterInfo"),
    "history": _at("past.history", TROUBLE, "Show the revisions of an object: who changed what, and when", "History"),
    "story": _at("story.command", TROUBLE, "Tell how an object came to be: who did what, when", "Story"),
    "tree": _at("tree.command", TROUBLE, "Show an object with its owners and all that it owns, and how each fares", "Tree"),
    "undo": _at("past.undo", TROUBLE, "Put an object back to an earlier revision, also a deleted one", "Undo"),
    "auth": _at("auth", TROUBLE, "Inspect authorization", "Auth"),
    "describe": _at("describe.command", TROUBLE, "Show details of a specific resource or group of resources", "Describe"),
    "logs": _at("logs", TROUBLE, "Print the logs for a container in a pod", "Logs"),
    "attach": _at("remote.attach", TROUBLE, "Attach to a running container", "Attach"),
    "exec": _at("remote.exec", TROUBLE, "Execute a command in a container", "Exec"),
    "port-forward": _at("remote.port_forward", TROUBLE, "Forward one or more local ports to a pod", "PortForward"),
    "why": _at("why", TROUBLE, "Show why a pod is on its node, or on none", "Why"),
    "schedule": _at("schedule", TROUBLE, "Show where pods would be placed, without creating them", "Schedule"),
    "proxy": _at("proxy.command", TROUBLE, "Run a proxy to the Kubernetes API server", "Proxy"),
    "cp": _at("remote.cp", TROUBLE, "Copy files and directories to and from containers", "Cp"),
    "debug": _at("debug.command", TROUBLE, "Create debugging sessions for troubleshooting workloads and nodes", "Debug"),
    "events": _at("events", TROUBLE, "List events", "Events"),
    "diff": _at("diff", ADVANCED, "Diff the live version against a would-be applied version", "Diff"),
    "apply": _at("apply.command", ADVANCED, "Apply a configuration to a resource by file name or stdin", "Apply"),
    "kustomize": _at("kustomize.command", ADVANCED, "Build a kustomization target from a directory or URL", "Kustomize"),
    "patch": _at("patch", ADVANCED, "Update fields of a resource", "Patch"),
    "replace": _at("replace", ADVANCED, "Replace a resource by file name or stdin", "Replace"),
    "wait": _at("wait", ADVANCED, "Wait for a specific condition on one or many resources", "Wait"),
    "label": _at("label", SETTINGS, "Update the labels on a resource", "Label"),
    "annotate": _at("annotate", SETTINGS, "Update the annotations on a resource", "Annotate"),
    "completion": _at("completion", SETTINGS, "Output shell completion code for the specified shell (bash, zsh, fish)", "Completion"),
    "api-resources": _at("api_resources", OTHER, "Print the supported API resources on the server", "ApiResources"),
    "api-versions": _at(
        "api_versions", OTHER, 'Print the supported API versions on the server, in the form of "group/version"', "ApiVersions"
    ),
    "config": _at("config", OTHER, "Modify kubeconfig files", "Config"),
    "kuberc": _at("kuberc", OTHER, "Manage user preferences (the kuberc file)", "Kuberc"),
    "options": _at("global_options", "", "Print the list of flags inherited by all commands", "Options"),
    "plugin": _at("plugin", OTHER, "Provides utilities for interacting with plugins", "Plugin"),
    "version": _at("version", OTHER, "Print the client and server version information", "Version"),
    "alpha": _at("alpha", "", "Commands for features in alpha", "Alpha"),
    "__complete": _at("completion", "", "Answer a shell's question for completions", "Complete"),
}


def unknown(name: str) -> str:
    from kctl.cli.suggestions import similar

    text = f'unknown command "{name}" for "{PROGRAM}"'
    close = similar(name, [known for known in COMMANDS if COMMANDS[known].heading])
    return text + ("\n\nDid you mean this?\n" + "\n".join(f"\t{known}" for known in close) if close else "")


class Root(Group):
    """kctl runs and controls Kubernetes clusters."""

    name = PROGRAM
    members = COMMANDS
    takes_plugins = True

    @classmethod
    def refuse(cls, name: str, program: str) -> None:
        raise CommandError(unknown(name))

    def print_help(self) -> None:
        from kctl.cli.help import root_help

        self.session.write(root_help(COMMANDS, HEADINGS))

    def run(self) -> None:
        self.print_help()


def has_preferences(arguments: Sequence[str]) -> bool:
    """Whether a kuberc file may say something of this command line. Cheap: each command asks it."""
    if os.environ.get("KUBECTL_KUBERC", "").lower() in ("false", "0", "f") or "__complete" in arguments[:1]:
        return False
    if os.environ.get("KUBERC") or any(word.startswith("--kuberc") for word in arguments):
        return True
    return os.path.exists(os.path.join(os.path.expanduser("~"), ".kube", "kuberc"))


def run(arguments: Sequence[str], session: Session) -> int:
    """One command line, and its exit code. Nothing is raised but what a signal raises."""
    try:
        if has_preferences(arguments):
            from kctl.cli.kuberc.preferences import applied

            arguments = applied(Root, arguments, session)
        invoke(Root, arguments, session)
        session.check_warnings()
        return 0
    except Exit as end:
        return end.code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BrokenPipeError:
        raise
    except Exception as error:
        session.streams.out.flush()
        if session.verbosity >= 6:
            import traceback

            traceback.print_exc(file=session.streams.err)
        return report(error, session.program, session.streams.err.write)


def main() -> None:
    """The entry point of the `kctl` script."""
    gc.disable()  # a command is over before collecting would pay
    try:
        code = run(sys.argv[1:], Session())
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        _close_quietly()
        code = 141
    _leave(code)


def _close_quietly() -> None:
    """The reader of stdout is gone (`kctl get pods | head -1`): nothing is left to say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(code: int) -> None:
    """Without tearing the interpreter down: a command has closed what it opened, and freeing 1,000 pods costs time."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)


gc.enable()
