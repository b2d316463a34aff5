"""Whether a request fits the quotas of its namespace, and what they count with it: the arithmetic of resource_quota.py, pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from kctl.apimachinery import objects, quantity, quota_usage
from kctl.apimachinery.objects import Object
from kctl.apimachinery.quota_usage import Usage
from kctl.apimachinery.status import Forbidden, forbidden
from kctl.kube_apiserver.admission.plugin import Operation

_NEVER_COUNTED = frozenset({"events", "bindings", "componentstatuses"})
_MUST_BE_SAID = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
"""A quota of these wants every container to say what it asks for."""


def resource_name(operation: Operation) -> str:
    """plural.group"""
    resource = operation.resource
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def handles(operation: Operation, obj: Object, old: Object | None) -> bool:
    """Whether the operation can make an object count for more."""
    resource = operation.resource
    if resource.plural in _NEVER_COUNTED and resource.group in ("", "events.k8s.io"):
        return False
    if resource.plural == "namespaces" and not resource.group:
        return False
    if operation.subresource:
        return operation.subresource == "resize" and resource.plural == "pods"
    if operation.operation == "CREATE":
        return True
    name = resource_name(operation)
    if name == "pods" and old is not None:
        return _has_deadline(obj) != _has_deadline(old)
    return name in quota_usage.UPDATED


def _has_deadline(pod: Object) -> bool:
    return objects.spec(pod).get("activeDeadlineSeconds") is not None


def check(
    operation: Operation, obj: Object, old: Object | None, now: datetime, quotas: Sequence[Object], used: Mapping[str, Usage]
) -> dict[str, Usage]:
    """What each quota whose usage changes counts with `obj`, by its name. `used` is what each counts without. Raises Forbidden."""
    resource = resource_name(operation)
    concerned = [quota for quota in quotas if _matching(quota, resource) and quota_usage.in_scope(quota, resource, obj)]
    for quota in concerned:
        _check_constraints(operation, obj, quota, resource, used[objects.name(quota)])
    if not concerned:
        return {}
    usage = quota_usage.usage(resource, obj, now)
    negative = sorted(name for name, amount in usage.items() if quantity.parse(amount) < 0)
    if negative:
        raise _refuse(operation, f"quota usage is negative for resource(s): {','.join(negative)}")
    more = _more(usage, quota_usage.usage(resource, old, now)) if old is not None else usage
    changed: dict[str, Usage] = {}
    for quota in concerned:
        counted = more if old is not None and quota_usage.in_scope(quota, resource, old) else usage
        after = _charge(operation, quota, counted, used[objects.name(quota)])
        if after is not None:
            changed[objects.name(quota)] = after
    return changed


def _matching(quota: Object, resource: str) -> list[str]:
    """The names of a quota that count objects of this resource."""
    return [name for name in objects.status(quota).get("hard") or () if quota_usage.resource_of(name) == resource]


def _check_constraints(operation: Operation, obj: Object, quota: Object, resource: str, used: Usage) -> None:
    names = _matching(quota, resource)
    if resource == "pods":
        missing = _unsaid(obj, names)
        if missing:
            raise _refuse(operation, f"failed quota: {objects.name(quota)}: must specify {missing}")
    if any(name not in used for name in names):
        raise _refuse(operation, f"status unknown for quota: {objects.name(quota)}, resources: {','.join(sorted(names))}")


def _unsaid(pod: Object, names: Iterable[str]) -> str:
    """`limits.cpu for: a,b; memory for: a`"""
    wanted = sorted(_MUST_BE_SAID.intersection(names))
    spec = objects.spec(pod)
    own = spec.get("resources") or {}
    if not wanted or own.get("requests") or own.get("limits"):
        return ""
    silent: dict[str, set[str]] = {}
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources") or {}
        said = quota_usage.compute(resources.get("requests") or {}, resources.get("limits") or {})
        for name in wanted:
            if name not in said:
                silent.setdefault(name, set()).add(str(container.get("name", "")))
    return "; ".join(f"{name} for: {','.join(sorted(silent[name]))}" for name in sorted(silent))


def _more(usage: Usage, before: Usage) -> Usage:
    """What an update adds, never less than nothing."""
    added: Usage = {}
    for name, amount in usage.items():
        exact = quantity.parse(amount) - quantity.parse(before.get(name, "0"))
        added[name] = quantity.subtract(amount, before.get(name, "0")) if exact > 0 else "0"
    return added


def _charge(operation: Operation, quota: Object, usage: Usage, used: Usage) -> Usage | None:
    """None where it counts for nothing in this quota."""
    hard = objects.status(quota).get("hard") or {}
    requested = {name: amount for name, amount in usage.items() if name in hard and quantity.parse(amount)}
    if not requested:
        return None
    after = quota_usage.added(used, requested)
    exceeded = sorted(name for name in requested if quota_usage.is_over(name, after[name], hard))
    if exceeded:
        lists = (_printed(amounts, exceeded) for amounts in (requested, used, hard))
        why = "exceeded quota: {}, requested: {}, used: {}, limited: {}".format(objects.name(quota), *lists)
        raise _refuse(operation, why)
    return after


def _printed(amounts: Mapping[str, str], names: Sequence[str]) -> str:
    return ",".join(f"{name}={quantity.canonical(amounts[name])}" for name in names if name in amounts)


def _refuse(operation: Operation, why: str) -> Forbidden:
    resource = operation.resource
    return forbidden(resource.group, resource.plural, operation.name, why)
