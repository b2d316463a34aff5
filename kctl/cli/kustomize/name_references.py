"""After names have changed: who names an object by a name it once had gets its present one.

Of several objects that were called that, the one counts that is in the referrer's namespace, then the one that went through the same
prefixes and suffixes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kctl.cli.errors import CommandError
from kctl.cli.kustomize import field_specs
from kctl.cli.kustomize.default_specs import NameReferences
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.resource import Gvk, Resource, ResourceMap, same_ending

_Candidates = Sequence[Resource]


def update(resources: ResourceMap, references: Sequence[NameReferences]) -> None:
    """Raises CommandError where a name may mean several."""
    renamed = [one for one in resources.resources if one.previous]
    if not renamed:
        return
    by_name: dict[str, list[Resource]] = {}
    for one in renamed:
        for name in {name for _, name, _ in one.previous}:
            by_name.setdefault(name, []).append(one)
    for referrer in resources.resources:
        original = referrer.original_id.gvk
        for reference in references:
            for spec in reference.referrers:
                if original.is_selected(spec.gvk):
                    _Referrer(referrer, reference.target, spec, by_name).update()


class _Referrer:
    """One field of one object that may name another."""

    def __init__(self, referrer: Resource, target: Gvk, spec: FieldSpec, by_name: dict[str, list[Resource]]) -> None:
        self._referrer = referrer
        self._target = target
        self._spec = FieldSpec(spec.path, referrer.gvk, spec.create)
        self._by_name = by_name

    def update(self) -> None:
        try:
            field_specs.apply(self._referrer.object, self._spec, self._changed)
        except CommandError as error:
            raise CommandError(f"updating name reference in '{self._spec.path}' field of '{self._referrer.id}': {error.message}") from None

    def _changed(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._mapping(one) if isinstance(one, dict) else self._scalar(one) for one in value]
        return self._mapping(value) if isinstance(value, dict) else self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if value is None:
            return None
        found = self._referral(str(value), self._reachable(str(value)), lambda one: one.name)
        return found.name if found else value

    def _mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        """A `service` of a webhook, a subject: name and namespace together."""
        if "name" not in value:
            raise CommandError("path config error; no 'name' field in node")
        name = str(value["name"])
        candidates = self._reachable(name)
        if "namespace" in value:
            candidates = self._in_namespace(candidates, str(value["namespace"]))
        found = self._referral(name, candidates, lambda one: (one.name, one.namespace))
        if found is None or (found.name == name and not found.namespace):
            return value
        return {**value, "name": found.name} | ({"namespace": found.namespace} if found.namespace else {})

    @staticmethod
    def _in_namespace(candidates: _Candidates, namespace: str) -> _Candidates:
        """By the namespace they were written with, else by the present one."""
        original = [one for one in candidates if one.original_id.effective_namespace == namespace]
        return original or [one for one in candidates if one.id.effective_namespace == namespace]

    def _reachable(self, name: str) -> _Candidates:
        """Objects once called that which the referrer may name at all."""
        found = self._by_name.get(name, [])
        own = self._referrer.id
        if not found or own.gvk.is_cluster_scoped:
            return found
        accounts = _account_namespaces(self._referrer)
        return [
            one
            for one in found
            if one.id.gvk.is_cluster_scoped or one.id.effective_namespace == own.effective_namespace or one.namespace in accounts
        ]

    def _referral(self, name: str, candidates: _Candidates, same: Callable[[Resource], object]) -> Resource | None:
        candidates = [one for one in candidates if any(known.gvk.is_selected(self._target) for known in one.previous_ids)]
        if self._spec.path.endswith("roleRef/name"):
            candidates = self._of_role(candidates)
        candidates = [one for one in candidates if self._may_be_here(one)]
        for allow_empty in (True, False):
            if len(candidates) == 1:
                return candidates[0]
            candidates = [one for one in candidates if _affixes_equal(one, self._referrer, allow_empty)]
        if len({same(one) for one in candidates}) > 1:
            ids = ", ".join(str(one.id) for one in candidates)
            raise CommandError(f" found multiple possible referrals: {ids}")
        return candidates[0] if candidates else None

    def _of_role(self, candidates: _Candidates) -> _Candidates:
        role = self._referrer.object.get("roleRef")
        if not isinstance(role, dict) or "apiGroup" not in role or "kind" not in role:
            return candidates
        wanted = Gvk(str(role["apiGroup"] or ""), "", str(role["kind"] or ""))
        return [one for one in candidates if any(known.gvk.is_selected(wanted) for known in one.previous_ids)]

    def _may_be_here(self, one: Resource) -> bool:
        own = self._referrer.id
        if own.gvk.is_cluster_scoped or one.id.gvk.is_cluster_scoped or one.kind == "ServiceAccount":
            return True
        return one.id.effective_namespace == own.effective_namespace


def _account_namespaces(referrer: Resource) -> set[str]:
    """The namespaces of the ServiceAccounts that a RoleBinding names."""
    subjects = referrer.object.get("subjects") if referrer.kind == "RoleBinding" else None
    return {
        str(one["namespace"])
        for one in (subjects if isinstance(subjects, list) else ())
        if isinstance(one, dict) and one.get("kind") == "ServiceAccount" and "namespace" in one
    }


def _affixes_equal(left: Resource, right: Resource, allow_empty: bool) -> bool:
    for mine, theirs in ((left.prefixes, right.prefixes), (left.suffixes, right.suffixes)):
        if allow_empty and (not mine or not theirs):
            continue
        if not same_ending(mine, theirs):
            return False
    return True
