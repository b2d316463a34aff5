"""CEL selectors of devices (resource.k8s.io): what an expression knows as `device`, and asking it of one (dynamic-resource-allocation/cel).

`device.attributes["domain"].name`, `device.capacity["domain"].name`; a name without a domain is of the driver's. A domain that no
attribute has is an empty map, a name that is not there an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.cel.program import CompileError, Program
from kctl.kube_apiserver.cel.quantities import GLOBAL
from kctl.kube_apiserver.cel.types import DYN
from kctl.kube_apiserver.cel.values import CelError, ListValue, MapValue

COST_LIMIT = 1_000_000
_KINDS = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
Matcher = Callable[[str, Object], bool]
"""(driver, an entry of a ResourceSlice's `devices`): whether the device is meant. Raises ValueError where the expression fails."""


class _ByDomain(MapValue):
    __slots__ = ()
    otherwise = MapValue({})


@lru_cache(maxsize=256)
def matcher(expression: str) -> Matcher:
    """Raises ValueError where it does not compile."""
    try:
        program = Program(expression, {"device": DYN})
    except CompileError as error:
        raise ValueError(f"CEL compile error: {error}") from None

    def matches(driver: str, device: Object) -> bool:
        try:
            found, _ = program.run({"device": _device(driver, device)}, COST_LIMIT)
        except CelError as error:
            raise ValueError(f"CEL runtime error: {error}") from None
        if not isinstance(found, bool):
            raise ValueError("CEL runtime error: the expression did not evaluate to a bool")
        return found

    return matches


def _device(driver: str, device: Object) -> MapValue:
    return MapValue(
        {
            "driver": driver,
            "attributes": _by_domain(driver, device.get("attributes") or {}, _attribute),
            "capacity": _by_domain(driver, device.get("capacity") or {}, lambda value: GLOBAL["quantity"].call(str(value["value"]))),
            "allowMultipleAllocations": bool(device.get("allowMultipleAllocations")),
        },
        is_object=True,
    )


def _by_domain(driver: str, entries: Mapping[str, Any], convert: Callable[[Any], Any]) -> MapValue:
    found: dict[str, dict[str, Any]] = {}
    for name, value in entries.items():
        domain, _, identifier = name.rpartition("/")
        found.setdefault(domain or driver, {})[identifier] = convert(value)
    return _ByDomain({domain: MapValue(values) for domain, values in found.items()})


def _attribute(value: Object) -> Any:
    for kind in _KINDS:
        if kind in value:
            read = GLOBAL["semver"].call if kind.startswith("version") else _same
            return ListValue([read(each) for each in value[kind]]) if kind.endswith("s") else read(value[kind])
    raise CelError("unsupported attribute value")


def _same(value: Any) -> Any:
    return value
