"""kctl kuberc view."""

from __future__ import annotations

import os
from typing import Any, Final

from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.kuberc import file
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results

_RECOMMENDED: Final = (("apply", "server-side"), ("delete", "interactive"))
_ORDER: Final = ("kind", "apiVersion", "defaults", "aliases", "credentialPluginPolicy", "credentialPluginAllowlist")
_INSIDE: Final = ("name", "command", "prependArgs", "appendArgs", "options", "default")


def kuberc_flag() -> Any:
    return flag(
        "--kuberc",
        help="Path to the kuberc file to use for preferences. This can be disabled by exporting KUBECTL_KUBERC=false feature gate or turning off the feature KUBERC=off.",
    )


def refuse_off() -> None:
    if file.is_off(os.environ):
        raise CommandError("KUBERC is disabled via KUBERC=off environment variable")


class View(ObjectOutput, Command):
    """Display the contents of the kuberc file. Where there is none, one with recommended defaults is offered."""

    name = "view"
    examples = """
  # As YAML
  kctl kuberc view

  # As JSON
  kctl kuberc view --output json

  # Of another file
  kctl kuberc view --kuberc /path/to/kuberc
"""
    kuberc: str = kuberc_flag()
    output: str = options.output_flag("yaml")

    def validate(self) -> None:
        if self.arguments:
            raise UsageError(f"unexpected arguments: [{' '.join(self.arguments)}]")
        refuse_off()

    def run(self) -> None:
        if self.template and not self.changed("output"):
            self.output = ""
        results = Results.of(self, in_field_order=True)
        results.check()
        where = file.place(self.kuberc, os.environ).path
        if not where.exists():
            self._offer(where)
            return
        preferences = file.read_or_new(where)
        unknown = file.unknown_fields(preferences)
        if unknown:
            raise CommandError(f'error reading kuberc file: strict decoding error: unknown field "{unknown[0]}"')
        results.print_object(_in_order(preferences, _ORDER))

    def _offer(self, where: Any) -> None:
        self.session.print(f"kuberc file not found at {where}")
        self.session.write("Would you like to generate a default kuberc file with recommended options? (y/N): ")
        self.session.streams.out.flush()
        if self.session.streams.input.readline().strip().lower() not in ("y", "yes"):
            return
        defaults = [{"command": command, "options": [{"default": "true", "name": name}]} for command, name in _RECOMMENDED]
        file.write(where, {"kind": "Preference", "apiVersion": file.API_VERSION, "defaults": defaults})
        self.session.print(f"Updated {where}")


def _in_order(value: Any, names: tuple[str, ...]) -> Any:
    """As the Go types have their fields."""
    if isinstance(value, list):
        return [_in_order(each, _INSIDE) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _in_order(value[name], _INSIDE) for name in (*names, *value) if name in value}
