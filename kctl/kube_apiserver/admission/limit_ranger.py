"""LimitRanger: containers get the requests and limits that their namespace's LimitRanges have as defaults; what is then outside the
bounds of any of them is refused.

The limits of a pod concern its creation and its resize, since nothing else can change what it asks for. An update is not held to what it
leaves as it was: what is stored was admitted when it came, whatever the bounds are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from kctl.apimachinery import objects, quantity, quota_usage
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_LIMIT_RANGES = built_in("v1", "LimitRange")
ANNOTATION = "kubernetes.io/limit-ranger"
_POD_LEVEL = ("cpu", "memory")
Limit = Mapping[str, Any]
Amounts = Mapping[str, Any]
"""Of a resource name each."""


class LimitRanger(AdmissionPlugin):
    name = "LimitRanger"
    subresources = frozenset({"", "resize"})
    per_object = False
    judges_spec_alone = True
    depends_on = (("", "limitranges"),)

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if operation.resource.plural != "pods" or not _concerns(old, operation):
            return
        for limit_range in _ranges(context, operation):
            _set_defaults(obj, limit_range)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        if not _concerns(old, operation):
            return
        check = _pod_errors if operation.resource.plural == "pods" else _claim_errors
        for limit_range in _ranges(context, operation):
            limits = objects.spec(limit_range).get("limits") or ()
            errors = list(dict.fromkeys(error for limit in limits for error in check(limit, obj, old)))
            if errors:
                why = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
                raise forbidden("", operation.resource.plural, operation.name, why)


def _concerns(old: Object | None, operation: Operation) -> bool:
    if old is not None and objects.deletion_timestamp(old):
        return False
    if operation.resource.plural == "pods":
        return operation.operation == "CREATE" or operation.subresource == "resize"
    return not operation.subresource


def _ranges(context: Context, operation: Operation) -> list[Object]:
    return sorted(context.list(_LIMIT_RANGES, operation.namespace), key=objects.name)


# ---- defaults


def _set_defaults(pod: Object, limit_range: Object) -> None:
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    for limit in objects.spec(limit_range).get("limits") or ():
        if limit.get("type") == "Container":
            requests |= limit.get("defaultRequest") or {}
            limits |= limit.get("default") or {}
    spec = pod["spec"]
    done = [text for container in spec.get("containers") or () for text in _fill(container, "container", requests, limits)]
    done += [text for container in spec.get("initContainers") or () for text in _fill(container, "init container", requests, limits)]
    if done:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = {**annotations, ANNOTATION: f"LimitRanger plugin set: {'; '.join(done)}"}


def _fill(container: dict[str, Any], what: str, requests: Amounts, limits: Amounts) -> Iterator[str]:
    """What is missing comes from the defaults; says what that was."""
    for field, defaults, called in (("requests", requests, "request"), ("limits", limits, "limit")):
        resources = container.get("resources") or {}
        given = resources.get(field) or {}
        missing = sorted(name for name in defaults if name not in given)
        if missing:
            filled = {**given, **{name: defaults[name] for name in missing}}
            container["resources"] = {**resources, field: dict(sorted(filled.items()))}
            yield f"{', '.join(missing)} {called} for {what} {container.get('name', '')}"


# ---- bounds


def _pod_errors(limit: Limit, pod: Object, old: Object | None) -> Iterator[str]:
    if limit.get("type") == "Container":
        for field in ("containers", "initContainers"):
            before = {container.get("name"): container for container in objects.spec(old or {}).get(field) or ()}
            for container in objects.spec(pod).get(field) or ():
                present = before.get(container.get("name"))
                yield from _errors(limit, _resources(container), None if present is None else _resources(present))
    elif limit.get("type") == "Pod":
        yield from _errors(limit, _whole(pod), None if old is None else _whole(old))


Both = tuple[Amounts, Amounts]
"""Requests and limits."""


def _resources(container: Mapping[str, Any]) -> Both:
    resources = container.get("resources") or {}
    return resources.get("requests") or {}, resources.get("limits") or {}


def _whole(pod: Object) -> Both:
    """Of a pod, without its overhead; of what it says itself only cpu and memory count."""
    spec = objects.spec(pod)
    own = spec.get("resources") or {}
    counted = {key: value for key, value in spec.items() if key not in ("overhead", "resources")}

    def total(field: str) -> Amounts:
        said = own.get(field) or {}
        return {**quota_usage.totals(counted, field), **{name: said[name] for name in _POD_LEVEL if name in said}}

    return total("requests"), total("limits")


def _errors(limit: Limit, present: Both, before: Both | None) -> Iterator[str]:
    for field, check in (("min", _below), ("max", _above), ("maxLimitRequestRatio", _out_of_ratio)):
        bounds = limit.get(field) or {}
        for name in sorted(bounds):
            if before is not None and all(_same(now.get(name), then.get(name)) for now, then in zip(present, before, strict=True)):
                continue
            error = check(name, str(limit["type"]), bounds[name], present[0].get(name), present[1].get(name))
            if error:
                yield error


def _same(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    return quantity.parse(left) == quantity.parse(right)


def _below(name: str, kind: str, least: Any, request: Any, limit: Any) -> str:
    rule = f"minimum {name} usage per {kind} is {quantity.canonical(least)}"
    if request is None:
        return f"{rule}.  No request is specified"
    return _first(rule, (given for given in (("request", request), ("limit", limit)) if _is_more(least, given[1])))


def _above(name: str, kind: str, most: Any, request: Any, limit: Any) -> str:
    rule = f"maximum {name} usage per {kind} is {quantity.canonical(most)}"
    if limit is None:
        return f"{rule}.  No limit is specified"
    return _first(rule, (given for given in (("limit", limit), ("request", request)) if _is_more(given[1], most)))


def _first(rule: str, wrong: Iterable[tuple[str, Any]]) -> str:
    return next((f"{rule}, but {what} is {quantity.canonical(value)}" for what, value in wrong), "")


def _is_more(larger: Any, smaller: Any) -> bool:
    return larger is not None and smaller is not None and quantity.parse(larger) > quantity.parse(smaller)


def _out_of_ratio(name: str, kind: str, most: Any, request: Any, limit: Any) -> str:
    rule = f"{name} max limit to request ratio per {kind} is {quantity.canonical(most)}"
    for what, value in (("request", request), ("limit", limit)):
        if value is None or not quantity.parse(value):
            return f"{rule}, but no {what} is specified or {what} is 0"
    ratio = abs(quantity.parse(limit)) / abs(quantity.parse(request))
    return f"{rule}, but provided ratio is {_six_decimals(ratio)}" if ratio > quantity.parse(most) else ""


def _six_decimals(ratio: Fraction) -> str:
    millionths = round(ratio * 10**6)  # half to even, as upstream
    return f"{millionths // 10**6}.{millionths % 10**6:06d}"


def _claim_errors(limit: Limit, claim: Object, old: Object | None) -> Iterator[str]:
    """Claims ask for storage by their requests alone; their limits are nobody's input."""
    if limit.get("type") != "PersistentVolumeClaim":
        return
    kind = "PersistentVolumeClaim"
    requests, before = _resources(objects.spec(claim))[0], _resources(objects.spec(old or {}))[0]
    for field in ("min", "max"):
        bounds = limit.get(field) or {}
        for name in sorted(bounds):
            asked = requests.get(name)
            if asked is not None and _same(asked, before.get(name)):
                continue
            if field == "min":
                error = _below(name, kind, bounds[name], asked, None)
            elif asked is None:
                error = f"maximum {name} usage per {kind} is {quantity.canonical(bounds[name])}.  No request is specified"
            else:
                error = _above(name, kind, bounds[name], asked, "0")
            if error:
                yield error


PLUGIN = LimitRanger()
