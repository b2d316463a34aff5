"""kctl plugin: programs on the PATH that are commands, because of their names."""

from __future__ import annotations

from kctl.cli.command import Group
from kctl.cli.lazy import Lazy


class Plugin(Group):
    """Look at plugins: programs called kctl-NAME or kubectl-NAME, which 'kctl NAME' runs.

    A plugin gets the words that come after its name. A dash in its file's name separates words of the command, an underscore stands for a dash.
    """

    name = "plugin"
    examples = """
  # List the plugins on the PATH
  kctl plugin list

  # Only their names
  kctl plugin list --name-only
"""
    members = {"list": Lazy("kctl.cli.plugin.list", "PluginList", "List all visible plugin executables on a user's PATH")}
