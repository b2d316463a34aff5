"""Which bindings concern whom: an index by subject that follows the watch caches, so that a decision never looks at all bindings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import User
from kctl.kube_apiserver.watch_cache import Change

_NONE: frozenset[str] = frozenset()
_Subject = tuple[str, str]
"""(kind, name); a service account is the user it authenticates as."""


def subject_of(subject: dict[str, Any], namespace: str) -> _Subject | None:
    """`namespace` is the binding's, for accounts that name none. None for a subject that is nobody."""
    kind, name = subject.get("kind"), subject.get("name") or ""
    if kind == "ServiceAccount":
        space = subject.get("namespace") or namespace
        return ("User", f"system:serviceaccount:{space}:{name}") if space else None
    return (kind, name) if kind in ("User", "Group") else None


class BindingIndex:
    """The RoleBindings of all namespaces, or (with the namespace '') the ClusterRoleBindings."""

    def __init__(self) -> None:
        self._bindings: dict[str, Object] = {}
        """By key: namespace/name, or name."""
        self._by_subject: dict[tuple[str, _Subject], frozenset[str]] = {}
        """By namespace and subject: keys of bindings."""

    def copy(self) -> BindingIndex:
        other = BindingIndex()
        other._bindings, other._by_subject = self._bindings.copy(), self._by_subject.copy()
        return other

    def load(self, bindings: Iterable[Object]) -> None:
        for binding in bindings:
            self._put(_key(binding), binding)

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._drop(change.key)
            if change.type != "DELETED":
                self._put(change.key, change.entry.object)

    def _put(self, key: str, binding: Object) -> None:
        self._bindings[key] = binding
        by_subject, alone = self._by_subject, frozenset((key,))
        for place in self._places(binding):
            others = by_subject.get(place)
            by_subject[place] = alone if others is None else others | alone

    def _drop(self, key: str) -> None:
        binding = self._bindings.pop(key, None)
        if binding is None:
            return
        by_subject, alone = self._by_subject, frozenset((key,))
        for place in self._places(binding):
            keys = by_subject.pop(place, alone)
            if len(keys) > 1:
                by_subject[place] = keys - alone

    def _places(self, binding: Object) -> set[tuple[str, _Subject]]:
        namespace = binding["metadata"].get("namespace") or ""
        subjects = (subject_of(subject, namespace) for subject in binding.get("subjects") or ())
        return {(namespace, subject) for subject in subjects if subject is not None}

    def of(self, user: User, namespace: str) -> list[Object]:
        """In the order of their names."""
        by_subject = self._by_subject
        keys = by_subject.get((namespace, ("User", user.name)), _NONE)
        for group in user.groups:
            keys |= by_subject.get((namespace, ("Group", group)), _NONE)
        return [self._bindings[key] for key in sorted(keys)]


def _key(binding: Object) -> str:
    meta = binding["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def describe(binding: Object, user: User) -> str:
    """How messages name the binding by which `user` may do something: RoleBinding "b/ns" of Role "reader" to User "jane"."""
    meta, role = binding["metadata"], binding["roleRef"]
    namespace = meta.get("namespace") or ""
    shown = quote(f"{meta['name']}/{namespace}" if namespace else meta["name"])
    to = next(subject for subject in binding.get("subjects") or () if _is(subject_of(subject, namespace), user))
    who = to.get("name") or ""
    if to["kind"] == "ServiceAccount":
        who = f"{who}/{to.get('namespace') or namespace}"
    return f"{binding['kind']} {shown} of {role.get('kind')} {quote(role.get('name') or '')} to {to['kind']} {quote(who)}"


def _is(subject: _Subject | None, user: User) -> bool:
    if subject is None:
        return False
    kind, name = subject
    return name == user.name if kind == "User" else name in user.groups
