"""Cluster IPs and node ports of Services: which families, which addresses, what a change of type gives back.

They come from the pools of `context.allocators`; without any nothing is allocated. A cluster is single-stack IPv4.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.apimachinery import field_errors, objects, status
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.allocators import Allocator
from kctl.kube_apiserver.registry.core import service_validation as rules
from kctl.kube_apiserver.registry.strategy import Context

Spec = dict[str, Any]
Taken = tuple[Allocator[Any], Any]
"""A pool and what was taken from it."""
FAMILIES = ("IPv4",)
_ALREADY = "provided port is already allocated"


def refuse(obj: Object, errors: list[FieldError]) -> None:
    if errors:
        raise status.invalid("", "Service", objects.name(obj), errors)


def needs_cluster_ip(spec: Spec) -> bool:
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer")


def needs_node_port(spec: Spec) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def init_families(obj: Object, old: Object | None) -> None:
    """Default and check ipFamilies and ipFamilyPolicy (initIPFamilyFields)."""
    spec, before = obj["spec"], objects.spec(old) if old else {}
    if spec.get("type") == "ExternalName":
        return
    selectorless = spec.get("clusterIP") == "None" and not spec.get("selector")
    if not spec.get("ipFamilyPolicy"):
        default = "RequireDualStack" if selectorless else "SingleStack"
        spec["ipFamilyPolicy"] = before.get("ipFamilyPolicy") or default
    refuse(obj, rules.cluster_ip_fields(spec))
    single = spec["ipFamilyPolicy"] == "SingleStack"
    errors = _policy_change(spec, before, single) if old else []
    errors += _policy_fits(spec, single)
    families = list(spec.get("ipFamilies") or ())
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address != "None" and index >= len(families):
            family = "IPv6" if ":" in address else "IPv4"
            if family in FAMILIES:
                families.append(family)
            else:
                why = f"{family} is not configured on this cluster"
                errors.append(field_errors.invalid(f"spec.clusterIPs[{index}]", spec["clusterIPs"], why))
    refuse(obj, errors)
    if selectorless:
        families = families or [FAMILIES[0]]
        if len(families) < 2 and not single:
            families.append("IPv6" if families[0] == "IPv4" else "IPv4")
        spec["ipFamilies"] = families
        return
    if spec["ipFamilyPolicy"] == "RequireDualStack" and len(FAMILIES) < 2:
        why = "this cluster is not configured for dual-stack services"
        errors.append(field_errors.invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why))
    for index, family in enumerate(families):
        if family not in FAMILIES:
            errors.append(field_errors.invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    refuse(obj, errors)
    spec["ipFamilies"] = families or [FAMILIES[0]]


def _policy_change(spec: Spec, before: Spec, single: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, what in (("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")):
        new, old = spec.get(name) or [], before.get(name) or []
        if single:
            if new == old and len(new) > 1:
                spec[name] = new[:1]
        elif len(old) == 2 and len(new) == 1 and new[0] == old[0]:
            why = f"must be 'SingleStack' to release the secondary {what}"
            errors.append(field_errors.invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why))
    return errors


def _policy_fits(spec: Spec, single: bool) -> list[FieldError]:
    if not single:
        return []
    return [
        field_errors.invalid(
            "spec.ipFamilyPolicy", "SingleStack", f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
        )
        for name, what in (("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families"))
        if len(spec.get(name) or ()) == 2
    ]


def allocate(context: Context, obj: Object, old: Object | None) -> None:
    """Give the service what it needs and does not have; refuses with `Invalid` and keeps nothing then."""
    init_families(obj, old)
    taken: list[Taken] = []
    try:
        _allocate_cluster_ip(context, obj, old, taken)
        _allocate_node_ports(context, obj, old, taken)
        _allocate_health_check(context, obj, old, taken)
    except BaseException:
        _release(context, taken)
        raise


def _release(context: Context, taken: Iterable[Taken]) -> None:
    if not context.dry_run:
        for allocator, value in taken:
            allocator.release(value)


def _allocate_cluster_ip(context: Context, obj: Object, old: Object | None, taken: list[Taken]) -> None:
    spec = obj["spec"]
    if not needs_cluster_ip(spec) or spec.get("clusterIP") == "None" or context.allocators is None:
        return
    if old is not None and needs_cluster_ip(objects.spec(old)):
        return
    wanted = spec.get("clusterIP") or None
    try:
        address = context.allocators.cluster_ips.allocate(wanted, context.dry_run)
    except ValueError as error:
        why = f"failed to allocate IP {wanted}: {error}"
        refuse(obj, [field_errors.invalid("spec.clusterIPs", spec.get("clusterIPs"), why)])
        raise status.InternalError(f"failed to allocate a serviceIP: {error}") from error
    taken.append((context.allocators.cluster_ips, address))
    spec["clusterIP"], spec["clusterIPs"] = address, [address]


def _allocate_node_ports(context: Context, obj: Object, old: Object | None, taken: list[Taken]) -> None:
    """Ports of one number (TCP and UDP) share a node port; what the old service had is kept."""
    spec, allocators = obj["spec"], context.allocators
    if spec.get("type") not in ("NodePort", "LoadBalancer") or allocators is None:
        return
    held = set(node_ports(old)) if old else set()
    ports, by_number = spec.get("ports") or [], dict[int, int]()
    used: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        if not port.get("nodePort") and not needs_node_port(spec):
            continue
        number, protocol = port.get("port") or 0, port.get("protocol") or "TCP"
        wanted = port.get("nodePort") or by_number.get(number) or _requested(ports, number)
        shared = bool(wanted) and any(value == wanted for value in by_number.values())
        path = f"spec.ports[{index}].nodePort"
        if shared and ((protocol, wanted) in used or by_number.get(number) != wanted):
            refuse(obj, [field_errors.invalid(path, wanted, _ALREADY)])
        if not shared and not (wanted and wanted in held):
            wanted = _take(context, allocators.node_ports, obj, path, wanted, taken)
        port["nodePort"] = wanted
        by_number.setdefault(number, wanted)
        used.add((protocol, wanted))


def _requested(ports: list[dict[str, Any]], number: int) -> int:
    return next((port["nodePort"] for port in ports if port.get("port") == number and port.get("nodePort")), 0)


def _take(context: Context, ports: Allocator[int], obj: Object, path: str, wanted: int, taken: list[Taken]) -> int:
    try:
        value = ports.allocate(wanted or None, context.dry_run)
    except ValueError as error:
        refuse(obj, [field_errors.invalid(path, wanted, str(error))] if wanted else [])
        raise status.InternalError(f"failed to allocate a nodePort: {error}") from error
    taken.append((ports, value))
    return value


def _allocate_health_check(context: Context, obj: Object, old: Object | None, taken: list[Taken]) -> None:
    spec = obj["spec"]
    if not rules.needs_health_check(spec) or context.allocators is None:
        return
    wanted = spec.get("healthCheckNodePort") or 0
    if old is not None and wanted and wanted == objects.spec(old).get("healthCheckNodePort"):
        return
    spec["healthCheckNodePort"] = _take(context, context.allocators.node_ports, obj, "spec.healthCheckNodePort", wanted, taken)


def node_ports(obj: Object) -> list[int]:
    spec = objects.spec(obj)
    numbers = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        numbers.add(spec["healthCheckNodePort"])
    return sorted(numbers)


def cluster_ips(obj: Object) -> list[str]:
    return [address for address in objects.spec(obj).get("clusterIPs") or () if address and address != "None"]


def release(context: Context, obj: Object, keep: Object | None = None) -> None:
    """Give back what `obj` holds, except what `keep` (its successor, or predecessor) holds too."""
    pools = context.allocators
    if pools is None:
        return
    kept_ips, kept_ports = (set(cluster_ips(keep)), set(node_ports(keep))) if keep else (set(), set())
    _release(context, [(pools.cluster_ips, ip) for ip in cluster_ips(obj) if ip not in kept_ips])
    _release(context, [(pools.node_ports, port) for port in node_ports(obj) if port not in kept_ports])
