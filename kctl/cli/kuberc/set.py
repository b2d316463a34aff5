"""kctl kuberc set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.kuberc import file
from kctl.cli.kuberc.view import kuberc_flag, refuse_off

_POLICIES = ("AllowAll", "DenyAll", "Allowlist")


class Set(Command):
    """Set values in the kuberc file: the defaults of a command's flags, an alias, or which credential plugins may run."""

    name = "set"
    usage = "--section (defaults|aliases) --command COMMAND"
    examples = """
  # Let get print more columns
  kctl kuberc set --section defaults --command get --option output=wide

  # A sub-command's flags
  kctl kuberc set --section defaults --command "set env" --option output=yaml

  # Call 'get nodes -o wide' getn
  kctl kuberc set --section aliases --name getn --command get --prependarg nodes --option output=wide

  # Put words behind what is typed
  kctl kuberc set --section aliases --name runx --command run --option image=nginx --appendarg "--" --appendarg custom-arg1

  # Replace what is there
  kctl kuberc set --section defaults --command get --option output=json --overwrite
"""

    allowlist_entry: Sequence[str] = flag(
        "--allowlist-entry", kind="array", help="Allowlist entry the form field=value (can be specified multiple times)"
    )
    appendarg: Sequence[str] = flag(
        "--appendarg", kind="array", help="Argument to append to the command (can be specified multiple times, for aliases only)"
    )
    command: str = flag("--command", help="Command to configure (e.g., 'get', 'create', 'set env')")
    kuberc: str = kuberc_flag()
    alias: str = flag("--name", help="Alias name (required for --section=aliases)")
    option: Sequence[str] = flag("--option", kind="array", help="Flag option in the form flag=value (can be specified multiple times)")
    overwrite: bool = flag("--overwrite", kind="bool", help="Allow overwriting existing entries")
    policy: str = flag(
        "--policy", help="Plugin policy to use for exec credential plugins, must be one of 'AllowAll', 'DenyAll' or 'Allowlist'"
    )
    prependarg: Sequence[str] = flag(
        "--prependarg", kind="array", help="Argument to prepend to the command (can be specified multiple times, for aliases only)"
    )
    section: str = flag("--section", help="Section to modify: 'defaults', 'aliases', or 'credentialplugin'")

    def validate(self) -> None:
        if not self.changed("section"):
            raise CommandError('required flag(s) "section" not set')
        refuse_off()
        if self.section not in ("defaults", "aliases", "credentialplugin"):
            raise CommandError(f'--section must be "defaults", "aliases", or "credentialplugin", got: {self.section}')
        if self.section == "credentialplugin":
            if self.policy not in _POLICIES:
                raise CommandError(f' --policy must be  "AllowAll", "DenyAll", or "Allowlist", got: {self.policy}')
            return
        if not self.command:
            raise CommandError("--command is required when --section=aliases or --section=defaults")
        if self.section == "aliases" and not self.alias:
            raise CommandError("--name is required when --section=aliases")
        if self.section == "defaults" and (self.alias or self.prependarg or self.appendarg):
            raise CommandError("--name, --prependarg, and --appendarg are only valid when --section=aliases")

    def run(self) -> None:
        where = file.place(self.kuberc, os.environ).path
        preferences = file.read_or_new(where)
        if self.section == "credentialplugin":
            entries = [_pair(word, "allowlist entry", "field=value") for word in self.allowlist_entry]
            preferences["credentialPluginPolicy"] = self.policy
            if entries:
                preferences["credentialPluginAllowlist"] = [{name: value} for name, value in entries]
        else:
            self._set_entry(preferences)
        file.write(where, preferences)
        self.session.print(f"Updated {where}")

    def _set_entry(self, preferences: dict[str, Any]) -> None:
        options = [{"default": value, "name": name} for name, value in (_pair(word, "option", "flag=value") for word in self.option)]
        made: dict[str, Any] = {"command": self.command}
        key, named, what = "command", self.command, f'defaults for command "{self.command}" already exist'
        if self.section == "aliases":
            key, named, what = "name", self.alias, f'alias "{self.alias}" already exists'
            made["name"] = self.alias
            made |= {name: list(words) for name, words in (("prependArgs", self.prependarg), ("appendArgs", self.appendarg)) if words}
        made |= {"options": options} if options else {}
        entries = list(preferences.get(self.section) or ())
        at = next((index for index, each in enumerate(entries) if each.get(key) == named), -1)
        if at >= 0 and not self.overwrite:
            raise CommandError(f"{what}, use --overwrite to replace")
        if at >= 0:
            entries[at] = made
        else:
            entries.append(made)
        preferences[self.section] = entries


def _pair(word: str, what: str, form: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise CommandError(f'invalid {what} format "{word}", expected {form}')
    return name, value
