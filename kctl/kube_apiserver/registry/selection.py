"""Which objects a list or a watch is about: label selector, field selector, one name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kctl.apimachinery import fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest
from kctl.kube_apiserver.registry.list_options import ListOptions
from kctl.kube_apiserver.registry.served_resource import ServedResource

_NONE: Mapping[str, str] = {}


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


def select(served: ServedResource, namespace: str, options: ListOptions, name: str = "") -> Selection:
    """`name`: the one object that is meant, if any. Raises BadRequest for a field selector of an unknown field or of another name."""
    tests: list[Callable[[Object], bool]] = []
    selector, by_field = options.label_selector, options.field_selector
    if selector is not None and not selector.empty:
        matches = selector.matches
        tests.append(lambda obj: matches(obj["metadata"].get("labels") or _NONE))
    if by_field is not None and by_field.paths:
        tests.append(by_field.predicate(_getters(served, by_field)))
        exact = by_field.exact("metadata.name")
        if name and exact != name:
            raise BadRequest("fieldSelector metadata.name doesn't match requested name")
        name = exact or ""
    if name:
        tests.insert(0, lambda obj: obj["metadata"].get("name") == name)
    if not tests:
        return Selection(namespace, name, None)
    if len(tests) == 1:
        return Selection(namespace, name, tests[0])
    return Selection(namespace, name, lambda obj: all(test(obj) for test in tests))


def _getters(served: ServedResource, selector: fields.FieldSelector) -> Mapping[str, fields.Getter]:
    """How the fields are read that the selector names. Raises BadRequest where the kind cannot be selected by one."""
    selectable = served.strategy.selectable_fields
    getters = fields.getters_for(selectable, served.resource.namespaced)
    if served.conversion is not None:
        renamed = served.conversion.field_labels.get(served.resource.api_version) or {}
        getters |= {name: getters[stored] for name, stored in renamed.items() if stored in getters}
    fields.check(selector, selectable, getters, served.strategy.unknown_field_message)
    return getters
