"""The interface of an authorizer, and the union of several: the first that has an opinion decides."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from kctl.apimachinery.rbac.matching import Rule
from kctl.apimachinery.user import SYSTEM_MASTERS, User
from kctl.kube_apiserver.authorization.attributes import Attributes


class Decision(enum.Enum):
    ALLOW = "allow"
    DENY = "deny"
    NO_OPINION = "no opinion"


class Verdict(NamedTuple):
    """`reason` is shown to who asks: in the message of a 403, in a SubjectAccessReview, in the audit log."""

    decision: Decision
    reason: str = ""

    @property
    def allowed(self) -> bool:
        return self.decision is Decision.ALLOW


NO_OPINION = Verdict(Decision.NO_OPINION)
ALLOWED = Verdict(Decision.ALLOW)


class KnownRules(NamedTuple):
    """What somebody may do in a namespace, as far as it can be listed: `incomplete` where it cannot, `error` says why."""

    resource_rules: list[Rule]
    url_rules: list[Rule]
    incomplete: bool = False
    error: str = ""


class Authorizer(Protocol):
    """Everything is answered from memory, at once."""

    def authorize(self, attributes: Attributes) -> Verdict: ...

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        """True where it allows this whatever the object's name and the selectors are, until `on_change` is called."""
        ...

    def rules_for(self, user: User, namespace: str) -> KnownRules: ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call it whenever what `permits` said may no longer be so."""
        ...


class Always:
    """AlwaysAllow and AlwaysDeny."""

    def __init__(self, allows: bool) -> None:
        self._allows = allows

    def authorize(self, attributes: Attributes) -> Verdict:
        return ALLOWED if self._allows else Verdict(Decision.NO_OPINION, "Everything is forbidden.")

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        return self._allows

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        return _EVERYTHING if self._allows else KnownRules([], [])

    def on_change(self, callback: Callable[[], None]) -> None:
        return


_EVERYTHING = KnownRules([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], [{"verbs": ["*"], "nonResourceURLs": ["*"]}])


class PrivilegedGroup:
    """Whoever is in system:masters may do everything, whatever the mode."""

    def authorize(self, attributes: Attributes) -> Verdict:
        return ALLOWED if SYSTEM_MASTERS in attributes.user.groups else NO_OPINION

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        return SYSTEM_MASTERS in user.groups

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        return KnownRules([], [])

    def on_change(self, callback: Callable[[], None]) -> None:
        return


class Union:
    """Reasons of those without an opinion are joined by newlines, as upstream does."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    def authorize(self, attributes: Attributes) -> Verdict:
        reasons: list[str] = []
        for authorizer in self._authorizers:
            verdict = authorizer.authorize(attributes)
            if verdict.decision is not Decision.NO_OPINION:
                return verdict
            if verdict.reason:
                reasons.append(verdict.reason)
        return Verdict(Decision.NO_OPINION, "\n".join(reasons)) if reasons else NO_OPINION

    def permits(self, user: User, verb: str, group: str, resource: str, subresource: str, namespace: str) -> bool:
        for authorizer in self._authorizers:  # noqa: SIM110 - a generator costs as much as the rest
            if authorizer.permits(user, verb, group, resource, subresource, namespace):
                return True
        return False

    def rules_for(self, user: User, namespace: str) -> KnownRules:
        every = [authorizer.rules_for(user, namespace) for authorizer in self._authorizers]
        errors = [rules.error for rules in every if rules.error]
        return KnownRules(
            [rule for rules in every for rule in rules.resource_rules],
            [rule for rules in every for rule in rules.url_rules],
            any(rules.incomplete for rules in every),
            errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]" if errors else "",
        )

    def on_change(self, callback: Callable[[], None]) -> None:
        for authorizer in self._authorizers:
            authorizer.on_change(callback)
