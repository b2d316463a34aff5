"""Policies with their bindings, ready to be matched and evaluated; read anew when one of either changes (upstream's policySource)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kctl.apimachinery import labels, objects
from kctl.apimachinery.labels import Selector
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import NotFound
from kctl.kube_apiserver.admission import rules, selectors
from kctl.kube_apiserver.admission.cel_environment import Environment
from kctl.kube_apiserver.admission.match_conditions import MatchConditions
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.admission.rules import Rule


@dataclass(frozen=True, slots=True)
class Criteria:
    """matchConstraints of a policy, matchResources of a binding. Without rules they are about everything."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    policy: str
    namespace_selector: Selector
    object_selector: Selector

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Criteria:
        given = given or {}
        return cls(
            rules.read(given.get("resourceRules") or ()),
            rules.read(given.get("excludeResourceRules") or ()),
            given.get("matchPolicy") or "Equivalent",
            labels.from_label_selector(given.get("namespaceSelector") or {}),
            labels.from_label_selector(given.get("objectSelector") or {}),
        )

    def match(self, server: Server, operation: Operation, obj: Object | None, old: Object | None) -> ResourceType | None:
        """As which resource they know what is asked. Raises NotFound for a namespace that is gone."""
        if not selectors.selects_object(self.object_selector, obj, old):
            return None
        if self.excluded and rules.match(server, self.excluded, self.policy, operation) is not None:
            return None
        found = rules.match(server, self.rules, self.policy, operation) if self.rules else operation.resource
        if found is None or not selectors.selects_namespace(self.namespace_selector, server, operation, obj):
            return None
        return found


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    spec: Mapping[str, Any]
    criteria: Criteria


@dataclass(frozen=True, slots=True)
class Definition:
    """One policy with the bindings it has."""

    name: str
    source: Object
    spec: Mapping[str, Any]
    criteria: Criteria
    environment: Environment
    conditions: MatchConditions
    bindings: tuple[Binding, ...]

    @property
    def fails_open(self) -> bool:
        return self.spec.get("failurePolicy") == "Ignore"


class Definitions:
    """Those of one kind of policy, by name."""

    def __init__(self, server: Server, policies: ResourceType, bindings: ResourceType) -> None:
        self._server = server
        self._resources = policies, bindings
        self._caches = [server.storage.cache_of(each) for each in self._resources]
        self._seen: tuple[int, ...] = ()
        self._definitions: tuple[Definition, ...] = ()
        self._policies: dict[str, Definition] = {}
        """As they were compiled, without bindings."""

    def all(self) -> tuple[Definition, ...]:
        present = tuple(cache.last_revision for cache in self._caches)
        if present != self._seen:
            self._definitions = tuple(self._read())
            self._seen = present
        return self._definitions

    def _read(self) -> Iterator[Definition]:
        policies, bindings = (sorted(self._server.list_cached(each, ""), key=objects.name) for each in self._resources)
        by_policy: dict[str, list[Object]] = {}
        for binding in bindings:
            by_policy.setdefault(str(objects.spec(binding).get("policyName") or ""), []).append(binding)
        known, self._policies = self._policies, {}
        for policy in policies:
            own = by_policy.get(objects.name(policy))
            if own:
                compiled = known.get(objects.name(policy))
                if compiled is None or compiled.source is not policy:
                    compiled = _compiled(policy)
                self._policies[compiled.name] = compiled
                yield replace(compiled, bindings=tuple(map(_binding, own)))

    def may_concern(self, operation: Operation) -> bool:
        """Whether some policy could apply to such an operation on some object."""
        if rules.is_configuration(operation):
            return False
        criteria = (definition.criteria for definition in self.all())
        return any(not each.rules or rules.may_match(self._server, each.rules, each.policy, operation) for each in criteria)


def _compiled(policy: Object) -> Definition:
    spec = objects.spec(policy)
    environment = Environment(has_params=spec.get("paramKind") is not None, variables=spec.get("variables") or ())
    conditions = MatchConditions(spec.get("matchConditions") or (), environment)
    return Definition(objects.name(policy), policy, spec, Criteria.of(spec.get("matchConstraints")), environment, conditions, ())


def _binding(binding: Object) -> Binding:
    spec = objects.spec(binding)
    return Binding(objects.name(binding), spec, Criteria.of(spec.get("matchResources")))


class ConfigurationError(Exception):
    """A binding that cannot be applied; its policy's failurePolicy decides."""


class Applied(NamedTuple):
    """A policy as a binding applies it. `seen_as`: the resource in whose version; `problem`: why it cannot be applied."""

    definition: Definition
    binding: Binding | None
    seen_as: ResourceType
    params: Object | None
    problem: str = ""


def applied(server: Server, definition: Definition, operation: Operation, obj: Object | None, old: Object | None) -> Iterator[Applied]:
    """The policy with each of its bindings and parameters that the operation concerns, or why that cannot be told."""
    try:
        seen_as = definition.criteria.match(server, operation, obj, old)
    except NotFound as error:
        yield Applied(definition, None, operation.resource, None, f"failed to configure policy: {error}")
        return
    if seen_as is None:
        return
    for binding in definition.bindings:
        try:
            if binding.criteria.match(server, operation, obj, old) is not None:
                for params in params_of(server, definition, binding, operation):
                    yield Applied(definition, binding, seen_as, params)
        except (ConfigurationError, NotFound) as error:
            yield Applied(definition, binding, seen_as, None, f"failed to configure binding: {error}")


def params_of(server: Server, definition: Definition, binding: Binding, operation: Operation) -> Sequence[Object | None]:
    """The parameters that a binding gives its policy: None where there are to be none. Raises ConfigurationError."""
    kind, reference = definition.spec.get("paramKind"), binding.spec.get("paramRef")
    if kind is None or reference is None:
        return [None]
    resource = server.table.by_kind(kind.get("apiVersion") or "", kind.get("kind") or "")
    if resource is None:
        shown = f"&ParamKind{{APIVersion:{kind.get('apiVersion') or ''},Kind:{kind.get('kind') or ''},}}"
        raise ConfigurationError(f"paramKind kind `{shown}` not known")
    namespace = _namespace_of(resource, reference, operation)
    found = _select(server, resource, reference, namespace)
    if not found and (reference.get("parameterNotFoundAction") or "Deny") == "Deny":
        raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
    return found


def _namespace_of(resource: ResourceType, reference: Mapping[str, Any], operation: Operation) -> str:
    given = reference.get("namespace") or ""
    if not resource.namespaced:
        if given:
            raise ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    is_namespace = operation.resource.plural == "namespaces" and not operation.resource.group
    own = operation.name if is_namespace else operation.namespace
    if not given and not own:
        raise ConfigurationError("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    return str(given or own)


def _select(server: Server, resource: ResourceType, reference: Mapping[str, Any], namespace: str) -> list[Object]:
    endpoint = server.endpoint(resource)
    if reference.get("name"):
        found = endpoint.cache.entries.get(endpoint.key(namespace, reference["name"]))
        return [endpoint.from_storage(found.object)] if found is not None else []
    selector = labels.from_label_selector(reference.get("selector") or {})
    entries = (entry.object for entry in endpoint.cache.list(namespace))
    return [endpoint.from_storage(obj) for obj in entries if selector.matches(objects.labels(obj))]
