"""Which kubeconfig file an entry is written to, and writing it: client-go's ModifyConfig.

A changed entry stays in the file that defines it; a new one goes to the first file of $KUBECONFIG that exists, or to the last
of the list where none does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kctl.apimachinery import yaml
from kctl.cli.connection import _directory, local_cluster
from kctl.cli.session import Session
from kctl.client.kubeconfig import Kubeconfig, environment_paths, load


def paths(session: Session) -> list[Path]:
    """The files in use, most important first."""
    if session.flags.get("kubeconfig"):
        return [Path(session.flags["kubeconfig"])]
    return environment_paths() or [_directory(local_cluster(session.flags) or "kctl") / "kubeconfig"]


def default_path(session: Session) -> Path:
    candidates = paths(session)
    return next((path for path in candidates if path.exists()), candidates[-1])


def set_entry(session: Session, plural: str, name: str, fields: Mapping[str, Any] | None) -> Path:
    """Replace, add or (None) remove an entry of clusters, contexts or users; the file written."""
    path = session.kubeconfig.origin.get((plural, name)) or default_path(session)
    config = _load(path)
    if fields is None:
        config.section(plural).pop(name, None)
    else:
        config.section(plural)[name] = dict(fields)
    write(path, config)
    return path


def set_current_context(session: Session, name: str) -> Path:
    """In the file that has one already, else in the default one."""
    path = session.kubeconfig.current_context_origin or default_path(session)
    config = _load(path)
    config.current_context = name
    write(path, config)
    return path


def _load(path: Path) -> Kubeconfig:
    return load(path) if path.exists() else Kubeconfig()


def write(path: Path, config: Kubeconfig) -> None:
    """Only the owner may read it; never half-written."""
    obj = {key: value for key, value in config.as_object().items() if not (key == "preferences" and not value)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(yaml.dump(obj))
    temporary.replace(path)
