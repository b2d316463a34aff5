"""kctl config use-context, rename-context, set-context, set-cluster, set-credentials."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import set_current_context, set_entry
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.session import Session


def _one(arguments: tuple[str, ...]) -> str:
    if len(arguments) != 1:
        raise UsageError(f"Unexpected args: [{' '.join(arguments)}]")
    return arguments[0]


@click.command(
    "use-context", cls=KubectlCommand, short_help="Set the current-context in a kubeconfig file", usage="CONTEXT_NAME"
)
def use_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Set the current-context in a kubeconfig file."""
    name = _one(arguments)
    if name not in session.kubeconfig.contexts:
        raise CommandError(f'no context exists with the name: "{name}"')
    set_current_context(session, name)
    session.print(f'Switched to context "{name}".')


@click.command(
    "rename-context",
    cls=KubectlCommand,
    short_help="Rename a context from the kubeconfig file",
    usage="CONTEXT_NAME NEW_NAME",
)
def rename_context(session: Session, arguments: tuple[str, ...]) -> None:
    """Rename a context of the kubeconfig."""
    if len(arguments) != 2:
        raise UsageError(f"Unexpected args: [{' '.join(arguments)}]")
    old, new = arguments
    config = session.kubeconfig
    if old not in config.contexts:
        raise CommandError(
            f'cannot rename the context "{old}", it\'s not in {config.origin.get(("contexts", old)) or "the kubeconfig"}'
        )
    if new in config.contexts:
        raise CommandError(
            f'cannot rename the context "{old}", the context "{new}" already exists in {config.origin["contexts", new]}'
        )
    path = config.origin["contexts", old]
    config.origin["contexts", new] = path
    set_entry(session, "contexts", new, config.contexts[old])
    set_entry(session, "contexts", old, None)
    if config.current_context == old:
        set_current_context(session, new)
    session.print(f'Context "{old}" renamed to "{new}".')


@click.command(
    "set-context",
    cls=KubectlCommand,
    short_help="Set a context entry in kubeconfig",
    usage="[NAME | --current] [--cluster=cluster_nickname] [--user=user_nickname] [--namespace=namespace]",
)
@flag("--current", kind="bool", help="Modify the current context")
def set_context(session: Session, arguments: tuple[str, ...], current: bool) -> None:
    """Set a context entry in kubeconfig. Values that are not given stay as they are."""
    if current and arguments:
        raise UsageError("you cannot specify both a context name and --current")
    name = session.kubeconfig.current_context if current else _one(arguments)
    if not name:
        raise CommandError("no current context is set")
    given: dict[str, Any] = {
        field: session.flags[field] for field in ("cluster", "user", "namespace") if field in session.changed
    }
    _set(session, "contexts", name, given, "Context")


@click.command(
    "set-cluster",
    cls=KubectlCommand,
    short_help="Set a cluster entry in kubeconfig",
    usage="NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true]",
)
@flag("--embed-certs", kind="bool", help="embed-certs for the cluster entry in kubeconfig")
def set_cluster(session: Session, arguments: tuple[str, ...], embed_certs: bool) -> None:
    """Set a cluster entry in kubeconfig."""
    fields = {
        "server": "server", "tls_server_name": "tls-server-name", "insecure_skip_tls_verify": "insecure-skip-tls-verify",
        "certificate_authority": "certificate-authority", "proxy_url": "proxy-url",
    }  # fmt: skip
    _set(session, "clusters", _one(arguments), _given(session, fields, embed_certs), "Cluster")


@click.command(
    "set-credentials",
    cls=KubectlCommand,
    short_help="Set a user entry in kubeconfig",
    usage="NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token]",
)
@flag("--embed-certs", kind="bool", help="Embed client cert/key for the user entry in kubeconfig")
def set_credentials(session: Session, arguments: tuple[str, ...], embed_certs: bool) -> None:
    """Set a user entry in kubeconfig."""
    fields = {
        "client_certificate": "client-certificate", "client_key": "client-key", "token": "token", "username": "username",
        "password": "password",
    }  # fmt: skip
    _set(session, "users", _one(arguments), _given(session, fields, embed_certs), "User")


def _given(session: Session, fields: dict[str, str], embed: bool) -> dict[str, Any]:
    """The flags given, as kubeconfig fields; files are read with --embed-certs, else named absolutely."""
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in session.changed:
            continue
        value = session.flags[name]
        if field in ("certificate-authority", "client-certificate", "client-key") and value:
            if embed:
                try:
                    found[f"{field}-data"] = base64.b64encode(Path(value).read_bytes()).decode()
                except OSError as error:
                    raise CommandError(f"could not read {field} data from {value}: {error.strerror}") from None
                continue
            value = str(Path(value).absolute())
        found[field] = value
    return found


def _set(session: Session, plural: str, name: str, given: dict[str, Any], what: str) -> None:
    before = session.kubeconfig.section(plural).get(name)
    merged = {**(before or {}), **given}
    for field in list(given):
        merged.pop(f"{field}-data", None) if not field.endswith("-data") else merged.pop(
            field.removesuffix("-data"), None
        )
    set_entry(session, plural, name, {key: value for key, value in merged.items() if value not in ("", None)})
    done = "set" if what != "Context" else "modified" if before is not None else "created"
    session.print(f'{what} "{name}" {done}.')
