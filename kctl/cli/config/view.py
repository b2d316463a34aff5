"""kctl config view: the merged kubeconfig, secrets left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kctl.cli import options
from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.kubeconfig import Kubeconfig

_DATA = ("certificate-authority-data", "client-certificate-data", "client-key-data")
_SECRETS = ("token", "password")
_OMITTED, _REDACTED = "DATA+OMITTED", "REDACTED"


@click.command(
    "view", cls=KubectlCommand, short_help="Display merged kubeconfig settings or a specified kubeconfig file"
)
@flag(
    "--flatten",
    kind="bool",
    help="Flatten the resulting kubeconfig file into self-contained output (useful for creating portable kubeconfig files)",
)
@flag("--merge", kind="bool", default=True, help="Merge the full hierarchy of kubeconfig files")
@flag("--minify", kind="bool", help="Remove all information not used by current-context from the output")
@flag("--raw", kind="bool", help="Display raw byte data and sensitive data")
@options.output()
def view(
    session: Session, arguments: tuple[str, ...], flatten: bool, merge: bool, minify: bool, raw: bool, output: str,
    template: str, show_managed_fields: bool, allow_missing_template_keys: bool,
) -> None:  # fmt: skip
    """Display merged kubeconfig settings or a specified kubeconfig file."""
    config = session.kubeconfig
    if minify:
        config = _minified(config, session)
    if flatten:
        config = _flattened(config)
    obj = config.as_object()
    if not obj["preferences"]:
        del obj["preferences"]
    if not raw and not flatten:
        obj = _without_secrets(obj)
    results = Results(
        session, output or "yaml", template, show_managed_fields, allow_missing_template_keys, in_field_order=True
    )
    results.print_object(_in_go_order(obj))


_ORDER = (
    "kind", "apiVersion", "preferences", "clusters", "users", "contexts", "current-context", "name", "server",
    "tls-server-name", "insecure-skip-tls-verify", "certificate-authority", "certificate-authority-data", "proxy-url",
    "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
)  # fmt: skip


def _in_go_order(value: Any) -> Any:
    """Fields as the Go structs have them, which JSON output shows."""
    if isinstance(value, list):
        return [_in_go_order(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    known = [key for key in _ORDER if key in value]
    return {key: _in_go_order(value[key]) for key in (*known, *(key for key in value if key not in known))}


def _minified(config: Kubeconfig, session: Session) -> Kubeconfig:
    name = session.flags.get("context") or config.current_context
    if not name:
        raise CommandError("current-context must exist in order to minify")
    if name not in config.contexts:
        raise CommandError(f"cannot locate context {name}")
    context = config.contexts[name]
    return replace(
        config,
        contexts={name: context},
        clusters={key: value for key, value in config.clusters.items() if key == context.get("cluster")},
        users={key: value for key, value in config.users.items() if key == context.get("user")},
        current_context=name,
    )


def _flattened(config: Kubeconfig) -> Kubeconfig:
    """Files become data."""
    import base64

    def flat(plural: str, fields: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        entries = {}
        for name, entry in config.section(plural).items():
            folder = (config.origin.get((plural, name)) or Path()).parent
            made = dict(entry)
            for field in fields:
                if made.get(field):
                    try:
                        content = (folder / str(made.pop(field))).read_bytes()
                    except OSError as error:
                        raise CommandError(str(error)) from None
                    made[f"{field}-data"] = base64.b64encode(content).decode()
            entries[name] = made
        return entries

    return replace(
        config,
        clusters=flat("clusters", ("certificate-authority",)),
        users=flat("users", ("client-certificate", "client-key")),
    )


def _without_secrets(obj: dict[str, Any]) -> dict[str, Any]:
    def hide(entry: dict[str, Any]) -> dict[str, Any]:
        return {
            key: _OMITTED if key in _DATA and value else _REDACTED if key in _SECRETS and value else value
            for key, value in entry.items()
        }

    made = dict(obj)
    for plural, singular in (("clusters", "cluster"), ("users", "user")):
        if made[plural]:
            made[plural] = [{**entry, singular: hide(entry[singular])} for entry in made[plural]]
    return made
