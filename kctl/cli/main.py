"""kctl: the command line. Which commands there are, under which heading, and what happens when one fails.

A command's module is imported when the command runs, by the name in COMMANDS; `kctl get` pays for nothing of `kctl apply`.
"""

from __future__ import annotations

import gc

gc.disable()  # importing makes no garbage; enabled again below

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from kctl.cli.command import PROGRAM, KubectlGroup, Lazy
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


def _at(module: str, heading: str, short_help: str, attribute: str = "command") -> Lazy:
    return Lazy(f"kctl.cli.{module}", attribute, short_help, heading)


COMMANDS: Final[dict[str, Lazy]] = {
    "run-cluster": _at("run_cluster", CLUSTERS, "Start a local Kubernetes cluster of simulated nodes", "run_cluster"),
    "cluster": _at("cluster", CLUSTERS, "List, inspect, stop and delete local clusters", "cluster"),
    "create": _at("create.command", BEGINNER, "Create a resource from a file or from stdin"),
    "explain": _at("explain", INTERMEDIATE, "Get documentation for a resource"),
    "get": _at("get", INTERMEDIATE, "Display one or many resources"),
    "delete": _at("delete", INTERMEDIATE, "Delete resources by file names, stdin, resources and names, or by resources and label selector"),
    "rollout": _at("rollout", DEPLOY, "Manage the rollout of a resource"),
    "scale": _at("scale", DEPLOY, "Set a new size for a deployment, replica set, or replication controller"),
    "cluster-info": _at("cluster_info", MANAGEMENT, "Display cluster information"),
    "describe": _at("describe.command", TROUBLE, "Show details of a specific resource or group of resources"),
    "logs": _at("logs", TROUBLE, "Print the logs for a container in a pod"),
    "apply": _at("apply.command", ADVANCED, "Apply a configuration to a resource by file name or stdin"),
    "patch": _at("patch", ADVANCED, "Update fields of a resource"),
    "replace": _at("replace", ADVANCED, "Replace a resource by file name or stdin"),
    "wait": _at("wait", ADVANCED, "Wait for a specific condition on one or many resources"),
    "label": _at("label", SETTINGS, "Update the labels on a resource"),
    "annotate": _at("annotate", SETTINGS, "Update the annotations on a resource"),
    "completion": _at("completion", SETTINGS, "Output shell completion code for the specified shell (bash, zsh, fish)"),
    "api-resources": _at("api_resources", OTHER, "Print the supported API resources on the server"),
    "api-versions": _at("api_versions", OTHER, 'Print the supported API versions on the server, in the form of "group/version"'),
    "config": _at("config", OTHER, "Modify kubeconfig files"),
    "options": _at("global_options", "", "Print the list of flags inherited by all commands"),
    "version": _at("version", OTHER, "Print the client and server version information"),
    "__complete": _at("completion", "", "Answer a shell's question for completions", "complete"),
}


class RootGroup(KubectlGroup):
    """The program itself."""

    def run_itself(self, ctx: click.Context) -> Any:
        arguments = ctx.params.get("arguments") or ()
        if not arguments:
            click.echo(ctx.get_help(), nl=False)
            return
        if arguments[0] in NOT_YET:
            raise CommandError(f'"{PROGRAM} {arguments[0]}" is not supported')
        raise CommandError(_unknown(str(arguments[0])))

    def get_help(self, ctx: click.Context) -> str:
        from kctl.cli.help import root_help

        return root_help(COMMANDS, HEADINGS)


NOT_YET: Final = frozenset(
    [
        "alpha",
        "attach",
        "auth",
        "autoscale",
        "certificate",
        "cordon",
        "cp",
        "debug",
        "diff",
        "drain",
        "edit",
        "events",
        "exec",
        "expose",
        "kuberc",
        "kustomize",
        "plugin",
        "port-forward",
        "proxy",
        "run",
        "set",
        "taint",
        "top",
        "uncordon",
    ]
)


def _unknown(name: str) -> str:
    from kctl.cli.suggestions import similar

    text = f'unknown command "{name}" for "{PROGRAM}"'
    close = similar(name, [one for one in COMMANDS if COMMANDS[one].heading])
    return text + ("\n\nDid you mean this?\n" + "\n".join(f"\t{one}" for one in close) if close else "")


root = RootGroup(PROGRAM, lazy=COMMANDS, help="kctl controls Kubernetes clusters, local ones included.")


def run(arguments: Sequence[str], session: Session) -> int:
    """One command line, and its exit code. Nothing is raised but what a signal raises."""
    try:
        with root.make_context(PROGRAM, list(arguments), obj=session) as context:
            root.invoke(context)
        session.check_warnings()
        return 0
    except Exit as end:
        return end.code
    except click.exceptions.Exit as end:
        return end.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except click.ClickException as error:
        session.error(f"error: {error.format_message()}")
        return 1
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
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _leave(code: int) -> None:
    """Without tearing the interpreter down: a command has closed what it opened, and freeing 1,000 pods costs time."""
    import os

    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        pass
    os._exit(code)


gc.enable()
