"""Whether the args of plugins make sense, in upstream's words (validation_pluginargs). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kctl.apimachinery import labels, names
from kctl.apimachinery.field_errors import FieldError, duplicate, forbidden, invalid, required, unsupported
from kctl.apimachinery.objects import Object

_STRATEGIES = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_MOST_SCORE = 10


def _default_preemption(path: str, args: Object) -> Iterator[FieldError]:
    share, count = args["minCandidateNodesPercentage"], args["minCandidateNodesAbsolute"]
    if not 0 <= share <= 100:
        yield invalid(f"{path}.minCandidateNodesPercentage", share, "not in valid range [0, 100]")
    if count < 0:
        yield invalid(f"{path}.minCandidateNodesAbsolute", count, "not in valid range [0, inf)")
    if not share and not count:
        yield invalid(f"{path}.minCandidateNodesPercentage", share, "cannot be zero at the same time as minCandidateNodesAbsolute")
        yield invalid(f"{path}.minCandidateNodesAbsolute", count, "cannot be zero at the same time as minCandidateNodesPercentage")


def _inter_pod_affinity(path: str, args: Object) -> Iterator[FieldError]:
    if not 0 <= args["hardPodAffinityWeight"] <= 100:
        yield invalid(f"{path}.hardPodAffinityWeight", args["hardPodAffinityWeight"], "not in valid range [0, 100]")


def _pod_topology_spread(path: str, args: Object) -> Iterator[FieldError]:
    kind, constraints = args["defaultingType"], args["defaultConstraints"]
    if kind not in ("System", "List"):
        yield unsupported(f"{path}.defaultingType", kind, ("System", "List"))
    elif kind == "System" and constraints:
        yield invalid(f"{path}.defaultingType", kind, "when .defaultConstraints are not empty")
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        here = f"{path}.defaultConstraints[{index}]"
        key, when = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if constraint.get("maxSkew", 0) <= 0:
            yield invalid(f"{here}.maxSkew", constraint.get("maxSkew", 0), "not in valid range (0, inf)")
        if not key:
            yield required(f"{here}.topologyKey", "can not be empty")
        yield from (invalid(f"{here}.topologyKey", key, problem) for problem in (labels.validate_key(key) if key else ()))
        if not when:
            yield required(f"{here}.whenUnsatisfiable", "can not be empty")
        elif when not in ("DoNotSchedule", "ScheduleAnyway"):
            yield unsupported(f"{here}.whenUnsatisfiable", when, ("DoNotSchedule", "ScheduleAnyway"))
        if constraint.get("labelSelector") is not None:
            yield forbidden(f"{here}.labelSelector", "constraint must not define a selector, as they deduced for each pod")
        if (key, when) in seen:
            yield duplicate(here, f"{{{key}, {when}}}")
        seen.add((key, when))


def _shape(path: str, shape: Sequence[Object]) -> Iterator[FieldError]:
    if not shape:
        yield required(path, "at least one point must be specified")
    uses = [point.get("utilization", 0) for point in shape]
    for index in range(1, len(uses)):
        if uses[index - 1] >= uses[index]:
            yield invalid(f"{path}[{index}].utilization", uses[index], "values must be sorted in increasing order")
            break
    for index, point in enumerate(shape):
        if not 0 <= uses[index] <= 100:
            yield invalid(f"{path}[{index}].utilization", uses[index], "not in valid range [0, 100]")
        if not 0 <= point.get("score", 0) <= _MOST_SCORE:
            yield invalid(f"{path}[{index}].score", point.get("score", 0), f"not in valid range [0, {_MOST_SCORE}]")


def _node_resources_fit(path: str, args: Object) -> Iterator[FieldError]:
    for index, name in enumerate(args.get("ignoredResources") or ()):
        yield from (invalid(f"{path}.ignoredResources[{index}]", name, problem) for problem in labels.validate_key(name))
    for index, group in enumerate(args.get("ignoredResourceGroups") or ()):
        here = f"{path}.ignoredResourceGroups[{index}]"
        if "/" in group:
            yield invalid(here, group, "resource group name can't contain '/'")
        yield from (invalid(here, group, problem) for problem in labels.validate_key(group))
    strategy, here = args["scoringStrategy"], f"{path}.scoringStrategy"
    if strategy["type"] not in _STRATEGIES:
        yield unsupported(f"{here}.type", strategy["type"], _STRATEGIES)
    for index, resource in enumerate(strategy["resources"]):
        if not 0 < resource["weight"] <= 100:
            why = f"resource weight of {resource['name']} not in valid range (0, 100]"
            yield invalid(f"{here}.resources[{index}].weight", resource["weight"], why)
    ratio = strategy.get("requestedToCapacityRatio")
    if strategy["type"] == "RequestedToCapacityRatio":
        if ratio is None:
            yield required(f"{here}.requestedToCapacityRatio", "must be specified when type is RequestedToCapacityRatio")
        else:
            yield from _shape(f"{here}.requestedToCapacityRatio.shape", ratio.get("shape") or ())
    elif ratio is not None:
        yield forbidden(f"{here}.requestedToCapacityRatio", "must be nil when type is not RequestedToCapacityRatio")


def _balanced_allocation(path: str, args: Object) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, resource in enumerate(args["resources"]):
        if resource["name"] in seen:
            yield duplicate(f"{path}.resources[{index}].name", resource["name"])
        seen.add(resource["name"])
        if resource["weight"] != 1:
            yield invalid(f"{path}.resources[{index}].weight", resource["weight"], "must be 1")


def _volume_binding(path: str, args: Object) -> Iterator[FieldError]:
    if args["bindTimeoutSeconds"] < 0:
        why = "invalid BindTimeoutSeconds, should not be a negative value"
        yield invalid(f"{path}.bindTimeoutSeconds", args["bindTimeoutSeconds"], why)
    if args.get("shape") is not None:
        why = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        yield invalid(f"{path}.shape", args["shape"], why)


def _dynamic_resources(path: str, args: Object) -> Iterator[FieldError]:
    if args.get("filterTimeout", 0.0) < 0:
        yield invalid(f"{path}.filterTimeout", args["filterTimeout"], "must be zero or positive")
    if args.get("bindingTimeout", 1.0) < 1:
        yield invalid(f"{path}.bindingTimeout", args["bindingTimeout"], "must be at least 1 second")


def _node_affinity(path: str, args: Object) -> Iterator[FieldError]:
    added, here = args.get("addedAffinity") or {}, f"{path}.addedAffinity"
    needed = added.get("requiredDuringSchedulingIgnoredDuringExecution")
    if needed is not None:
        terms = needed.get("nodeSelectorTerms") or ()
        where = f"{here}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        if not terms:
            yield required(where, "must have at least one node selector term")
        for index, term in enumerate(terms):
            yield from _term(f"{where}[{index}]", term)
    for index, preferred in enumerate(added.get("preferredDuringSchedulingIgnoredDuringExecution") or ()):
        where = f"{here}.preferredDuringSchedulingIgnoredDuringExecution[{index}]"
        if not 1 <= preferred.get("weight", 0) <= 100:
            yield invalid(f"{where}.weight", preferred.get("weight", 0), "must be in the range 1-100")
        yield from _term(where, preferred.get("preference") or {})


def _term(path: str, term: Object) -> Iterator[FieldError]:
    for kind in ("matchExpressions", "matchFields"):
        for index, expression in enumerate(term.get(kind) or ()):
            yield from _expression(f"{path}.{kind}[{index}]", expression, is_field=kind == "matchFields")


def _expression(path: str, expression: Object, *, is_field: bool) -> Iterator[FieldError]:
    operator, key = expression.get("operator") or "", expression.get("key") or ""
    values: Sequence[str] = expression.get("values") or ()
    if is_field:
        if operator not in ("In", "NotIn"):
            yield unsupported(f"{path}.operator", operator, ("In", "NotIn"))
        elif len(values) != 1:
            yield required(f"{path}.values", "must have one element")
        if key != "metadata.name":
            yield invalid(f"{path}.key", key, "not a valid field selector key")
        return
    yield from (invalid(f"{path}.key", key, problem) for problem in labels.validate_key(key))
    if operator not in _OPERATORS:
        yield unsupported(f"{path}.operator", operator, sorted(_OPERATORS))
    elif operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
        elif not values[0].lstrip("-").isdigit():
            yield invalid(f"{path}.values", values[0], "must be an integer")
    for index, value in enumerate(values if operator in ("In", "NotIn") else ()):
        yield from (invalid(f"{path}.values[{index}]", value, problem) for problem in names.label_value(value))


ARGS_RULES: dict[str, Callable[[str, Object], Iterator[FieldError]]] = {
    "DefaultPreemption": _default_preemption,
    "DynamicResources": _dynamic_resources,
    "InterPodAffinity": _inter_pod_affinity,
    "NodeAffinity": _node_affinity,
    "NodeResourcesBalancedAllocation": _balanced_allocation,
    "NodeResourcesFit": _node_resources_fit,
    "PodTopologySpread": _pod_topology_spread,
    "VolumeBinding": _volume_binding,
}
"""By the names of the plugins. Their args have their defaults."""
