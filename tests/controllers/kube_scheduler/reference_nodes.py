"""The rules of the plugins that look at one node, written down plainly on API objects: slow, and every question answered from scratch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from kctl.apimachinery import quantity

Object = dict[str, Any]
AFFINITY = "node(s) didn't match Pod's node affinity/selector"
REQUIRED, PREFERRED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
MIB = 2**20
DEFAULTS = {"cpu": Fraction(1, 10), "memory": Fraction(200 * MIB)}
Amounts = dict[str, Fraction]


# ---- what a pod asks for


def requests(spec: Object, *, counted: bool = False) -> Amounts:
    """`counted`: as scores count it, with something for containers that ask for no cpu or memory."""

    def of(container: Object) -> Counter[str]:
        asked = {name: quantity.parse(value) for name, value in ((container.get("resources") or {}).get("requests") or {}).items()}
        return Counter({**DEFAULTS, **asked} if counted else asked)  # type: ignore[arg-type]

    running, sidecars, peaks = Counter[str](), Counter[str](), []
    for container in spec.get("containers") or ():
        running.update(of(container))
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            sidecars.update(of(container))
            peaks.append(Counter(sidecars))
        else:
            peak = Counter(sidecars)
            peak.update(of(container))
            peaks.append(peak)
    running.update(sidecars)
    total = {name: max(each[name] for each in (running, *peaks)) for name in {*running, *(name for peak in peaks for name in peak)}}
    total |= {name: quantity.parse(value) for name, value in ((spec.get("resources") or {}).get("requests") or {}).items()}
    for name, value in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0) + quantity.parse(value)
    return {name: Fraction(amount) for name, amount in total.items()}


def used(placed: Sequence[Object], *, counted: bool = False) -> Counter[str]:
    total = Counter[str]()
    for pod in placed:
        total.update(requests(pod["spec"], counted=counted))  # type: ignore[arg-type]
    return total


def capacity(node: Object) -> Amounts:
    return {name: quantity.parse(value) for name, value in node["status"]["allocatable"].items()}


# ---- filters, in order


def tolerated(taint: Object, tolerations: Sequence[Object]) -> bool:
    for one in tolerations:
        key_fits = not one.get("key") or one["key"] == taint["key"]
        effect_fits = not one.get("effect") or one["effect"] == taint["effect"]
        value_fits = one.get("operator") == "Exists" or (one.get("key") and (one.get("value") or "") == (taint.get("value") or ""))
        if key_fits and effect_fits and value_fits:
            return True
    return False


def usable(pod: Object, node: Object) -> bool:
    hard = [taint for taint in node["spec"].get("taints") or () if taint["effect"] in ("NoSchedule", "NoExecute")]
    return all(tolerated(taint, pod["spec"].get("tolerations") or ()) for taint in hard)


def expression_holds(expression: Object, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    if key not in labels or not labels[key].lstrip("-").isdigit():
        return False
    return int(labels[key]) > int(values[0]) if expression["operator"] == "Gt" else int(labels[key]) < int(values[0])


def term_holds(term: Object, node: Object) -> bool:
    expressions = term.get("matchExpressions") or []
    return bool(expressions) and all(expression_holds(each, node["metadata"]["labels"]) for each in expressions)


def wanted(pod: Object, node: Object) -> bool:
    labels = node["metadata"]["labels"]
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    needed = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
    return needed is None or any(term_holds(term, node) for term in needed["nodeSelectorTerms"])


def ports(pod: Object) -> list[tuple[str, str, int]]:
    found = []
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                found.append((port.get("protocol", "TCP"), port.get("hostIP") or "0.0.0.0", port["hostPort"]))
    return found


def ports_collide(pod: Object, placed: Sequence[Object]) -> bool:
    for protocol, ip, number in ports(pod):
        for other in placed:
            for their_protocol, their_ip, their_number in ports(other):
                if (protocol, number) == (their_protocol, their_number) and (ip == their_ip or "0.0.0.0" in (ip, their_ip)):
                    return True
    return False


def insufficient(pod: Object, node: Object, placed: Sequence[Object]) -> list[str]:
    there, taken, asked = capacity(node), used(placed), requests(pod["spec"])
    reasons = ["Too many pods"] if len(placed) + 1 > there.get("pods", 0) else []
    for name, amount in asked.items():
        if amount and amount > there.get(name, 0) - taken[name]:
            reasons.append(f"Insufficient {name}")
    return reasons


def refusal(pod: Object, node: Object, placed: Sequence[Object]) -> list[str]:
    """The reasons of the first filter that refuses; none where all let it pass."""
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if node["spec"].get("unschedulable") and not tolerated(cordon, pod["spec"].get("tolerations") or ()):
        return ["node(s) were unschedulable"]
    if pod["spec"].get("nodeName") not in (None, node["metadata"]["name"]):
        return ["node(s) didn't match the requested node name"]
    if not usable(pod, node):
        return ["node(s) had untolerated taint(s)"]
    if not wanted(pod, node):
        return [AFFINITY]
    if ports_collide(pod, placed):
        return ["node(s) didn't have free ports for the requested pod ports"]
    return insufficient(pod, node, placed)


# ---- scores


def by_maximum(raw: dict[str, int], *, reverse: bool = False) -> dict[str, int]:
    most = max(raw.values())
    if not most:
        return dict.fromkeys(raw, 100 if reverse else 0)
    return {name: 100 - 100 * score // most if reverse else 100 * score // most for name, score in raw.items()}


def least_allocated(pod: Object, node: Object, placed: Sequence[Object]) -> int:
    there, total = capacity(node), used([*placed, pod], counted=True)
    scores = []
    for name in ("cpu", "memory"):
        if there.get(name):
            scores.append(0 if total[name] > there[name] else int((there[name] - total[name]) * 100 / there[name]))
    return sum(scores) // len(scores) if scores else 0


def balance(total: Counter[str], there: Amounts) -> Fraction:
    shares = [min(Fraction(total[name]) / there[name], Fraction(1)) for name in ("cpu", "memory") if there.get(name)]
    return 1 - abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else Fraction(1)


def balanced(pod: Object, node: Object, placed: Sequence[Object]) -> Fraction:
    asked, there = requests(pod["spec"]), capacity(node)
    if not asked.get("cpu") and not asked.get("memory"):
        return Fraction(0)
    return ((balance(used([*placed, pod]), there) - balance(used(placed), there)) / 2 + Fraction(1, 2)) * 100


def image_locality(pod: Object, node: Object, nodes: Sequence[Object]) -> int:
    def sizes(of: Object) -> dict[str, int]:
        return {name: image["sizeBytes"] for image in of["status"].get("images") or () for name in image["names"]}

    containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    total = 0
    for container in containers:
        image = container["image"] if ":" in container["image"] else container["image"] + ":latest"
        if image in sizes(node):
            total += int(sizes(node)[image] * (sum(image in sizes(other) for other in nodes) / len(nodes)))
    low, high = 23 * MIB, 1000 * MIB * len(containers)
    return 100 * (min(max(total, low), high) - low) // (high - low)


def totals(pod: Object, feasible: Sequence[Object], nodes: Sequence[Object], placed: dict[str, list[Object]]) -> dict[str, int]:
    """Weighted, of all plugins that look at one node."""

    def name_of(node: Object) -> str:
        return str(node["metadata"]["name"])

    soft = [one for one in pod["spec"].get("tolerations") or () if one.get("effect") in (None, "", "PreferNoSchedule")]
    liked = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(PREFERRED) or ()
    taints, likes = {}, {}
    for node in feasible:
        bad = [taint for taint in node["spec"].get("taints") or () if taint["effect"] == "PreferNoSchedule" and not tolerated(taint, soft)]
        taints[name_of(node)] = len(bad)
        likes[name_of(node)] = sum(each["weight"] for each in liked if term_holds(each["preference"], node))
    taints, likes = by_maximum(taints, reverse=True), by_maximum(likes)
    return {
        name_of(node): 3 * taints[name_of(node)]
        + 2 * likes[name_of(node)]
        + least_allocated(pod, node, placed[name_of(node)])
        + int(balanced(pod, node, placed[name_of(node)]))
        + image_locality(pod, node, nodes)
        for node in feasible
    }
