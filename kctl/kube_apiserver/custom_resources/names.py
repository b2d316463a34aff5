"""Whether a definition's names are free, and what it is told (upstream's NamingConditionController)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Condition, Object

_ORDER = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


class Accepted(NamedTuple):
    """`names` are those the definition has from now on."""

    names: dict[str, Any]
    condition: Condition


def taken(definitions: Iterable[Object], group: str) -> tuple[set[str], set[str]]:
    """(names of resources, kinds) that the definitions of a group have."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for obj in definitions:
        if objects.spec(obj).get("group") == group:
            names = objects.status(obj).get("acceptedNames") or {}
            resources |= {names.get("plural") or "", names.get("singular") or "", *(names.get("shortNames") or ())}
            kinds |= {names.get("kind") or "", names.get("listKind") or ""}
    return resources, kinds


def accept(obj: Object, resources: set[str], kinds: set[str]) -> Accepted:
    """Of several conflicts the last one is told, in the order plural, singular, shortNames, kind, listKind."""
    wanted: dict[str, Any] = objects.spec(obj).get("names") or {}
    present: dict[str, Any] = objects.status(obj).get("acceptedNames") or {}
    new = dict(present)
    reason, message = "NoConflicts", "no conflicts found"

    def refuse(field: str, why: str) -> None:
        nonlocal reason, message
        reason, message = f"{field[0].upper()}{field[1:]}Conflict", why

    for field in ("plural", "singular", "shortNames", "kind", "listKind"):
        if field == "shortNames":
            if problems := _short_name_problems(wanted.get(field) or (), present, resources):
                refuse(field, problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
            else:
                _set(new, field, wanted.get(field))
            continue
        name = wanted.get(field) or ""
        if name != (present.get(field) or "") and name in (kinds if field in ("kind", "listKind") else resources):
            refuse(field, f'"{name}" is already in use')
        else:
            _set(new, field, name)
    _set(new, "categories", wanted.get("categories"))
    ordered: dict[str, Any] = {
        field: new[field] for field in ("plural", "singular", "shortNames", "kind", "listKind", "categories") if field in new
    }
    ordered.setdefault("plural", "")
    ordered.setdefault("kind", "")
    status = "True" if reason == "NoConflicts" else "False"
    return Accepted(ordered, {"type": "NamesAccepted", "status": status, "reason": reason, "message": message})


def _short_name_problems(wanted: Iterable[str], present: dict[str, Any], resources: set[str]) -> list[str]:
    own = {*(present.get("shortNames") or ()), present.get("plural") or "", present.get("singular") or ""}
    return [f'"{name}" is already in use' for name in wanted if name not in own and name in resources]


def _set(names: dict[str, Any], field: str, value: Any) -> None:
    if value:
        names[field] = value
    else:
        names.pop(field, None)
