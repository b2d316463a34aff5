"""Columns of metrics.k8s.io, as metrics-server prints them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import quantity
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import NAME, Column, Columns

_COLUMNS = (
    NAME,
    Column("cpu", "Usage of cpu, of all containers together"),
    Column("memory", "Usage of memory, of all containers together"),
    Column("Window", "How long was measured"),
)


def _row(obj: Object, now: datetime) -> list[Any]:
    usages = [each["usage"] for each in obj["containers"]] if "containers" in obj else [obj["usage"]]
    totals = [quantity.add(*(usage[resource] for usage in usages)) for resource in ("cpu", "memory")]
    return [obj["metadata"]["name"], *totals, obj["window"]]


COLUMNS = {"nodes.metrics.k8s.io": Columns(_COLUMNS, _row), "pods.metrics.k8s.io": Columns(_COLUMNS, _row)}
