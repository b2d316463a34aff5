"""Table columns of policy and scheduling.k8s.io."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.columns.columns import AGE, NAME, Column, Columns, described
from kctl.kube_apiserver.columns.core import created


def _budget(obj: Object, now: datetime) -> list[Any]:
    spec = objects.spec(obj)
    shown = ["N/A" if spec.get(name) is None else str(spec[name]) for name in ("minAvailable", "maxUnavailable")]
    return [objects.name(obj), *shown, objects.status(obj).get("disruptionsAllowed") or 0, created(obj, now)]


def _priority_class(obj: Object, now: datetime) -> list[Any]:
    return [
        objects.name(obj),
        obj.get("value") or 0,
        bool(obj.get("globalDefault")),
        created(obj, now),
        obj.get("preemptionPolicy") or "<unset>",
    ]


COLUMNS: dict[str, Columns] = {
    "poddisruptionbudgets.policy": Columns(
        (
            NAME,
            Column("Min Available", "The minimum number of pods that must be available."),
            Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
            Column("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time.", "integer"),
            AGE,
        ),
        _budget,
    ),
    "priorityclasses.scheduling.k8s.io": Columns(
        (
            NAME,
            described("Value", "PriorityClass.value", "integer"),
            described("Global-Default", "PriorityClass.globalDefault", "boolean"),
            AGE,
            described("PreemptionPolicy", "PriorityClass.preemptionPolicy"),
        ),
        _priority_class,
    ),
}
