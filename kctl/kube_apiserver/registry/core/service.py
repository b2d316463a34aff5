"""Services: defaults, what the server keeps or drops when the type changes, allocation (service_allocation.py)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core import service_allocation as allocation
from kctl.kube_apiserver.registry.core import service_validation as rules
from kctl.kube_apiserver.registry.core import service_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

AFFINITY_SECONDS = 10800
Spec = dict[str, Any]


class ServiceStrategy(Strategy):
    allocates = True
    allow_create_on_update = True
    has_generation = False
    name_validator = "label"
    returns_deleted_object = True
    selectable_fields = {
        "spec.clusterIP": lambda obj: str(objects.spec(obj).get("clusterIP") or ""),
        "spec.type": lambda obj: str(objects.spec(obj).get("type") or ""),
    }

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        _default_affinity(spec)
        kind = spec["type"] = spec.get("type") or "ClusterIP"
        for port in spec.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"
            if port.get("targetPort") in (None, 0, ""):
                port["targetPort"] = port.get("port") or 0
        if rules.externally_accessible(spec) and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if kind in ("NodePort", "LoadBalancer", "ClusterIP"):
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if kind == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
            for ingress in (objects.status(obj).get("loadBalancer") or {}).get("ingress") or ():
                if ingress.get("ip"):
                    ingress.setdefault("ipMode", "VIP")

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        obj["status"] = {"loadBalancer": {}}
        spec = obj["spec"]
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        allocation.allocate(context, obj, None)

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            obj["spec"] = old["spec"]
            return
        obj["status"] = old.get("status") or {"loadBalancer": {}}
        spec, before = obj["spec"], objects.spec(old)
        _patch_allocated(spec, before)
        _sync_cluster_ips(spec, before)
        _drop_type_dependent(spec, before)
        allocation.allocate(context, obj, old)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return rules.validate(obj)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return rules.validate_change(obj, old) + rules.validate(obj)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return rules.validate_status(obj)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return service_warnings.warnings(obj)

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return [] if obj.get("spec") == old.get("spec") else service_warnings.warnings(obj)

    def after_update(self, context: Context, obj: Object, old: Object) -> None:
        allocation.release(context, old, keep=obj)

    def after_failure(self, context: Context, obj: Object, old: Object) -> None:
        allocation.release(context, obj, keep=old)

    def after_delete(self, context: Context, obj: Object) -> None:
        allocation.release(context, obj)


def _default_affinity(spec: Spec) -> None:
    affinity = spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = spec.get("sessionAffinityConfig") or {}
        client = config.get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            client = {**client, "timeoutSeconds": AFFINITY_SECONDS}
        spec["sessionAffinityConfig"] = {**config, "clientIP": client}


def _patch_allocated(spec: Spec, before: Spec) -> None:
    """A PUT that leaves out what the server once assigned means to keep it."""
    if allocation.needs_cluster_ip(before) and allocation.needs_cluster_ip(spec):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            spec["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and spec.get("clusterIP") == before.get("clusterIP"):
            spec["clusterIPs"] = list(before.get("clusterIPs") or ())
    if allocation.needs_node_port(before) and allocation.needs_node_port(spec):
        known = {(port.get("protocol"), port.get("port")): port["nodePort"] for port in before.get("ports") or () if port.get("nodePort")}
        used = {port.get("nodePort") for port in spec.get("ports") or () if port.get("nodePort")}
        for port in spec.get("ports") or ():
            earlier = known.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and earlier and earlier not in used:
                port["nodePort"] = earlier
    if rules.needs_health_check(before) and rules.needs_health_check(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = before.get("healthCheckNodePort")


def _sync_cluster_ips(spec: Spec, before: Spec) -> None:
    """Callers may manage clusterIP alone; clusterIPs follows it when they left that one as it was."""
    new, old = spec.get("clusterIP") or "", before.get("clusterIP") or ""
    if (spec.get("clusterIPs") or []) != (before.get("clusterIPs") or []):
        return
    if old and not new:
        spec.pop("clusterIPs", None)
    elif new and not old:
        spec["clusterIPs"] = [new]
    elif new != old:
        spec["clusterIPs"] = [new, *(spec.get("clusterIPs") or [])[1:]]


def _drop_type_dependent(spec: Spec, before: Spec) -> None:
    """Fields the new type has no use for go away, unless the caller changed them (then validation speaks)."""
    if allocation.needs_cluster_ip(before) and not allocation.needs_cluster_ip(spec):
        if spec.get("clusterIPs") == before.get("clusterIPs"):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        _drop_same(spec, before, "ipFamilies", "ipFamilyPolicy")
    if allocation.needs_node_port(before) and not allocation.needs_node_port(spec) and _same_node_ports(spec, before):
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    if rules.needs_health_check(before) and not rules.needs_health_check(spec):
        _drop_same(spec, before, "healthCheckNodePort")
    if before.get("type") == "LoadBalancer" != spec.get("type"):
        _drop_same(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
    if rules.externally_accessible(before) and not rules.externally_accessible(spec):
        _drop_same(spec, before, "externalTrafficPolicy")
    if before.get("type") != "ExternalName" == spec.get("type"):
        _drop_same(spec, before, "internalTrafficPolicy")


def _drop_same(spec: Spec, before: Spec, *fields: str) -> None:
    for name in fields:
        if name in spec and spec[name] == before.get(name):
            del spec[name]


def _same_node_ports(spec: Spec, before: Spec) -> bool:
    new, old = ({port["nodePort"] for port in side.get("ports") or () if port.get("nodePort")} for side in (spec, before))
    return new == old


STRATEGY = ServiceStrategy()
