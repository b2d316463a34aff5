"""Rules of webhooks and admission policies: which operations on which resources they are about, and under which equivalent name of a
resource they know what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.admission.plugin import Operation, Server
from kctl.kube_apiserver.registry.conversion import storage_group

_GROUP = "admissionregistration.k8s.io"
_CONFIGURATION = frozenset(
    {
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    }
)


class Rule(NamedTuple):
    operations: tuple[str, ...]
    groups: tuple[str, ...]
    versions: tuple[str, ...]
    resources: tuple[str, ...]
    scope: str
    names: tuple[str, ...] = ()
    """Of the objects; none = all (admission policies only)."""

    def matches(self, operation: Operation, resource: ResourceType) -> bool:
        """Whether it is about the operation, were it on `resource`."""
        if not self.may_match(operation, resource):
            return False
        if self.names and operation.name not in self.names:
            return False
        if self.scope == "*":
            return True
        of_cluster = not operation.namespace or (resource.plural == "namespaces" and not resource.group)
        return (self.scope == "Cluster") is of_cluster

    def may_match(self, operation: Operation, resource: ResourceType) -> bool:
        """Whatever the object's name and namespace are."""
        return (
            ("*" in self.operations or operation.operation in self.operations)
            and ("*" in self.groups or resource.group in self.groups)
            and ("*" in self.versions or resource.version in self.versions)
            and any(_names(wanted, resource.plural, operation.subresource) for wanted in self.resources)
        )


def _names(wanted: str, plural: str, subresource: str) -> bool:
    resource, _, sub = wanted.partition("/")
    return resource in ("*", plural) and sub in ("*", subresource)


def read(rules: Iterable[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(map(_rule, rules))


def _rule(rule: Mapping[str, Any]) -> Rule:
    operations, groups, versions, resources, names = (
        tuple(rule.get(field) or ()) for field in ("operations", "apiGroups", "apiVersions", "resources", "resourceNames")
    )
    return Rule(operations, groups, versions, resources, rule.get("scope") or "*", names)


def is_configuration(operation: Operation) -> bool:
    """What says who is asked is never asked about: nobody shall lock themselves out."""
    return operation.resource.group == _GROUP and operation.resource.plural in _CONFIGURATION


def equivalents(server: Server, operation: Operation) -> Iterator[ResourceType]:
    """The other versions and groups that the resource (and subresource) is served in, in the order of discovery."""
    resource = operation.resource
    stored = storage_group(resource)
    for other in server.table:
        if other.plural != resource.plural or storage_group(other) != stored:
            continue
        if (other.group, other.version) == (resource.group, resource.version):
            continue
        if not operation.subresource or other.subresource(operation.subresource) is not None:
            yield other


def match(server: Server, rules: Iterable[Rule], policy: str, operation: Operation) -> ResourceType | None:
    """As which resource the rules know what is asked; None where they do not. `policy` is Exact or Equivalent."""
    rules = tuple(rules)
    if any(rule.matches(operation, operation.resource) for rule in rules):
        return operation.resource
    if policy != "Equivalent":
        return None
    others = list(equivalents(server, operation))
    return next((other for rule in rules for other in others if rule.matches(operation, other)), None)


def may_match(server: Server, rules: Iterable[Rule], policy: str, operation: Operation) -> bool:
    """Whether `match` could find something for some object."""
    rules = tuple(rules)
    if any(rule.may_match(operation, operation.resource) for rule in rules):
        return True
    return policy == "Equivalent" and any(rule.may_match(operation, other) for other in equivalents(server, operation) for rule in rules)
