"""kctl config set-credentials."""

from __future__ import annotations

import os
from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.config.files import ConfigFiles, show_usage
from kctl.cli.config.set_cluster import require
from kctl.cli.config.view import read_base64
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

EXAMPLES = """
  # Set only the "client-key" field on the "cluster-admin" entry, without touching other values
  kctl config set-credentials cluster-admin --client-key=admin.key

  # Embed client certificate data in the "cluster-admin" entry
  kctl config set-credentials cluster-admin --client-certificate=admin.crt --embed-certs=true

  # Define an exec auth plugin
  kctl config set-credentials cluster-admin --exec-command=/path/to/plugin --exec-api-version=client.authentication.k8s.io/v1
"""


@click.command(
    "set-credentials",
    cls=KubectlCommand,
    short_help="Set a user entry in kubeconfig",
    examples=EXAMPLES,
    usage="NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] "
    "[--username=basic_user] [--password=basic_password] [--auth-provider=provider_name] [--auth-provider-arg=key=value] "
    "[--exec-command=exec_command] [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value]",
)
@flag("--auth-provider", help="Auth provider for the user entry in kubeconfig")
@flag("--auth-provider-arg", kind="slice", help="'key=value' arguments for the auth provider")
@flag("--client-certificate", help="Path to client-certificate file for the user entry in kubeconfig")
@flag("--client-key", help="Path to client-key file for the user entry in kubeconfig")
@flag("--embed-certs", kind="bool", help="Embed client cert/key for the user entry in kubeconfig")
@flag("--exec-api-version", help="API version of the exec credential plugin for the user entry in kubeconfig")
@flag(
    "--exec-arg",
    kind="slice",
    help="New arguments for the exec credential plugin command for the user entry in kubeconfig",
)
@flag("--exec-command", help="Command for the exec credential plugin for the user entry in kubeconfig")
@flag("--exec-env", kind="array", help="'key=value' environment values for the exec credential plugin")
@flag("--exec-interactive-mode", help="InteractiveMode of the exec credentials plugin for the user entry in kubeconfig")
@flag("--exec-provide-cluster-info", kind="bool", help="ProvideClusterInfo of the exec credentials plugin for the user entry in kubeconfig")
@flag("--password", help="password for the user entry in kubeconfig")
@flag("--token", help="token for the user entry in kubeconfig")
@flag("--username", help="username for the user entry in kubeconfig")
def command(session: Session, arguments: tuple[str, ...], **given: Any) -> None:
    """Set a user entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values. Bearer token and basic auth are
    mutually exclusive.
    """
    show_usage(len(arguments) == 1, arguments, "unexpected")
    _validate(given)
    files = ConfigFiles(session)
    entry = dict(files.merged().users.get(arguments[0], {}))
    changed = session.changed
    _certificates(entry, given, changed)
    if "token" in changed:
        entry["token"] = given["token"]
        if given["token"]:
            entry |= {"username": "", "password": ""}
    for name in ("username", "password"):
        if name in changed:
            entry[name] = given[name]
    if given["username"] or given["password"]:
        entry["token"] = ""
    if "auth_provider" in changed or "auth_provider_arg" in changed:
        _provider(entry, given, changed)
    if any(name.startswith("exec_") for name in changed) and (entry.get("exec") or given["exec_command"]):
        _plugin(entry, given, changed)
    files.put("users", arguments[0], entry)
    session.print(f'User "{arguments[0]}" set.')


def _validate(given: dict[str, Any]) -> None:
    methods = ["--token"] if given["token"] else []
    if given["username"] or given["password"]:
        methods.append("--username/--password")
    if len(methods) > 1:
        raise CommandError(f"you cannot specify more than one authentication method at the same time: {', '.join(methods)}")
    if given["embed_certs"]:
        if not (given["client_certificate"] or given["client_key"]):
            raise CommandError("you must specify a --client-certificate or --client-key to embed")
        for name in ("client_certificate", "client_key"):
            if given[name]:
                require(given[name], name.replace("_", "-"))


def _certificates(entry: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    for name in ("client_certificate", "client_key"):
        if name not in changed:
            continue
        field, path = name.replace("_", "-"), given[name]
        if given["embed_certs"]:
            entry |= {field: "", f"{field}-data": read_base64(path)}
        else:
            entry[field] = os.path.abspath(path) if path else ""
            if path:
                entry[f"{field}-data"] = ""


def _pairs(words: tuple[str, ...], kind: str) -> tuple[dict[str, str], list[str]]:
    """key=value sets, key- takes away."""
    pairs: dict[str, str] = {}
    removed: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            pairs[key] = value
        elif word.endswith("-"):
            removed.append(word[:-1])
        else:
            click.echo(click.get_current_context().get_help(), nl=False)
            raise CommandError(f"invalid {kind} format: {word}")
    return pairs, removed


def _provider(entry: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    found = dict(entry.get("auth-provider") or {})
    if "auth_provider" in changed:
        found = {"config": {}, **found, "name": given["auth_provider"]}
        if found["name"] != (entry.get("auth-provider") or {}).get("name"):
            found["config"] = {}
    pairs, removed = _pairs(given["auth_provider_arg"], "auth-provider-arg")
    settings = {**(found.get("config") or {}), **pairs}
    found["config"] = {key: value for key, value in settings.items() if key not in removed}
    entry["auth-provider"] = found


def _plugin(entry: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    found = dict(entry.get("exec") or {})
    for option, field in (
        ("exec_command", "command"),
        ("exec_api_version", "apiVersion"),
        ("exec_interactive_mode", "interactiveMode"),
        ("exec_provide_cluster_info", "provideClusterInfo"),
    ):
        if option in changed:
            found[field] = given[option]
    if "exec_arg" in changed:
        found["args"] = list(given["exec_arg"])
    if "exec_env" in changed:
        pairs, removed = _pairs(given["exec_env"], "exec-env")
        kept = [
            {**one, "value": pairs.pop(one["name"], one.get("value", ""))} for one in found.get("env") or () if one["name"] not in removed
        ]
        found["env"] = [*kept, *({"name": key, "value": pairs[key]} for key in sorted(pairs))] or None
    entry["exec"] = found
