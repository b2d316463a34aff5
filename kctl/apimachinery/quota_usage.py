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
_CLASS_NAMES = (f"{_CLASS_SUFFIX}persistentvolumeclaims", f"{_CLASS_SUFFIX}requests.storage")
_DEVICES = ".deviceclass.resource.k8s.io/devices"
_MOST_DEVICES = 32
"""Of one request for all devices: as many as an allocation can have (resource.AllocationResultsMaxSize)."""
_COUNT = "count/"
_OF_PODS = frozenset({*_PLAIN, *(f"requests.{name}" for name in _PLAIN), *(f"limits.{name}" for name in _PLAIN)})
UPDATED = frozenset({"services", "persistentvolumeclaims", "resourceclaims.resource.k8s.io"})
"""The resources whose objects may come to count for more by an update; of pods only a resize and a changed deadline do."""
_PRIORITY_CLASS = "PriorityClass"


def resource_of(name: str) -> str:
    """The resource (plural.group) whose objects a name of spec.hard counts: `requests.cpu` counts pods. '' for nothing known."""
    if name.startswith(_COUNT):
        return name.removeprefix(_COUNT)
    if name in _COUNTED_BY_NAME:
        return name
    if name.startswith("services."):
        return "services"
    if name == "requests.storage" or name.endswith(_CLASS_NAMES):
        return "persistentvolumeclaims"
    if name.endswith(_DEVICES):
        return "resourceclaims.resource.k8s.io"
    if name in _OF_PODS or name.startswith(("hugepages-", "requests.hugepages-")) or _is_extended(name):
        return "pods"
    return ""


def _is_extended(name: str) -> bool:
    """`requests.` of what no machine has by nature: a name with a domain other than Kubernetes' own."""
    domain, slash, _ = name.removeprefix("requests.").partition("/")
    return bool(slash) and name.startswith("requests.") and "kubernetes.io" not in domain


# ---- one object


def usage(resource: str, obj: Object, now: datetime) -> Usage:
    """Of an object of `resource` (plural.group), by every name it can be counted under."""
    counted: Usage = {f"{_COUNT}{resource}": "1"}
    if resource == "pods":
        return {**counted, **_pod(obj)} if _counts(obj, now) else counted
    if resource in _COUNTED_BY_NAME:
        counted[resource] = "1"
    if resource == "services":
        counted |= _service(objects.spec(obj))
    elif resource == "persistentvolumeclaims":
        counted |= _claim(obj)
    elif resource == "resourceclaims.resource.k8s.io":
        counted |= _devices(obj)
    return counted


