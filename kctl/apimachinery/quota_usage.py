"""What an object counts for in a ResourceQuota, and which quotas it counts in (the evaluators of pkg/quota/v1).

Pure: used by the controller that adds usage up, and by whoever limits it. Amounts are quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from kctl.apimachinery import objects, quantity, times
from kctl.apimachinery.objects import Object

Usage = dict[str, str]
"""Resource names as in spec.hard to quantities."""

_COUNTED_BY_NAME = ("configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services")
_PLAIN = ("cpu", "memory", "ephemeral-storage")
_CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
_COUNT = "count/"
_PRIORITY_CLASS = "PriorityClass"


def resource_of(name: str) -> str:
    """The resource (plural.group) whose objects a name of spec.hard counts: `requests.cpu` counts pods. '' for nothing known."""
    if name.startswith(_COUNT):
        return name.removeprefix(_COUNT)
    if name in _COUNTED_BY_NAME:
        return name
    if name.startswith("services."):
        return "services"
    if name == "requests.storage" or _CLASS_SUFFIX in name:
        return "persistentvolumeclaims"
    if name in _PLAIN or name.startswith(("requests.", "limits.", "hugepages-")):
        return "pods"
    return ""


# ---- one object


def usage(resource: str, obj: Object, now: datetime) -> Usage:
    """Of an object of `resource` (plural.group), by every name it can be counted under."""
    found: Usage = {f"{_COUNT}{resource}": "1"}
    if resource == "pods":
        return {**found, **_pod(obj)} if _counts(obj, now) else found
    if resource in _COUNTED_BY_NAME:
        found[resource] = "1"
    if resource == "services":
        found |= _service(objects.spec(obj))
    elif resource == "persistentvolumeclaims":
        found |= _claim(obj)
    return found


def _counts(pod: Object, now: datetime) -> bool:
    """Ended pods use nothing, nor do those that should be gone by now."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    meta = pod["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("deletionGracePeriodSeconds") is None:
        return True
    return now <= times.parse(meta["deletionTimestamp"]) + timedelta(seconds=int(meta["deletionGracePeriodSeconds"]))


def _pod(pod: Object) -> Usage:
    found: Usage = {"pods": "1"}
    for name, amount in totals(objects.spec(pod), "requests").items():
        if name in _PLAIN or name.startswith("hugepages-"):
            found[name] = amount
        found[f"requests.{name}"] = amount
    for name, amount in totals(objects.spec(pod), "limits").items():
        if name in _PLAIN:
            found[f"limits.{name}"] = amount
    return found


def totals(spec: Object, field: str) -> Usage:
    """Requests or limits of a whole pod: its containers and sidecars together or the greediest init container, whichever is more;
    what the pod itself says wins; plus overhead."""
    total: Usage = {}
    for container in spec.get("containers") or ():
        total = added(total, _of(container, field))
    beside: Usage = {}
    peak: Usage = {}
    for container in spec.get("initContainers") or ():
        own = _of(container, field)
        if container.get("restartPolicy") == "Always":
            total, beside = added(total, own), added(beside, own)
            peak = _larger(peak, beside)
        else:
            peak = _larger(peak, added(beside, own))
    total = {**_larger(total, peak), **_of(spec, field)}
    overhead = spec.get("overhead") or {}
    return added(total, {name: str(value) for name, value in overhead.items() if field == "requests" or name in total})


def _of(holder: Object, field: str) -> Usage:
    return {name: str(value) for name, value in ((holder.get("resources") or {}).get(field) or {}).items()}


def _service(spec: Object) -> Usage:
    ports = str(len(spec.get("ports") or ()))
    if spec.get("type") == "NodePort":
        return {"services.nodeports": ports}
    if spec.get("type") == "LoadBalancer":
        with_ports = spec.get("allocateLoadBalancerNodePorts", True)
        return {"services.loadbalancers": "1", "services.nodeports": ports if with_ports else "0"}
    return {}


def _claim(claim: Object) -> Usage:
    requested = _of(objects.spec(claim), "requests").get("storage")
    kind = objects.spec(claim).get("storageClassName") or objects.annotations(claim).get("volume.beta.kubernetes.io/storage-class")
    found: Usage = {"requests.storage": requested} if requested else {}
    if kind:
        found[f"{kind}{_CLASS_SUFFIX}persistentvolumeclaims"] = "1"
        if requested:
            found[f"{kind}{_CLASS_SUFFIX}requests.storage"] = requested
    return found


# ---- sums


def added(one: Usage, other: Mapping[str, str]) -> Usage:
    return {**one, **{name: quantity.add(one.get(name, "0"), amount) for name, amount in other.items()}}


def _larger(one: Usage, other: Mapping[str, str]) -> Usage:
    more = {name: amount for name, amount in other.items() if quantity.parse(amount) > quantity.parse(one.get(name, "0"))}
    return {**one, **more}


def used(hard: Mapping[str, Any], usages: Iterable[Usage]) -> Usage:
    """Sums for the names of `hard`."""
    found: Usage = dict.fromkeys(hard, "0")
    for each in usages:
        for name, amount in each.items():
            if name in found:
                found[name] = quantity.add(found[name], amount)
    return found


def is_over(name: str, amount: str, hard: Mapping[str, Any]) -> bool:
    return quantity.parse(amount) > quantity.parse(hard[name])


# ---- scopes


def is_best_effort(pod: Object) -> bool:
    spec = objects.spec(pod)
    every = [spec, *(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    amounts: list[Fraction] = [
        quantity.parse(amount) for holder in every for field in ("requests", "limits") for amount in _of(holder, field).values()
    ]
    return not any(amounts)


def _has_deadline(pod: Object) -> bool:
    return objects.spec(pod).get("activeDeadlineSeconds") is not None


def _crosses_namespaces(pod: Object) -> bool:
    affinity = objects.spec(pod).get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = list((affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = (affinity.get(kind) or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [entry.get("podAffinityTerm") or {} for entry in preferred]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False


_SCOPES: Mapping[str, Callable[[Object], bool]] = {
    "Terminating": _has_deadline,
    "NotTerminating": lambda pod: not _has_deadline(pod),
    "BestEffort": is_best_effort,
    "NotBestEffort": lambda pod: not is_best_effort(pod),
    "CrossNamespacePodAffinity": _crosses_namespaces,
}


def in_scope(quota: Object, resource: str, obj: Object) -> bool:
    """Whether the object is of the sort the quota is about. Quotas with scopes are about pods, and claims by their class."""
    spec = objects.spec(quota)
    selectors = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    selectors += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return all(_selected(selector, resource, obj) for selector in selectors)


def _selected(selector: Mapping[str, Any], resource: str, obj: Object) -> bool:
    name = selector["scopeName"]
    if name == _PRIORITY_CLASS and resource == "pods":
        return _value_matches(selector, objects.spec(obj).get("priorityClassName") or "")
    if name == "VolumeAttributesClass" and resource == "persistentvolumeclaims":
        return _value_matches(selector, objects.spec(obj).get("volumeAttributesClassName") or "")
    scope = _SCOPES.get(name)
    return scope is not None and resource == "pods" and scope(obj)


def _value_matches(selector: Mapping[str, Any], value: str) -> bool:
    values = selector.get("values") or ()
    match selector.get("operator"):
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "DoesNotExist":
            return not value
    return bool(value)
