"""kctl config: current-context, use-context, get-contexts, set-context, rename-context, delete-context."""

from __future__ import annotations

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import ConfigFiles, show_usage
from kctl.cli.errors import CommandError, raise_all
from kctl.cli.flags import flag
from kctl.cli.session import Session
from kctl.printers.elastic_tabs import align


@click.command("current-context", cls=KubectlCommand, short_help="Display the current-context")
def current_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Display the current-context."""
    current = ConfigFiles(session).merged().current_context
    if not current:
        raise CommandError("current-context is not set")
    session.print(current)


@click.command(
    "use-context",
    cls=KubectlCommand,
    short_help="Set the current-context in a kubeconfig file",
    usage="CONTEXT_NAME",
    examples="  # Use the context for the minikube cluster\n  kctl config use-context minikube\n",
)
def use_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Set the current-context in a kubeconfig file."""
    show_usage(len(arguments) == 1, arguments)
    files = ConfigFiles(session)
    if arguments[0] not in files.merged().contexts:
        raise CommandError(f'no context exists with the name: "{arguments[0]}"')
    files.use(arguments[0])
    session.print(f'Switched to context "{arguments[0]}".')


@click.command(
    "get-contexts",
    cls=KubectlCommand,
    short_help="Describe one or many contexts",
    usage="[(-o|--output=)name)]",
    examples="""
  # List all the contexts in your kubeconfig file
  kctl config get-contexts

  # Describe one context in your kubeconfig file
  kctl config get-contexts my-context
""",
)
@flag(
    "--no-headers", kind="bool", help="When using the default or custom-column output format, don't print headers (default print headers)."
)
@flag("-o", "--output", help="Output format. One of: (name).")
def get_contexts(session: Session, arguments: tuple[str, ...], no_headers: bool, output: str) -> None:
    """Display one or many contexts from the kubeconfig file."""
    if output not in ("", "name"):
        raise CommandError(f"--output {output} is not available in kctl config get-contexts; resetting to default output format")
    config = ConfigFiles(session).merged()
    names = sorted(arguments or config.contexts)
    errors: list[Exception] = [CommandError(f"context {name} not found") for name in names if name not in config.contexts]
    lines = [] if no_headers or output == "name" else ["CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE"]
    for name in (one for one in names if one in config.contexts):
        if output == "name":
            lines.append(name)
            continue
        context = config.contexts[name]
        mark = "*" if name == config.current_context else ""
        lines.append("\t".join([mark, name, *(str(context.get(field) or "") for field in ("cluster", "user", "namespace"))]))
    if lines:
        session.write(align("\n".join(lines) + "\n", minimum=6, padding=3))
    raise_all(errors)


@click.command(
    "set-context",
    cls=KubectlCommand,
    short_help="Set a context entry in kubeconfig",
    usage="[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]",
    examples="""
  # Set the user field on the gce context entry without touching other values
  kctl config set-context gce --user=cluster-admin

  # Work in another namespace from now on
  kctl config set-context --current --namespace=kube-system
""",
)
@flag("--cluster", help="cluster for the context entry in kubeconfig")
@flag("--current", kind="bool", help="Modify the current context")
@flag("-n", "--namespace", help="namespace for the context entry in kubeconfig")
@flag("--user", help="user for the context entry in kubeconfig")
def set_context(session: Session, arguments: tuple[str, ...], cluster: str, current: bool, namespace: str, user: str) -> None:
    """Set a context entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values for those fields.
    """
    show_usage(len(arguments) <= 1, arguments)
    if arguments and current:
        raise CommandError("you cannot specify both a context name and --current")
    if not (arguments and arguments[0]) and not current:
        raise CommandError("you must specify a non-empty context name or --current")
    files = ConfigFiles(session)
    config = files.merged()
    name = config.current_context if current else arguments[0]
    if not name:
        raise CommandError("no current context is set")
    given = {"cluster": cluster, "user": user, "namespace": namespace}
    changes = {field: value for field, value in given.items() if field in session.changed}
    files.put("contexts", name, {**config.contexts.get(name, {}), **changes})
    session.print(f'Context "{name}" {"modified" if name in config.contexts else "created"}.')


@click.command(
    "rename-context",
    cls=KubectlCommand,
    short_help="Rename a context from the kubeconfig file",
    usage="CONTEXT_NAME NEW_NAME",
    examples="  # Rename the context 'old-name' to 'new-name' in your kubeconfig file\n  kctl config rename-context old-name new-name\n",
)
def rename_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Renames a context from the kubeconfig file.

    If the context being renamed is the 'current-context', this field will also be updated.
    """
    show_usage(len(arguments) == 2, arguments)
    old, new = arguments
    files = ConfigFiles(session)
    config = files.merged()
    path = files.default()
    if old not in config.contexts:
        raise CommandError(f'cannot rename the context "{old}", it\'s not in {path}')
    if new in config.contexts:
        raise CommandError(f'cannot rename the context "{old}", the context "{new}" already exists in {path}')
    files.put("contexts", new, config.contexts[old], config.origin.get(("contexts", old)))
    files.remove("contexts", old)
    if config.current_context == old:
        files.use(new)
    session.print(f'Context "{old}" renamed to "{new}".')


@click.command(
    "delete-context",
    cls=KubectlCommand,
    short_help="Delete the specified context from the kubeconfig",
    usage="NAME",
    examples="  # Delete the context for the minikube cluster\n  kctl config delete-context minikube\n",
)
def delete_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Delete the specified context from the kubeconfig."""
    if len(arguments) != 1:
        click.echo(click.get_current_context().get_help(), nl=False)
        return
    files = ConfigFiles(session)
    config = files.merged()
    name = arguments[0]
    if name not in config.contexts:
        raise CommandError(f"cannot delete context {name}, not in {files.default()}")
    if config.current_context == name:
        session.error('warning: this removed your active context, use "kctl config use-context" to select a different one')
    files.remove("contexts", name)
    session.print(f"deleted context {name} from {files.default()}")
