"""kctl kustomize -o PATH: one file, or in a folder one for each object, called as kustomize calls them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.build import text
from kctl.cli.kustomize.resource import Gvk


def write(objects: Sequence[Object], path: str) -> None:
    """Raises CommandError where the path cannot be written."""
    target = Path(path)
    try:
        if not target.is_dir():
            target.write_text(text(objects))
            return
        several = {str((obj.get("metadata") or {}).get("namespace") or "") for obj in objects}
        for obj in objects:
            (target / _file_name(obj, len(several) > 1)).write_text(text([obj]))
    except OSError as error:
        raise CommandError(f"open {error.filename or path}: {(error.strerror or '').lower()}") from None


def _file_name(obj: Object, with_namespace: bool) -> str:
    """apps_v1_deployment_web.yaml"""
    meta = obj.get("metadata") or {}
    gvk = "_".join(part for part in Gvk.of(obj) if part)
    parts = [gvk, str(meta.get("name") or "")]
    if with_namespace and meta.get("namespace"):
        parts.insert(0, str(meta["namespace"]))
    return "_".join(parts).lower().replace("/", "_") + ".yaml"
