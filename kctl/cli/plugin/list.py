"""kctl plugin list."""

from __future__ import annotations

import os

from kctl.cli.command import PROGRAM, Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.plugin.lookup import PREFIXES


class PluginList(Command):
    """List all plugins on the PATH: executable files whose names begin with "kctl-" or "kubectl-"."""

    name = "list"
    examples = """
  # List the plugins on the PATH
  kctl plugin list

  # Only their names
  kctl plugin list --name-only
"""

    name_only: bool = flag(
        "--name-only", kind="bool", help="If true, display only the binary name of each plugin, rather than its full path"
    )

    def run(self) -> None:
        folders = dict.fromkeys(folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder.strip())
        seen: dict[str, str] = {}
        warnings = count = 0
        names = {folder: self._plugins(folder) for folder in folders}
        for folder in folders:
            for name in names[folder]:
                if not count:
                    self.session.print("The following compatible plugins are available:\n")
                count += 1
                path = os.path.join(folder, name)
                self.session.print(name if self.name_only else path)
                for warning in self._problems(name, path, seen):
                    self.session.error(f"  - {warning}")
                    warnings += 1
        if not count:
            raise CommandError(f"unable to find any {PROGRAM} plugins in your PATH")
        if warnings:
            raise CommandError("one plugin warning was found" if warnings == 1 else f"{warnings} plugin warnings were found")

    def _plugins(self, folder: str) -> list[str]:
        try:
            return sorted(
                item.name for item in os.scandir(folder) if item.name.startswith(PREFIXES) and not item.is_dir(follow_symlinks=False)
            )
        except OSError as error:
            why = f"open {folder}: {(error.strerror or '').lower()}"
            self.session.error(f'Unable to read directory "{folder}" from your PATH: {why}. Skipping...')
            return []

    def _problems(self, name: str, path: str, seen: dict[str, str]) -> list[str]:
        """Why this one will not run as a command; `seen` are the names there were before, with their paths."""
        from kctl.cli.main import COMMANDS

        texts = []
        try:
            executable = bool(os.stat(path).st_mode & 0o111)
        except OSError as error:
            return [f"error: unable to identify {path} as an executable file: stat {path}: {(error.strerror or '').lower()}"]
        if not executable:
            texts.append(f"warning: {path} identified as a {PROGRAM} plugin, but it is not executable")
        if name in seen:
            texts.append(f"warning: {path} is overshadowed by a similarly named plugin: {seen[name]}")
        else:
            seen[name] = path
        command = name.split("-")[1]
        if command in COMMANDS:
            texts.append(f'warning: {name} overwrites existing command: "{PROGRAM} {command}"')
        return texts