def _counts(pod: Object, now: datetime) -> bool:
    """Ended pods use nothing, nor do those that should be gone by now."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    meta = pod["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("deletionGracePeriodSeconds") is None:
        return True
    return now <= times.parse(meta["deletionTimestamp"]) + timedelta(seconds=int(meta["deletionGracePeriodSeconds"]))


def _pod(pod: Object) -> Usage:
    spec, statuses = objects.spec(pod), _statuses(pod)
    return {"pods": "1", **compute(totals(spec, "requests", statuses), totals(spec, "limits", statuses))}


def _statuses(pod: Object) -> dict[str, Object]:
    """By the name of the container: what it has at present counts too while a resize has not come through."""
    status = pod.get("status") or {}
    lists = (status.get(field) or () for field in ("containerStatuses", "initContainerStatuses"))
    return {each["name"]: each for statuses in lists for each in statuses if each.get("resources") is not None}


def compute(requests: Mapping[str, Any], limits: Mapping[str, Any]) -> Usage:
    """What requests and limits count for, by every name they can be counted under."""
    amounts: Usage = {}
    for name, amount in requests.items():
        if name in _PLAIN or name.startswith("hugepages-"):
            amounts[name] = str(amount)
            amounts[f"requests.{name}"] = str(amount)
        elif _is_extended(f"requests.{name}"):
            amounts[f"requests.{name}"] = str(amount)
    return amounts | {f"limits.{name}": str(limits[name]) for name in _PLAIN if name in limits}


def totals(spec: Object, field: str, statuses: Mapping[str, Object] | None = None) -> Usage:
    """Requests or limits of a whole pod: its containers and sidecars together or the greediest init container, whichever is more;
    what the pod itself says wins; plus overhead. `statuses` of containers that may have more than they ask for by now."""
    total: Usage = {}
    present = statuses or {}
    for container in spec.get("containers") or ():
        total = added(total, _present(container, field, present))
    beside: Usage = {}
    peak: Usage = {}
    for container in spec.get("initContainers") or ():
        own = _present(container, field, present)
        if container.get("restartPolicy") == "Always":
            total, beside = added(total, own), added(beside, own)
            peak = _larger(peak, beside)
        else:
            peak = _larger(peak, added(beside, own))
    total = {**_larger(total, peak), **_of(spec, field)}
    overhead = spec.get("overhead") or {}
    return added(total, {name: str(value) for name, value in overhead.items() if field == "requests" or name in total})


def _present(container: Object, field: str, statuses: Mapping[str, Object]) -> Usage:
    asked = _of(container, field)
    status = statuses.get(container.get("name", ""))
    if status is None:
        return asked
    allocated = status.get("allocatedResources") or {} if field == "requests" else {}
    return _larger(_larger(asked, _of(status, field)), {name: str(amount) for name, amount in allocated.items()})


def _of(holder: Object, field: str) -> Usage:
    return {name: str(value) for name, value in ((holder.get("resources") or {}).get(field) or {}).items()}


def _service(spec: Object) -> Usage:
    ports = spec.get("ports") or ()
    if spec.get("type") == "NodePort":
        return {"services.nodeports": str(len(ports))}
    if spec.get("type") == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
        return {"services.loadbalancers": "1", "services.nodeports": str(len(ports))}
    return {}


def _claim(claim: Object) -> Usage:
    """Storage counts in whole bytes: what is asked for, or what is allocated where an expansion gave more."""
    amounts = [
        holder["storage"]
        for holder in (_of(objects.spec(claim), "requests"), (claim.get("status") or {}).get("allocatedResources") or {})
        if "storage" in holder
    ]
    requested = ""
    if "storage" in _of(objects.spec(claim), "requests"):
        requested = _whole(max(amounts, key=quantity.parse))
    kind = objects.annotations(claim).get("volume.beta.kubernetes.io/storage-class") or objects.spec(claim).get("storageClassName")
    counted: Usage = {"requests.storage": requested} if requested else {}
    if kind:
        counted[f"{kind}{_CLASS_SUFFIX}persistentvolumeclaims"] = "1"
        if requested:
            counted[f"{kind}{_CLASS_SUFFIX}requests.storage"] = requested
    return counted


def _whole(amount: Any) -> str:
    exact = quantity.parse(amount)
    return quantity.canonical(amount) if exact.denominator == 1 else quantity.format_quantity(-(-exact.numerator // exact.denominator))


def _devices(claim: Object) -> Usage:
    """The most devices of each class that the claim may get; of alternatives the greediest counts."""
    total: dict[str, int] = {}
    for request in (objects.spec(claim).get("devices") or {}).get("requests") or ():
        most: dict[str, int] = {}
        for asked in request.get("firstAvailable") or [request.get("exactly") or request]:
            name = f"{asked.get('deviceClassName', '')}{_DEVICES}"
            mode = asked.get("allocationMode") or "ExactCount"
            number = int(asked.get("count") or 1) if mode == "ExactCount" else _MOST_DEVICES if mode == "All" else 0
            most[name] = max(most.get(name, 0), number)
        for name, number in most.items():
            total[name] = total.get(name, 0) + number
    return {name: str(number) for name, number in total.items()}


# ---- sums


def added(usage: Usage, other: Mapping[str, str]) -> Usage:
    return {**usage, **{name: quantity.add(usage.get(name, "0"), amount) for name, amount in other.items()}}


def _larger(usage: Usage, other: Mapping[str, str]) -> Usage:
    more = {name: amount for name, amount in other.items() if quantity.parse(amount) > quantity.parse(usage.get(name, "0"))}
    return {**usage, **more}


def used(hard: Mapping[str, Any], usages: Iterable[Usage]) -> Usage:
    """Sums for the names of `hard`."""
    totals: Usage = dict.fromkeys(hard, "0")
    for each in usages:
        for name, amount in each.items():
            if name in totals:
                totals[name] = quantity.add(totals[name], amount)
    return totals


def is_over(name: str, amount: str, hard: Mapping[str, Any]) -> bool:
    return quantity.parse(amount) > quantity.parse(hard[name])


# ---- scopes


def is_best_effort(pod: Object) -> bool:
    """Whether its quality of service is BestEffort: no cpu and no memory is asked for, by the pod or by any container."""
    known = (pod.get("status") or {}).get("qosClass")
    if known:
        return bool(known == "BestEffort")
    spec = objects.spec(pod)
    every = [spec] if spec.get("resources") else [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    amounts: list[Fraction] = [
        quantity.parse(amount)
        for holder in every
        for field in ("requests", "limits")
        for name, amount in _of(holder, field).items()
        if name in ("cpu", "memory")
    ]
    return not any(amounts)


def _has_deadline(pod: Object) -> bool:
    return objects.spec(pod).get("activeDeadlineSeconds") is not None


def _crosses_namespaces(pod: Object) -> bool:
    affinity = objects.spec(pod).get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = list((affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        preferred = (affinity.get(kind) or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [weighted.get("podAffinityTerm") or {} for weighted in preferred]
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
        return any(_value_matches(selector, value) for value in _attributes_classes(obj) or [""])
    scope = _SCOPES.get(name)
    return scope is not None and resource == "pods" and scope(obj)


def _attributes_classes(claim: Object) -> list[str]:
    """The one wanted, the one in force, and the one being changed to."""
    status = claim.get("status") or {}
    named = (
        objects.spec(claim).get("volumeAttributesClassName"),
        status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return list(dict.fromkeys(name for name in named if name))


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
