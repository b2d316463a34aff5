"""kctl config view: the merged kubeconfig, secrets hidden unless asked for."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.config.fields import config_object
from kctl.cli.config.files import ConfigFiles
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results
from kctl.cli.session import Session
from kctl.client.kubeconfig import Kubeconfig, load

EXAMPLES = """
  # Show merged kubeconfig settings
  kctl config view

  # Show merged kubeconfig settings, raw certificate data, and exposed secrets
  kctl config view --raw

  # Get the password for the e2e user
  kctl config view -o jsonpath='{.users[?(@.name == "e2e")].user.password}'
"""
_EMBEDDED = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key"),
}


class ConfigView(ObjectOutput, Command):
    """Display merged kubeconfig settings or a specified kubeconfig file.

    You can use --output jsonpath={...} to extract specific values using a jsonpath expression.
    """

    name = "view"
    usage = "[flags]"
    examples = EXAMPLES

    flatten: bool = flag(
        "--flatten",
        kind="bool",
        help="Flatten the resulting kubeconfig file into self-contained output (useful for creating portable kubeconfig files)",
    )
    merge: bool = flag("--merge", kind="bool", default=True, help="Merge the full hierarchy of kubeconfig files")
    minify: bool = flag("--minify", kind="bool", help="Remove all information not used by current-context from the output")
    raw: bool = flag("--raw", kind="bool", help="Display raw byte data and sensitive data")

    output: str = options.output_flag("yaml")

    def run(self) -> None:
        if self.arguments:
            raise UsageError(f"unexpected arguments: [{' '.join(self.arguments)}]")
        if "merge" in self.session.changed and self.merge is False and not self.session.flags.get("kubeconfig"):
            raise CommandError("if merge==false a precise file must be specified")
        results = Results(
            self.session,
            "" if self.template and not self.changed("output") else self.output or "yaml",
            self.template,
            self.show_managed_fields,
            self.allow_missing_template_keys,
            in_field_order=True,
        )
        results.check()
        if self.output == "name":
            self.session.print("config/<unknown>")  # a kubeconfig has no name
            return
        config = ConfigFiles(self.session).merged() if self.merge else load(Path(self.session.flags["kubeconfig"]))
        if self.minify:
            config = _minify(config, self.session)
        sections = {name: dict(config.section(name)) for name in ("contexts", "clusters", "users")}
        if self.flatten:
            for section, fields in _EMBEDDED.items():
                for name, settings in sections[section].items():
                    path = config.origin.get((section, name))
                    sections[section][name] = _embed(settings, fields, path.parent if path is not None else Path())
        if not self.raw and not self.flatten:
            sections = {section: {name: _hide(settings) for name, settings in entries.items()} for section, entries in sections.items()}
        results.print_object(config_object(sections["contexts"], sections["clusters"], sections["users"], config.current_context))


def _minify(config: Kubeconfig, session: Session) -> Kubeconfig:
    current = str(session.flags.get("context") or config.current_context)
    if not current:
        raise CommandError("current-context must exist in order to minify")
    context = config.contexts.get(current)
    if context is None:
        raise CommandError(f"cannot locate context {current}")
    cluster, user = str(context.get("cluster") or ""), str(context.get("user") or "")
    if cluster and cluster not in config.clusters:
        raise CommandError(f"cannot locate cluster {cluster}")
    if user and user not in config.users:
        raise CommandError(f"cannot locate user {user}")
    return Kubeconfig(
        {name: config.clusters[name] for name in (cluster,) if name},
        {current: context},
        {name: config.users[name] for name in (user,) if name},
        current,
        origin=config.origin,
    )


def _hide(settings: dict[str, Any]) -> dict[str, Any]:
    hidden = {name: "DATA+OMITTED" if name.endswith("-data") and value else value for name, value in settings.items()}
    for name in ("token", "password"):
        if hidden.get(name):
            hidden[name] = "REDACTED"
    return hidden


def _embed(settings: dict[str, Any], fields: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """File names replaced by what is in the files; data already there wins."""
    changed = dict(settings)
    for name in fields:
        path = changed.pop(name, None)
        if path and not changed.get(f"{name}-data"):
            changed[f"{name}-data"] = read_base64(os.path.join(folder, str(path)))
    return changed


def read_base64(path: str) -> str:
    try:
        return base64.b64encode(Path(path).read_bytes()).decode()
    except OSError as error:
        raise CommandError(f"open {path}: {(error.strerror or str(error)).lower()}") from None
