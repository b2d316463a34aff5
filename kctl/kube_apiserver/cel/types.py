"""CEL's types as the checker knows them: a name ('int', 'kubernetes.Quantity'), or a tuple for what has parts: ('list', T), ('map', K, V),
('optional', T), ('type', T), ('object', name, fields by name)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

DYN, BOOL, INT, UINT, DOUBLE, STRING, BYTES, NULL = "dyn", "bool", "int", "uint", "double", "string", "bytes", "null_type"
TIMESTAMP, DURATION = "google.protobuf.Timestamp", "google.protobuf.Duration"
QUANTITY, SEMVER, URL, IP, CIDR, FORMAT = (
    "kubernetes.Quantity",
    "kubernetes.Semver",
    "kubernetes.URL",
    "net.IP",
    "net.CIDR",
    "kubernetes.NamedFormat",
)
Type = Any


class AnyField(Mapping[str, Type]):
    """The fields of an object that may have any; nothing is known of them."""

    def __getitem__(self, name: str) -> Type:
        return DYN

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


_NEVER_NULL = frozenset({BOOL, INT, UINT, DOUBLE, STRING, BYTES})


def shown(kind: Type) -> str:
    """As messages name it."""
    if isinstance(kind, str):
        return kind
    match kind[0]:
        case "object":
            return str(kind[1])
        case "optional":
            return f"optional_type({shown(kind[1])})"
        case "type":
            return f"type({shown(kind[1])})"
    return f"{kind[0]}({', '.join(map(shown, kind[1:]))})"


def unify(wanted: Type, given: Type, bound: dict[str, Type]) -> bool:
    """Whether a value of the type `given` may stand where `wanted` is; type variables (one capital letter) are bound on the way."""
    if isinstance(wanted, str) and len(wanted) == 1:
        known = bound.get(wanted)
        if known is None or known == DYN:
            if known is None:
                bound[wanted] = given
            return True
        if given == DYN:
            bound[wanted] = DYN
            return True
        return unify(known, given, bound) or _unify_other_way(wanted, known, given, bound)
    if DYN in (wanted, given):
        return True
    if given == NULL and wanted != NULL:
        return not (isinstance(wanted, str) and wanted in _NEVER_NULL) and not (isinstance(wanted, tuple) and wanted[0] in ("list", "map"))
    if isinstance(wanted, str) or isinstance(given, str):
        return bool(wanted == given)
    if wanted[0] != given[0] or len(wanted) != len(given):
        return False
    if wanted[0] == "object":
        return bool(wanted[1] == given[1])
    return all(unify(one, other, bound) for one, other in zip(wanted[1:], given[1:], strict=True))


def _unify_other_way(name: str, known: Type, given: Type, bound: dict[str, Type]) -> bool:
    """`[] == [1]`, `null == x`: what was bound first may be the vaguer one."""
    if unify(given, known, bound):
        bound[name] = given
        return True
    return False


def substituted(kind: Type, bound: dict[str, Type]) -> Type:
    """A type with its variables filled in; dyn for those that nothing is known of."""
    if isinstance(kind, str):
        return bound.get(kind, DYN) if len(kind) == 1 else kind
    if kind[0] == "object":
        return kind
    return (kind[0], *(substituted(part, bound) for part in kind[1:]))


def joined(kinds: list[Type]) -> Type:
    """The type of elements of these types."""
    if not kinds:
        return DYN
    return kinds[0] if all(kind == kinds[0] for kind in kinds) else DYN
