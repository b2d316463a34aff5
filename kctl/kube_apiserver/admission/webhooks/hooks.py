"""The webhooks of all configurations, in the order they are called, and which of them a request concerns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission import rules, selectors
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.admission.rules import Rule


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Hook:
    """One webhook, ready to be matched."""

    uid: str
    configuration: str
    facts: Mapping[str, Any]
    """As the configuration has it, defaults filled in."""
    rules: tuple[Rule, ...]
    namespace_selector: Selector
    object_selector: Selector

    @property
    def name(self) -> str:
        return str(self.facts.get("name") or "")

    @property
    def match_policy(self) -> str:
        return str(self.facts.get("matchPolicy") or "Equivalent")

    @property
    def fails_open(self) -> bool:
        return self.facts.get("failurePolicy") == "Ignore"

    @property
    def timeout_seconds(self) -> float:
        return float(self.facts.get("timeoutSeconds") or 10)

    @property
    def may_be_called_again(self) -> bool:
        return self.facts.get("reinvocationPolicy") == "IfNeeded"

    @property
    def allows_dry_run(self) -> bool:
        return self.facts.get("sideEffects") in ("None", "NoneOnDryRun")


class Hooks:
    """Those of one kind of configuration. They are read anew when a configuration has changed."""

    def __init__(self, server: Server, resource: ResourceType) -> None:
        self._server = server
        self._resource = resource
        self._cache = server.storage.cache_of(resource)
        self._seen = -1
        self._hooks: tuple[Hook, ...] = ()

    def all(self) -> tuple[Hook, ...]:
        if self._cache.last_revision != self._seen:
            configurations = sorted(self._server.list_cached(self._resource, ""), key=objects.name)
            self._hooks = tuple(hook for configuration in configurations for hook in _read(configuration))
            self._seen = self._cache.last_revision
        return self._hooks

    def may_concern(self, operation: Operation) -> bool:
        """Whether some hook could be called for such an operation on some object."""
        if rules.is_configuration(operation):
            return False
        return any(rules.may_match(self._server, hook.rules, hook.match_policy, operation) for hook in self.all())

    def match(self, hook: Hook, operation: Operation, obj: Object | None, old: Object | None) -> ResourceType | None:
        """As which resource the hook wants to see what is asked; None where it does not. Raises NotFound for a namespace that is gone."""
        found = rules.match(self._server, hook.rules, hook.match_policy, operation)
        if found is None or not selectors.selects_object(hook.object_selector, obj, old):
            return None
        return found if selectors.selects_namespace(hook.namespace_selector, self._server, operation, obj) else None


def _read(configuration: Object) -> Iterator[Hook]:
    name = objects.name(configuration)
    seen: dict[str, int] = {}
    for facts in configuration.get("webhooks") or ():
        own = str(facts.get("name") or "")
        number = seen[own] = seen.get(own, -1) + 1
        selected = (labels.from_label_selector(facts.get(field) or {}) for field in ("namespaceSelector", "objectSelector"))
        yield Hook(f"{name}/{own}/{number}", name, facts, rules.read(facts.get("rules") or ()), *selected)
