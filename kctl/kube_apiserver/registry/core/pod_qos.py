"""The quality of service class of a pod (pkg/apis/core/v1/helper/qos)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from kctl.apimachinery import quantity

_COMPUTE = ("cpu", "memory")


def qos_class(spec: Mapping[str, Any]) -> str:
    """Guaranteed: every container limits cpu and memory and requests as much; BestEffort: none asks for any; else
    Burstable. Resources of the pod as a whole, where given, decide alone."""
    whole = spec.get("resources") or {}
    if whole.get("requests") or whole.get("limits"):
        holders = [whole]
    else:
        containers = (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
        holders = [container.get("resources") or {} for container in containers]
    requests: dict[str, Fraction] = {}
    limits: dict[str, Fraction] = {}
    guaranteed = True
    for resources in holders:
        for total, field in ((requests, "requests"), (limits, "limits")):
            named = set()
            for name, value in (resources.get(field) or {}).items():
                exact = quantity.parse(value) if name in _COMPUTE else Fraction(0)
                if exact > 0:
                    total[name] = total.get(name, Fraction(0)) + exact
                    named.add(name)
            if field == "limits" and len(named) < len(_COMPUTE):
                guaranteed = False
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and len(requests) == len(limits) and all(limits.get(n) == v for n, v in requests.items()):
        return "Guaranteed"
    return "Burstable"
