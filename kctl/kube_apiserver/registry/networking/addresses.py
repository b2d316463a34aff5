"""ServiceCIDRs and IPAddresses."""

from __future__ import annotations

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
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
        if len(cidrs) > 2:
            return [field_errors.invalid(path, go_form("networking.v1.ServiceCIDRSpec", objects.spec(obj)), "may only hold up to 2 values")]
        networks = [names.parse_cidr(value) for value in cidrs]
        if len(cidrs) == 2 and {network and network.version for network in networks} != {4, 6}:
            return [field_errors.invalid(path, go_form("networking.v1.ServiceCIDRSpec", objects.spec(obj)), _DUAL)]
        return [error for index, value in enumerate(cidrs) for error in _canonical(f"{path}[{index}]", value)]

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("cidrs") or [], objects.spec(old).get("cidrs") or []
        immutable = field_checks.IMMUTABLE
        if len(before) == len(new) or (len(before) == 1 and len(new) == 2):
            changed = [index for index, value in enumerate(before) if new[index] != value]
            errors = [field_errors.invalid(f"spec.cidrs[{index}]", new[index], immutable) for index in changed]
            return errors if len(before) == len(new) else errors + self.validate(context, obj)
        return [field_errors.invalid("spec.cidrs", new or None, immutable)]


def _canonical(path: str, value: str) -> list[FieldError]:
    errors, network = names.errors(path, value, names.cidr), names.parse_cidr(value)
    if errors or str(network) == value:
        return errors
    return [field_errors.invalid(path, value, f'must be in canonical form ("{network}")')]


class IPAddressStrategy(Strategy):
    has_generation = False
    name_validator = "ip_address"
    selectable_fields = {
        f"spec.parentRef.{name}": (
            lambda obj, name=name: str((objects.spec(obj).get("parentRef") or {}).get(name) or "")  # type: ignore[misc]
        )
        for name in ("group", "resource", "namespace", "name")
    }

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        parent, path = objects.spec(obj).get("parentRef"), "spec.parentRef"
        if parent is None:
            return [field_errors.required(path)]
        if parent.get("group"):
            errors += names.errors(f"{path}.group", parent["group"], names.dns1123_subdomain)
        errors += field_checks.required_name(f"{path}.resource", parent.get("resource"), names.path_segment_name)
        errors += field_checks.required_name(f"{path}.name", parent.get("name"), names.path_segment_name)
        if parent.get("namespace"):
            errors += names.errors(f"{path}.namespace", parent["namespace"], names.path_segment_name)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj).get("parentRef"), objects.spec(old).get("parentRef")
        if field_checks.same(new, before):
            return []
        shown = new and go_form("networking.v1.ParentReference", new)
        return [field_errors.invalid("spec.parentRef", shown, field_checks.IMMUTABLE)]


SERVICE_CIDR = ServiceCIDRStrategy()
IP_ADDRESS = IPAddressStrategy()
