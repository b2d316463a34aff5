"""kctl kuberc: the user's preferences, aliases and default flags; `preferences` applies them to a command line."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


class Kuberc(Group):
    """Manage user preferences (the kuberc file): aliases of commands, and defaults of their flags."""

    name = "kuberc"
    usage = "SUBCOMMAND"
    help_on_stdout = True
    examples = """
  # See the preferences
  kctl kuberc view

  # Let get print more columns
  kctl kuberc set --section defaults --command get --option output=wide

  # Call 'get nodes -o wide' getn
  kctl kuberc set --section aliases --name getn --command get --prependarg nodes --option output=wide
"""
    members = {
        "set": Lazy("kctl.cli.kuberc.set", "Set", "Set values in the kuberc configuration"),
        "view": Lazy("kctl.cli.kuberc.view", "View", "Display the current kuberc configuration"),
    }
