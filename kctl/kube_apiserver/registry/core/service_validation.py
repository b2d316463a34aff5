"""Validation of Services: ports, types, addresses, traffic policies, and what an update may change."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import enums
from kctl.apimachinery.schema.go_form import go_form
from kctl.apimachinery.user import User
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_labels

Spec = dict[str, Any]

TYPES = enums.of("ServiceSpec.type")
PROTOCOLS = enums.of("ServicePort.protocol")
KUBELET_PORT = 10250
MAX_AFFINITY_SECONDS = 86400
LOAD_BALANCER_ONLY = "may only be used when `type` is 'LoadBalancer'"
FIXED = "may not change once set"
_SOURCE_RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges"


def is_headless(spec: Spec) -> bool:
    return (spec.get("clusterIPs") or [spec.get("clusterIP")]) == ["None"]


def externally_accessible(spec: Spec) -> bool:
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: Spec) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate(obj: Object) -> list[FieldError]:
    spec = objects.spec(obj)
    ports = spec.get("ports") or []
    errors: list[FieldError] = []
    if not ports and not is_headless(spec) and spec.get("type") != "ExternalName":
        errors.append(field_errors.required("spec.ports"))
    errors += _type_specific(spec, ports)
    seen: set[str] = set()
    for index, port in enumerate(ports):
        errors += _port(port, f"spec.ports[{index}]", len(ports) > 1, seen)
    errors += validate_labels(spec.get("selector"), "spec.selector")
    errors += _session_affinity(spec)
    errors += cluster_ip_fields(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        errors += external_address(f"spec.externalIPs[{index}]", address)
    errors += field_checks.required_enum("spec.type", spec.get("type"), TYPES)
    errors += _node_ports(spec, ports)
    errors += _duplicate_ports(ports)
    errors += _load_balancer(obj, spec)
    errors += _traffic(spec)
    return errors


def _type_specific(spec: Spec, ports: list[dict[str, Any]]) -> list[FieldError]:
    kind, errors = spec.get("type"), []
    if kind == "LoadBalancer":
        why = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
        for index, port in enumerate(ports):
            if port.get("port") == KUBELET_PORT:
                errors.append(field_errors.invalid(f"spec.ports[{index}]", KUBELET_PORT, why))
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        errors.append(field_errors.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                errors.append(field_errors.forbidden(f"spec.{name}", "may not be set for ExternalName services"))
        target = (spec.get("externalName") or "").removesuffix(".")
        errors += field_checks.required_name("spec.externalName", target, names.dns1123_subdomain)
    return errors


def _port(port: dict[str, Any], path: str, name_required: bool, seen: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    name = port.get("name") or ""
    if name:
        errors += names.errors(f"{path}.name", name, names.dns1123_label)
        if name in seen:
            errors.append(field_errors.duplicate(f"{path}.name", name))
        seen.add(name)
    elif name_required:
        errors.append(field_errors.required(f"{path}.name"))
    errors += names.errors(f"{path}.port", port.get("port") or 0, names.port_number)
    errors += field_checks.required_enum(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    errors += port_or_name(f"{path}.targetPort", port.get("targetPort") or 0)
    if port.get("appProtocol") is not None:
        errors += names.errors(f"{path}.appProtocol", port["appProtocol"], names.qualified_name)
    return errors


def port_or_name(path: str, value: Any) -> list[FieldError]:
    return names.errors(path, value, names.port_number if isinstance(value, int) else names.port_name)


def _session_affinity(spec: Spec) -> list[FieldError]:
    affinity = spec.get("sessionAffinity")
    errors = field_checks.required_enum("spec.sessionAffinity", affinity, enums.of("ServiceSpec.sessionAffinity"))
    path, config = "spec.sessionAffinityConfig", spec.get("sessionAffinityConfig")
    if affinity == "ClientIP":
        why = "when session affinity type is ClientIP"
        if config is None:
            return [*errors, field_errors.required(path, why)]
        if config.get("clientIP") is None:
            return [*errors, field_errors.required(f"{path}.clientIP", why)]
        timeout = config["clientIP"].get("timeoutSeconds")
        if timeout is None:
            return [*errors, field_errors.required(f"{path}.clientIP.timeoutSeconds", why)]
        if not 0 < timeout <= MAX_AFFINITY_SECONDS:
            bounds = f"must be greater than 0 and less than {MAX_AFFINITY_SECONDS}"
            errors.append(field_errors.invalid(f"{path}.clientIP.timeoutSeconds", timeout, bounds))
    elif affinity == "None" and config is not None:
        errors.append(field_errors.forbidden(path, "must not be set when session affinity is None"))
    return errors


def cluster_ip_fields(spec: Spec) -> list[FieldError]:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy; also checked before addresses are allocated."""
    if spec.get("type") == "ExternalName":
        return []
    errors: list[FieldError] = []
    path, ips, families = "spec.clusterIPs", spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    if spec.get("clusterIP"):
        if not ips:
            errors.append(field_errors.required(path))
        elif ips[0] != spec["clusterIP"]:
            errors.append(field_errors.invalid(path, ips, "first value must match `clusterIP`"))
    elif ips:
        errors.append(field_errors.invalid(path, ips, "must be empty when `clusterIP` is not specified"))
    for index, (family, again) in enumerate(zip(families, field_checks.repeated(families), strict=True)):
        errors += field_checks.enum(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6"))
        if again:
            errors.append(field_errors.duplicate(f"spec.ipFamilies[{index}]", family))
    if spec.get("ipFamilyPolicy") is not None:
        policies = enums.of("ServiceSpec.ipFamilyPolicy")
        errors += field_checks.enum("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], policies)
    return errors + _addresses(path, ips, families)


def _addresses(path: str, ips: list[str], families: list[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    broken = False
    for index, address in enumerate(ips):
        if index == 0 and address == "None":
            if len(ips) > 1:
                broken = True
                errors.append(field_errors.invalid(path, ips, "'None' must be the first and only value"))
            continue
        problems = names.errors(f"{path}[{index}]", address, names.ip_address)
        broken = broken or bool(problems)
        errors += problems
    if len(ips) > 2:
        errors.append(field_errors.invalid(path, ips, "may only hold up to 2 values"))
    if broken:
        return errors
    if len(ips) > 1 and len({":" in address for address in ips}) < 2:
        errors.append(field_errors.invalid(path, ips, "may specify no more than one IP for each IP family"))
    if ips != ["None"]:
        for index, (address, family) in enumerate(zip(ips, families, strict=False)):
            if family in ("IPv4", "IPv6") and (":" in address) != (family == "IPv6"):
                why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
                errors.append(field_errors.invalid(f"{path}[{index}]", address, why))
    return errors


def external_address(path: str, address: str) -> list[FieldError]:
    """A valid address outside the special ranges (ValidateNonSpecialIP)."""
    malformed = names.errors(path, address, names.ip_address)
    ip = names.parse_ip(address)
    if malformed or ip is None:
        return malformed
    if ip.is_unspecified:
        why = f"may not be unspecified ({address})"
    elif ip.is_loopback:
        why = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    elif ip.is_link_local:
        why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    elif str(ip).startswith("224.0.0.") or str(ip).startswith("ff02"):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    else:
        return []
    return [field_errors.invalid(path, address, why)]


_ENDPOINT_CONTROLLERS = tuple(
    f"system:serviceaccount:kube-system:{name}"
    for name in ("endpoint-controller", "endpointslice-controller", "endpointslicemirroring-controller")
)


def is_of_pods(address: str) -> bool:
    """On the machine's loopback, where pods that are processes have their addresses; 127.0.x.y is the machine's own."""
    return address.startswith("127.") and not address.startswith("127.0.")


def without_pods(user: User, errors: list[FieldError]) -> list[FieldError]:
    """Of what was found in Endpoints or an EndpointSlice what counts for this user. Upstream refuses loopback addresses, for they lead to
    the host of whoever connects; here the controllers may write those that they take from pods' statuses."""
    if not errors or user.name not in _ENDPOINT_CONTROLLERS:
        return errors
    return [error for error in errors if not _concerns_pod(error.body.split('"'))]


def _concerns_pod(words: list[str]) -> bool:
    return len(words) == 3 and is_of_pods(words[1]) and words[2].startswith(": may not be in the loopback range")


def _node_ports(spec: Spec, ports: list[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    if spec.get("type") == "ClusterIP":
        for index, port in enumerate(ports):
            if port.get("nodePort"):
                why = "may not be used when `type` is 'ClusterIP'"
                errors.append(field_errors.forbidden(f"spec.ports[{index}].nodePort", why))
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        if not port.get("nodePort"):
            continue
        key = (port.get("protocol") or "", port["nodePort"])
        if key in seen:
            errors.append(field_errors.duplicate(f"spec.ports[{index}].nodePort", port["nodePort"]))
        seen.add(key)
    return errors


def _duplicate_ports(ports: list[dict[str, Any]]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        protocol, number = port.get("protocol") or "", port.get("port") or 0
        if (protocol, number) in seen:
            shown = go_form("core.v1.ServicePort", {"protocol": protocol, "port": number})
            errors.append(field_errors.duplicate(f"spec.ports[{index}]", shown))
        seen.add((protocol, number))
    return errors


def _load_balancer(obj: Object, spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    balanced = spec.get("type") == "LoadBalancer"
    path, ranges = "spec.LoadBalancerSourceRanges", spec.get("loadBalancerSourceRanges")
    if ranges:
        if not balanced:
            errors.append(field_errors.forbidden(path, LOAD_BALANCER_ONLY))
        for index, value in enumerate(ranges):
            if names.cidr(value.strip()):
                errors += names.errors(f"{path}[{index}]", value, names.cidr)
    elif _SOURCE_RANGES_ANNOTATION in objects.annotations(obj):
        errors += _annotated_ranges(objects.annotations(obj)[_SOURCE_RANGES_ANNOTATION], balanced)
    allocate = spec.get("allocateLoadBalancerNodePorts")
    if balanced and allocate is None:
        errors.append(field_errors.required("spec.allocateLoadBalancerNodePorts"))
    elif not balanced and allocate is not None:
        errors.append(field_errors.forbidden("spec.allocateLoadBalancerNodePorts", LOAD_BALANCER_ONLY))
    return errors + _load_balancer_class(spec)


def _load_balancer_class(spec: Spec) -> list[FieldError]:
    value = spec.get("loadBalancerClass")
    if value is None:
        return []
    if spec.get("type") == "LoadBalancer":
        return names.errors("spec.loadBalancerClass", value, names.qualified_name)
    return [field_errors.forbidden("spec.loadBalancerClass", LOAD_BALANCER_ONLY)]


def _annotated_ranges(value: str, balanced: bool) -> list[FieldError]:
    path = f"metadata.annotations[{_SOURCE_RANGES_ANNOTATION}]"
    if not balanced:
        return [field_errors.forbidden(path, LOAD_BALANCER_ONLY)]
    parts = [part.strip() for part in value.strip().split(",")] if value.strip() else []
    if any(names.cidr(part) for part in parts):
        why = "must be a comma separated list of CIDRs e.g. 192.168.0.0/16,10.0.0.0/8"
        return [field_errors.invalid(path, value, why)]
    return []


def _traffic(spec: Spec) -> list[FieldError]:
    errors: list[FieldError] = []
    external, policies = spec.get("externalTrafficPolicy"), ("Cluster", "Local")
    if externally_accessible(spec):
        errors += field_checks.required_enum("spec.externalTrafficPolicy", external, policies)
    elif external:
        why = "may only be set for externally-accessible services"
        errors.append(field_errors.invalid("spec.externalTrafficPolicy", external, why))
    check = spec.get("healthCheckNodePort") or 0
    if needs_health_check(spec):
        if not check:
            errors.append(field_errors.required("spec.healthCheckNodePort"))
        else:
            errors += names.errors("spec.healthCheckNodePort", check, names.port_number)
    elif check:
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.append(field_errors.invalid("spec.healthCheckNodePort", check, why))
    internal = spec.get("internalTrafficPolicy")
    if internal is not None:
        errors += field_checks.enum("spec.internalTrafficPolicy", internal, policies)
    elif spec.get("type") in ("NodePort", "LoadBalancer", "ClusterIP"):
        errors.append(field_errors.required("spec.internalTrafficPolicy"))
    distribution = spec.get("trafficDistribution")
    if distribution is not None:
        choices = ("PreferClose", "PreferSameNode", "PreferSameZone")
        errors += field_checks.enum("spec.trafficDistribution", distribution, choices)
    return errors


def validate_change(obj: Object, old: Object) -> list[FieldError]:
    """What an update may not change: addresses and families once set, the load balancer's class."""
    spec, before = objects.spec(obj), objects.spec(old)
    errors: list[FieldError] = []
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        errors += _changed_addresses(spec, before)
        errors += _changed_families(spec, before)
    if spec.get("type") == before.get("type") == "LoadBalancer":
        value = spec.get("loadBalancerClass")
        if value != before.get("loadBalancerClass"):
            errors.append(field_errors.invalid("spec.loadBalancerClass", value, FIXED))
    return errors


def _changed_addresses(spec: Spec, before: Spec) -> list[FieldError]:
    if is_headless(spec) and is_headless(before):
        return []
    new, old = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if len(new) == len(old):
        return [field_errors.invalid(f"spec.clusterIPs[{index}]", new, FIXED) for index, address in enumerate(old) if address != new[index]]
    errors: list[FieldError] = []
    if not new:
        errors.append(field_errors.invalid("spec.clusterIPs[0]", new, "primary clusterIP can not be unset"))
    elif old and new[0] != old[0]:
        errors.append(field_errors.invalid("spec.clusterIPs[0]", new, FIXED))
    if len(old) > len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        errors.append(field_errors.invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def _changed_families(spec: Spec, before: Spec) -> list[FieldError]:
    if is_headless(spec) or is_headless(before):
        return []
    new, old = spec.get("ipFamilies") or [], before.get("ipFamilies") or []
    if len(new) == len(old):
        changed = [1 for index, family in enumerate(old) if family != new[index]]
        return [field_errors.invalid("spec.ipFamilies[0]", new, FIXED) for _ in changed]
    errors: list[FieldError] = []
    if old and new and new[0] != old[0]:
        errors.append(field_errors.invalid("spec.ipFamilies[0]", spec.get("clusterIPs"), FIXED))
    if len(old) > len(new) == 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        errors.append(field_errors.invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), why))
    return errors


def validate_status(obj: Object) -> list[FieldError]:
    path = "status.loadBalancer.ingress"
    ingress = (objects.status(obj).get("loadBalancer") or {}).get("ingress") or []
    if objects.spec(obj).get("type") != "LoadBalancer" and ingress:
        return [field_errors.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
    errors: list[FieldError] = []
    for index, point in enumerate(ingress):
        errors += load_balancer_ingress(point, f"{path}[{index}]")
        errors += _ip_mode(point, f"{path}[{index}]")
    return errors


def load_balancer_ingress(point: dict[str, Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if point.get("ip"):
        errors += names.errors(f"{path}.ip", point["ip"], names.ip_address)
    if point.get("hostname"):
        errors += names.errors(f"{path}.hostname", point["hostname"], names.dns1123_subdomain)
        if names.parse_ip(point["hostname"]) is not None:
            why = "must be a DNS name, not an IP address"
            errors.append(field_errors.invalid(f"{path}.hostname", point["hostname"], why))
    return errors


def _ip_mode(point: dict[str, Any], path: str) -> list[FieldError]:
    mode = point.get("ipMode")
    if point.get("ip") and mode is None:
        return [field_errors.required(f"{path}.ipMode", "must be specified when `ip` is set")]
    if mode is None:
        return []
    if not point.get("ip"):
        return [field_errors.forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set")]
    return field_checks.enum(f"{path}.ipMode", mode, ("Proxy", "VIP"))
