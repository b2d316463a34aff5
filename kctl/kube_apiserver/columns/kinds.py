"""Which columns a kind has. Imported with the first Table, for it brings those of all kinds."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.columns.columns import CREATED_AT, NAME, Columns


def _default_row(obj: Object, now: datetime) -> list[Any]:
    meta = obj["metadata"]
    return [meta.get("name", ""), meta.get("creationTimestamp")]


DEFAULT = Columns((NAME, CREATED_AT), _default_row)

_FILES = ("core", "pods", "workloads", "networking", "policy", "rbac", "storage", "admission", "cluster", "metrics")


@cache
def _all() -> dict[str, Columns]:
    found: dict[str, Columns] = {}
    for name in _FILES:
        found.update(import_module(f"kctl.kube_apiserver.columns.{name}").COLUMNS)
    return found


def columns_for(resource: ResourceType) -> Columns:
    """Upstream's default for a kind without a printer: Name and Created At."""
    return _all().get(resource.group_resource, DEFAULT)
