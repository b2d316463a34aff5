"""kctl config set-credentials."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kctl.cli.command import Command
from kctl.cli.config.files import ConfigFiles, require_arguments
from kctl.cli.config.set_cluster import require
from kctl.cli.config.view import read_base64
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag

EXAMPLES = """
  # Set only the "client-key" field on the "cluster-admin" entry, without touching other values
  kctl config set-credentials cluster-admin --client-key=admin.key

  # Embed client certificate data in the "cluster-admin" entry
  kctl config set-credentials cluster-admin --client-certificate=admin.crt --embed-certs=true

  # Define an exec auth plugin
  kctl config set-credentials cluster-admin --exec-command=/path/to/plugin --exec-api-version=client.authentication.k8s.io/v1
"""


class ConfigSetCredentials(Command):
    """Set a user entry in kubeconfig.

    Specifying a name that already exists will merge new fields on top of existing values. Bearer token and basic auth are
    mutually exclusive.
    """

    name = "set-credentials"
    usage = (
        "NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] "
        "[--username=basic_user] [--password=basic_password] [--auth-provider=provider_name] [--auth-provider-arg=key=value] "
        "[--exec-command=exec_command] [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value]"
    )
    examples = EXAMPLES

    auth_provider: str = flag("--auth-provider", help="Auth provider for the user entry in kubeconfig")
    auth_provider_arg: Sequence[str] = flag("--auth-provider-arg", kind="slice", help="'key=value' arguments for the auth provider")
    client_certificate: str = flag("--client-certificate", help="Path to client-certificate file for the user entry in kubeconfig")
    client_key: str = flag("--client-key", help="Path to client-key file for the user entry in kubeconfig")
    embed_certs: bool = flag("--embed-certs", kind="bool", help="Embed client cert/key for the user entry in kubeconfig")
    exec_api_version: str = flag("--exec-api-version", help="API version of the exec credential plugin for the user entry in kubeconfig")
    exec_arg: Sequence[str] = flag(
        "--exec-arg",
        kind="slice",
        help="New arguments for the exec credential plugin command for the user entry in kubeconfig",
    )
    exec_command: str = flag("--exec-command", help="Command for the exec credential plugin for the user entry in kubeconfig")
    exec_env: Sequence[str] = flag("--exec-env", kind="array", help="'key=value' environment values for the exec credential plugin")
    exec_interactive_mode: str = flag(
        "--exec-interactive-mode", help="InteractiveMode of the exec credentials plugin for the user entry in kubeconfig"
    )
    exec_provide_cluster_info: bool = flag(
        "--exec-provide-cluster-info",
        kind="bool",
        help="ProvideClusterInfo of the exec credentials plugin for the user entry in kubeconfig",
    )
    password: str = flag("--password", help="password for the user entry in kubeconfig")
    token: str = flag("--token", help="token for the user entry in kubeconfig")
    username: str = flag("--username", help="username for the user entry in kubeconfig")

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 1, self, "unexpected")
        _validate(self._given())
        self._pairs(self.auth_provider_arg, "auth-provider-arg")
        self._pairs(self.exec_env, "exec-env")

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.flags}

    def _pairs(self, words: Sequence[str], kind: str) -> None:
        """Show the help where a pair is none."""
        try:
            _pairs(words, kind)
        except CommandError:
            self.print_help()
            raise

    def run(self) -> None:
        given = self._given()
        files = ConfigFiles(self.session)
        user = dict(files.merged().users.get(self.arguments[0], {}))
        changed = self.session.changed
        _certificates(user, given, changed)
        if "token" in changed:
            user["token"] = given["token"]
            if given["token"]:
                user |= {"username": "", "password": ""}
        for name in ("username", "password"):
            if name in changed:
                user[name] = given[name]
        if given["username"] or given["password"]:
            user["token"] = ""
        if "auth_provider" in changed or "auth_provider_arg" in changed:
            _provider(user, given, changed)
        if any(name.startswith("exec_") for name in changed) and (user.get("exec") or given["exec_command"]):
            _plugin(user, given, changed)
        files.put("users", self.arguments[0], user)
        self.session.print(f'User "{self.arguments[0]}" set.')


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


def _certificates(user: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    for name in ("client_certificate", "client_key"):
        if name not in changed:
            continue
        field, path = name.replace("_", "-"), given[name]
        if given["embed_certs"]:
            user |= {field: "", f"{field}-data": read_base64(path)}
        else:
            user[field] = os.path.abspath(path) if path else ""
            if path:
                user[f"{field}-data"] = ""


def _pairs(words: Sequence[str], kind: str) -> tuple[dict[str, str], list[str]]:
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
            raise CommandError(f"invalid {kind} format: {word}")
    return pairs, removed


def _provider(user: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    provider = dict(user.get("auth-provider") or {})
    if "auth_provider" in changed:
        provider = {"config": {}, **provider, "name": given["auth_provider"]}
        if provider["name"] != (user.get("auth-provider") or {}).get("name"):
            provider["config"] = {}
    pairs, removed = _pairs(given["auth_provider_arg"], "auth-provider-arg")
    settings = {**(provider.get("config") or {}), **pairs}
    provider["config"] = {key: value for key, value in settings.items() if key not in removed}
    user["auth-provider"] = provider


def _plugin(user: dict[str, Any], given: dict[str, Any], changed: set[str]) -> None:
    plugin = dict(user.get("exec") or {})
    for option, field in (
        ("exec_command", "command"),
        ("exec_api_version", "apiVersion"),
        ("exec_interactive_mode", "interactiveMode"),
        ("exec_provide_cluster_info", "provideClusterInfo"),
    ):
        if option in changed:
            plugin[field] = given[option]
    if "exec_arg" in changed:
        plugin["args"] = list(given["exec_arg"])
    if "exec_env" in changed:
        pairs, removed = _pairs(given["exec_env"], "exec-env")
        kept = [
            {**variable, "value": pairs.pop(variable["name"], variable.get("value", ""))}
            for variable in plugin.get("env") or ()
            if variable["name"] not in removed
        ]
        plugin["env"] = [*kept, *({"name": key, "value": pairs[key]} for key in sorted(pairs))] or None
    user["exec"] = plugin
