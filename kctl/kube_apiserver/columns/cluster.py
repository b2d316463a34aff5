"""Table columns of these kinds."""

from __future__ import annotations

from kctl.kube_apiserver.columns.columns import Columns

COLUMNS: dict[str, Columns] = {}
