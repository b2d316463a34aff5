"""Nobody gives what they do not have: who writes a role must hold what is in it, or be allowed to `escalate`; who binds one must hold
what is in that, or be allowed to `bind` it (upstream's policybased storage)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.go_text import quote
from kctl.apimachinery.objects import Object
from kctl.apimachinery.rbac import covering
from kctl.apimachinery.rbac.display import compact, merged, quoted
from kctl.apimachinery.rbac.matching import Rule
from kctl.apimachinery.rbac.names import GROUP
from kctl.apimachinery.status import ApiError, NotFound, forbidden, not_found
from kctl.apimachinery.user import SYSTEM_MASTERS
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.registry.strategy import Context

_COLLECTED = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")
"""What the garbage collector changes, whoever's the rules are."""
_EVERYTHING: list[Rule] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]


def check_role(context: Context, obj: Object, old: Object | None) -> None:
    """Raises Forbidden."""
    authorization = _asked(context, obj, old)
    if authorization is None:
        return
    resource = context.resource
    # a request that creates names nothing yet
    name = obj["metadata"].get("name", "") if old is not None else ""
    if authorization.allows(Attributes(context.user, "escalate", GROUP, "*", resource.plural, "", context.namespace, name)):
        return
    _confirm(context, authorization, obj, obj.get("rules") or ())
    if obj.get("aggregationRule") and covering.missing(_held(context, authorization), _EVERYTHING):
        raise _refused(context, obj, "must have cluster-admin privileges to use an aggregationRule")


def check_binding(context: Context, obj: Object, old: Object | None) -> None:
    """Raises Forbidden; NotFound where there is no such role."""
    authorization = _asked(context, obj, old)
    if authorization is None:
        return
    role = obj.get("roleRef") or {}
    plural = {"ClusterRole": "clusterroles", "Role": "roles"}.get(role.get("kind") or "")
    name = role.get("name") or ""
    if plural and authorization.allows(
        Attributes(context.user, "bind", role.get("apiGroup") or "", "*", plural, "", context.namespace, name)
    ):
        return
    try:
        rules = authorization.rbac.role_rules(role, context.namespace)
    except NotFound:
        raise not_found(GROUP, context.resource.plural, name) from None
    except ValueError as error:
        raise ApiError(str(error), code=500) from None
    _confirm(context, authorization, obj, rules)


def _asked(context: Context, obj: Object, old: Object | None) -> Authorization | None:
    """The authorization to ask; None where there is nothing to ask."""
    if context.authorization is None or SYSTEM_MASTERS in context.user.groups:
        return None
    if old is not None and _without(obj) == _without(old):
        return None
    return context.authorization


def _without(obj: Object) -> Object:
    return {**obj, "metadata": {part: value for part, value in obj["metadata"].items() if part not in _COLLECTED}}


def _held(context: Context, authorization: Authorization) -> list[Rule]:
    known = authorization.rbac.rules_for(context.user, context.namespace)
    return known.resource_rules + known.url_rules


def _confirm(context: Context, authorization: Authorization, obj: Object, rules: Any) -> None:
    known = authorization.rbac.rules_for(context.user, context.namespace)
    try:
        missing = covering.missing(known.resource_rules + known.url_rules, rules)
    except covering.TooManyParts:
        raise _refused(context, obj, "its rules are too many to be compared with the permissions of its author") from None
    if not missing:
        return
    user = context.user
    shown = "\n".join(sorted({compact(rule) for rule in merged(missing)}))
    why = f"user {quote(user.name)} (groups={quoted(user.groups)}) is attempting to grant RBAC permissions not currently held:\n{shown}"
    if known.error:
        why += f"; resolution errors: [{known.error}]"
    raise _refused(context, obj, why)


def _refused(context: Context, obj: Object, why: str) -> ApiError:
    return forbidden(GROUP, context.resource.plural, obj["metadata"].get("name", ""), why)
