"""Whether a toleration covers a taint (k8s.io/api/core/v1 Toleration.ToleratesTaint)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kctl.apimachinery.objects import Object


def tolerates(toleration: Object, taint: Object) -> bool:
    effect, key = toleration.get("effect"), toleration.get("key")
    if effect and effect != taint.get("effect"):
        return False
    if key and key != taint.get("key"):
        return False
    value = taint.get("value") or ""
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(key) and (toleration.get("value") or "") == value
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, toleration.get("value") or "")
    return False


def untolerated(tolerations: Iterable[Object], taints: Iterable[Object], effects: Collection[str]) -> Object | None:
    """The first taint of one of these effects that nothing covers."""
    known = list(tolerations)
    return next((taint for taint in taints if taint.get("effect") in effects and not any(tolerates(each, taint) for each in known)), None)


def _compares(operator: str, taint_value: str, bound: str) -> bool:
    try:
        left, right = int(taint_value), int(bound)
    except ValueError:
        return False
    return left > right if operator == "Gt" else left < right
