"""Which kubeconfig file a change goes to, and writing it (client-go's PathOptions and ModifyConfig)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from kctl.apimachinery.yaml import dump
from kctl.cli.command import Command
from kctl.cli.config.fields import config_object
from kctl.cli.configuration import load_kubeconfig, local_kubeconfig
from kctl.cli.errors import CommandError
from kctl.cli.session import Session
from kctl.client.kubeconfig import Kubeconfig, UnreadableConfig, environment_paths, load

_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class ConfigFiles:
    """The files of one invocation. Changes are made to a merged view entry by entry; each is written to its file."""

    def __init__(self, session: Session) -> None:
        self._explicit = Path(session.flags["kubeconfig"]) if session.flags.get("kubeconfig") else None
        self._flags = session.flags

    @property
    def loading_order(self) -> list[Path]:
        if self._explicit is not None:
            return [self._explicit]
        return environment_paths() or [local_kubeconfig(self._flags)]

    def default(self) -> Path:
        """Where new entries go."""
        paths = self.loading_order
        return next((path for path in paths if path.exists()), paths[-1])

    def merged(self) -> Kubeconfig:
        if self._explicit is not None and not self._explicit.exists():
            return Kubeconfig()
        return load_kubeconfig(self._flags)

    def put(self, section: str, name: str, settings: dict[str, Any], path: Path | None = None) -> None:
        """Create or replace an entry, in the file that has it unless another is given."""
        path = path or self.merged().origin.get((section, name)) or self.default()
        config = _read(path)
        config.section(section)[name] = _relative(settings, path)
        _write(path, config)

    def remove(self, section: str, name: str) -> None:
        path = self.merged().origin.get((section, name)) or self.default()
        config = _read(path)
        config.section(section).pop(name, None)
        _write(path, config)

    def use(self, context: str) -> None:
        """Set the current context; '' takes it away where it is set."""
        if self.merged().current_context == context:
            return
        path = self.default()
        if not context and self._explicit is None:
            path = next((file for file in self.loading_order if file.exists() and _read(file).current_context), path)
        config = _read(path)
        config.current_context = context
        _write(path, config)


def _read(path: Path) -> Kubeconfig:
    if not path.exists():
        return Kubeconfig()
    try:
        return load(path)
    except UnreadableConfig as error:
        raise CommandError(str(error)) from None


def _relative(settings: dict[str, Any], path: Path) -> dict[str, Any]:
    """File names below the kubeconfig's folder are kept relative to it."""
    folder = path.absolute().parent
    changed = dict(settings)
    for name in _FILES:
        value = changed.get(name)
        if value and os.path.isabs(value):
            relative = os.path.relpath(value, folder)
            changed[name] = value if relative.startswith("..") else relative
    return changed


def _write(path: Path, config: Kubeconfig) -> None:
    """Replaced as a whole: a reader sees the old file or the new one."""
    obj = config_object(config.contexts, config.clusters, config.users, config.current_context)
    if config.preferences:
        obj["preferences"] = config.preferences
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(dump(obj))
        os.chmod(beside, mode)
        os.replace(beside, target)
    except OSError as error:
        raise CommandError(f"open {path}: {(error.strerror or str(error)).lower()}") from None


def require_arguments(expected: bool, command: Command, prefix: str = "Unexpected") -> None:
    """As kubectl's helpErrorf: the whole help, and then what is wrong."""
    if not expected:
        command.print_help()
        raise CommandError(f"{prefix} args: [{' '.join(command.arguments)}]")
