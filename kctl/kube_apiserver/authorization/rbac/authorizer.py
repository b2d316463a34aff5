"""The RBAC authorizer: what the roles bound to a user, or to a group of theirs, allow.

It follows the watch caches: a change of a role or binding is in force as soon as it is committed. What a user may do is put together
once and kept until the next change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac import matching
from kctl.apimachinery.rbac.matching import Matcher, Rule
from kctl.apimachinery.rbac.names import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.user import User
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorizer import NO_OPINION, Decision, KnownRules, Verdict
from kctl.kube_apiserver.authorization.rbac.bindings import BindingIndex, describe
from kctl.kube_apiserver.storage import Storage
from kctl.kube_apiserver.watch_cache import Change

MOST_USERS = 10_000
"""Users in namespaces whose grants are kept."""


class Grant(NamedTuple):
    """The rules of one binding; `error` instead where its role is not there."""

    binding: Object
    rules: tuple[Matcher, ...]
    error: str = ""


class RbacAuthorizer:
    """Of a cluster that holds no ClusterRole yet, the default roles are in force until they are stored (`policy` makes them known)."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._cluster_bindings = BindingIndex()
        self._bindings = BindingIndex()
        self._grants: dict[tuple[str, tuple[str, ...], str], list[Grant]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._unstored: set[tuple[str, str]] = set()
        """Default roles, by namespace and name, that are in force and not yet stored."""

    def start(self, *, with_defaults: bool) -> None:
        """Once the caches are filled."""
        storage = self._storage
        if with_defaults and not storage.cache_of(CLUSTER_ROLES).entries:
            self._assume_defaults()
        for resource, index in ((CLUSTER_ROLE_BINDINGS, self._cluster_bindings), (ROLE_BINDINGS, self._bindings)):
            index.load(storage.list_cached(resource, ""))
            storage.cache_of(resource).follow(self._follower(index))
        for resource in (CLUSTER_ROLES, ROLES):
            storage.cache_of(resource).follow(self._roles_changed)

    def _assume_defaults(self) -> None:
        from kctl.kube_apiserver.authorization.rbac.default_policy import default_bindings, default_roles

        self._unstored = set(default_roles())
        self._cluster_bindings = default_bindings(namespaced=False).copy()
        self._bindings = default_bindings(namespaced=True).copy()

    def _follower(self, index: BindingIndex) -> Callable[[Sequence[Change]], None]:
        def follow(changes: Sequence[Change]) -> None:
            index.apply(changes)
            self._changed()

        return follow

    def _roles_changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            namespace, _, name = change.key.rpartition("/")
            self._unstored.discard((namespace, name))
        self._changed()

    def _changed(self) -> None:
        self._grants.clear()
        for callback in self._callbacks:
            callback()

    def on_change(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    # ---- who holds what

    def role_rules(self, role: dict[str, str], namespace: str) -> Sequence[Rule]:
        """Of the role that a binding in `namespace` refers to. Raises NotFound, or ValueError for what is no role."""
        resource, space, name = _role(role, namespace)
        stored = self._storage.get_cached(resource, space, name)
        if stored is not None:
            return stored.get("rules") or ()
        if (space, name) in self._unstored:
            from kctl.kube_apiserver.authorization.rbac.default_policy import rules_of

            return rules_of(space, name)
        raise NotFound(f"{resource.singular}.rbac.authorization.k8s.io {quote(name)} not found")

    def grants(self, user: User, namespace: str) -> list[Grant]:
        """Those of the namespace, or with '' of the whole cluster."""
        key = (user.name, user.groups, namespace)
        known = self._grants.get(key)
        if known is None:
            if len(self._grants) >= MOST_USERS:
                self._grants.clear()
            index = self._bindings if namespace else self._cluster_bindings
            known = self._grants[key] = [self._grant(binding, namespace) for binding in index.of(user, namespace)]
        return known

    def _grant(self, binding: Object, namespace: str) -> Grant:
        role = binding["roleRef"]
        try:
            if self._unstored and (namespace if role["kind"] == "Role" else "", role["name"]) in self._unstored:
                from kctl.kube_apiserver.authorization.rbac.default_policy import matchers_of

                return Grant(binding, matchers_of(namespace if role["kind"] == "Role" else "", role["name"]))
            return Grant(binding, matching.matchers(self.role_rules(role, namespace)))
        except (NotFound, ValueError) as error:
            return Grant(binding, (), str(error))

    def _all_grants(self, user: User, namespace: str) -> list[Grant]:
        """Of the whole cluster, then of the namespace."""
        everywhere = self.grants(user, "")
        return everywhere + self.grants(user, namespace) if namespace else everywhere

    # ---- decisions

    def authorize(self, attributes: Attributes) -> Verdict:
        asked = attributes
        grants = self._all_grants(asked.user, asked.namespace)
        for grant in grants:
            if _allow(grant.rules, asked):
                return Verdict(Decision.ALLOW, f"RBAC: allowed by {describe(grant.binding, asked.user)}")
        errors = _errors(grants)
        return Verdict(Decision.NO_OPINION, f"RBAC: {errors}") if errors else NO_OPINION

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        for grant in self._all_grants(user, namespace):  # noqa: SIM110 - at every start, a generator costs as much as the rest
            if matching.any_object(grant.rules, verb, group, resource, subresource):
                return True
        return False

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        resource_rules: list[Rule] = []
        url_rules: list[Rule] = []
        grants = self._all_grants(user, namespace)
        for rule in (rule for grant in grants for rule in grant.rules):
            if rule.resources:
                shown = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
                resource_rules.append({**shown, "resourceNames": list(rule.names)} if rule.names else shown)
            if rule.urls:
                url_rules.append({"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)})
        return KnownRules(resource_rules, url_rules, False, _errors(grants))


def _errors(grants: Sequence[Grant]) -> str:
    errors = [grant.error for grant in grants if grant.error]
    if not errors:
        return ""
    from kctl.apimachinery.rbac.display import aggregate

    return aggregate(errors)


def _role(role: dict[str, str], namespace: str) -> tuple[ResourceType, str, str]:
    kind, name = role.get("kind"), role.get("name") or ""
    if kind == "ClusterRole":
        return CLUSTER_ROLES, "", name
    if kind == "Role":
        return ROLES, namespace, name
    raise ValueError(f"unsupported role reference kind: {quote(kind or '')}")


def _allow(rules: Sequence[Matcher], asked: Attributes) -> bool:
    if asked.path:
        return matching.one_path(rules, asked.verb, asked.path)
    return matching.one_object(rules, asked.verb, asked.group, asked.resource, asked.subresource, asked.name)
