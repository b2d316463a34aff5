"""ServiceCIDRs and IPAddresses."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_DUAL = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"


class ServiceCIDRStrategy(Strategy):
    has_generation = False

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        cidrs, path = objects.spec(obj).get("cidrs") or [], "spec.cidrs"
        if not cidrs:
            return [field_errors.required(path, "at least one CIDR required")]
        errors: list[FieldError] = []
        if len(cidrs) > 2:
            return [field_errors.invalid(path, cidrs, "may only hold up to 2 values")]
        if len(cidrs) == 2 and len({":" in value for value in cidrs}) < 2:
            errors.append(field_errors.invalid(path, cidrs, _DUAL))
        for index, value in enumerate(cidrs):
            errors += _canonical(f"{path}[{index}]", value)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("cidrs") or [], objects.spec(old).get("cidrs") or []
        if len(before) == 1 and len(new) == 2 and new[0] == before[0]:
            return self.validate(context, obj)
        return field_checks.immutable("spec.cidrs", new, before)


def _canonical(path: str, value: str) -> list[FieldError]:
    network = names.parse_cidr(value)
    if network is None:
        return names.errors(path, value, names.cidr)
    if str(network) == value:
        return []
    return [field_errors.invalid(path, value, f'must be in canonical form ("{network}")')]


class IPAddressStrategy(Strategy):
    has_generation = False
    name_validator = "path_segment"
    selectable_fields = {
        f"spec.parentRef.{name}": (
            lambda obj, name=name: str((objects.spec(obj).get("parentRef") or {}).get(name) or "")  # type: ignore[misc]
        )
        for name in ("group", "resource", "namespace", "name")
    }

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        name = objects.name(obj)
        ip = names.parse_ip(name)
        errors: list[FieldError] = []
        if ip is None:
            errors.append(field_errors.invalid("metadata.name", name, "must be a valid IP address"))
        elif str(ip) != name:
            errors.append(field_errors.invalid("metadata.name", name, f'must be in canonical form ("{ip}")'))
        parent, path = objects.spec(obj).get("parentRef"), "spec.parentRef"
        if parent is None:
            return [*errors, field_errors.required(path)]
        if parent.get("group"):
            errors += names.errors(f"{path}.group", parent["group"], names.dns1123_subdomain)
        errors += field_checks.required_name(f"{path}.resource", parent.get("resource"), names.path_segment_name)
        errors += field_checks.required_name(f"{path}.name", parent.get("name"), names.path_segment_name)
        if parent.get("namespace"):
            errors += names.errors(f"{path}.namespace", parent["namespace"], names.path_segment_name)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("parentRef"), objects.spec(old).get("parentRef")
        return field_checks.immutable("spec.parentRef", new, before)


SERVICE_CIDR = ServiceCIDRStrategy()
IP_ADDRESS = IPAddressStrategy()
