"""Which objects a list or a watch is about: label selector, field selector, one name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kctl.apimachinery import fields, labels
from kctl.apimachinery.bounds import cache_short
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.served_resource import ServedResource

_parse_labels = cache_short(maxsize=512, longest=1024)(labels.parse)
_parse_fields = cache_short(maxsize=512, longest=1024)(fields.parse)
_NONE: Mapping[str, str] = {}
_LONG = 8 * 1024
"""Characters of selectors from which on parsing them may take more than a few milliseconds."""


@dataclass(slots=True)
class Selection:
    """`matches` is None where every object of the namespace (all, if '') counts; `name` where only one can."""

    namespace: str
    name: str
    matches: Callable[[Object], bool] | None

    @property
    def key_prefix(self) -> str:
        if self.namespace and self.name:
            return f"{self.namespace}/{self.name}"
        return f"{self.namespace}/" if self.namespace else self.name


def select(served: ServedResource, namespace: str, query: Mapping[str, str], name: str = "") -> Selection:
    """Raises BadRequest for selectors that do not parse or name an unknown field."""
    tests: list[Callable[[Object], bool]] = []
    if text := query.get("labelSelector"):
        selector = _parse_labels(text)
        if not selector.empty:
            tests.append(lambda obj: selector.matches(obj["metadata"].get("labels") or _NONE))
    if text := query.get("fieldSelector"):
        field_selector = _parse_fields(text)
        selectable = served.strategy.selectable_fields
        getters = fields.getters_for(selectable, served.resource.namespaced)
        if served.conversion is not None:
            renamed = served.conversion.field_labels.get(served.resource.api_version) or {}
            getters |= {name: getters[stored] for name, stored in renamed.items() if stored in getters}
        fields.check(field_selector, selectable, getters, served.strategy.unknown_field_message)
        if field_selector.requirements:
            tests.append(field_selector.predicate(getters))
        name = name or field_selector.exact("metadata.name") or ""
    if name:
        wanted = name
        tests.insert(0, lambda obj: obj["metadata"].get("name") == wanted)
    if not tests:
        return Selection(namespace, name, None)
    if len(tests) == 1:
        return Selection(namespace, name, tests[0])
    return Selection(namespace, name, lambda obj: all(test(obj) for test in tests))


async def select_beside(served: ServedResource, namespace: str, query: Mapping[str, str], name: str = "") -> Selection:
    """As `select`; long selectors are parsed in a thread, while others have their turn."""
    if len(query.get("labelSelector", "")) + len(query.get("fieldSelector", "")) < _LONG:
        return select(served, namespace, query, name)
    return await asyncio.to_thread(select, served, namespace, query, name)
