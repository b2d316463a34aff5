"""CSIDrivers, CSINodes and CSIStorageCapacities."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.storage.classes import csi_driver_name
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_SECRETS_WARNING = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of "
    "tokens in volume attributes"
)
_COUNTED = (
    "attachRequired",
    "fsGroupPolicy",
    "nodeAllocatableUpdatePeriodSeconds",
    "podInfoOnMount",
    "requiresRepublish",
    "seLinuxMount",
    "serviceAccountTokenInSecrets",
    "storageCapacity",
    "tokenRequests",
    "volumeLifecycleModes",
)


class CSIDriverStrategy(Strategy):
    """The generation is absent until a field of the spec changes."""

    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False

    def default(self, context: Context, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("attachRequired", True)
        spec.setdefault("podInfoOnMount", False)
        spec.setdefault("storageCapacity", False)
        spec.setdefault("fsGroupPolicy", "ReadWriteOnceWithFSType")
        if not spec.get("volumeLifecycleModes"):
            spec["volumeLifecycleModes"] = ["Persistent"]
        spec.setdefault("requiresRepublish", False)
        spec.setdefault("seLinuxMount", False)

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        new, before = objects.spec(obj), objects.spec(old)
        if any(new.get(name) != before.get(name) for name in _COUNTED):
            obj["metadata"]["generation"] = objects.generation(old) + 1

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return _driver_spec(objects.spec(obj))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new, before = objects.spec(obj), objects.spec(old)
        errors = _driver_spec(new)
        errors += field_checks.immutable("spec.attachedRequired", new.get("attachRequired"), before.get("attachRequired"))
        modes, earlier = new.get("volumeLifecycleModes"), before.get("volumeLifecycleModes")
        return errors + field_checks.immutable("spec.volumeLifecycleModes", modes, earlier)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        spec = objects.spec(obj)
        unset = spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None
        return [_SECRETS_WARNING] if unset else []


def _driver_spec(spec: dict[str, Any]) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, shown in (
        ("attachRequired", "attachedRequired"),
        ("podInfoOnMount", "podInfoOnMount"),
        ("storageCapacity",) * 2,
    ):
        if spec.get(name) is None:
            errors.append(field_errors.required(f"spec.{shown}"))
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    errors += field_checks.enum("spec.fsGroupPolicy", spec.get("fsGroupPolicy") or "", policies)
    audiences: set[str] = set()
    for index, request in enumerate(spec.get("tokenRequests") or ()):
        path, audience = f"spec.tokenRequests[{index}]", request.get("audience") or ""
        if audience in audiences:
            errors.append(field_errors.duplicate(f"{path}.audience", audience))
            continue
        audiences.add(audience)
        seconds = request.get("expirationSeconds")
        if seconds is not None and seconds < 600:
            why = "may not specify a duration less than 10 minutes"
            errors.append(field_errors.invalid(f"{path}.expirationSeconds", seconds, why))
        elif seconds is not None and seconds > 1 << 32:
            why = "may not specify a duration larger than 2^32 seconds"
            errors.append(field_errors.invalid(f"{path}.expirationSeconds", seconds, why))
    for mode in spec.get("volumeLifecycleModes") or ():
        errors += field_checks.enum("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
    if spec.get("seLinuxMount") is None:
        errors.append(field_errors.required("spec.seLinuxMount"))
    period = spec.get("nodeAllocatableUpdatePeriodSeconds")
    if period is not None and period < 10:
        why = "must be greater than or equal to 10 seconds"
        errors.append(field_errors.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, why))
    return errors


class CSINodeStrategy(Strategy):
    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        seen: set[str] = set()
        for index, driver in enumerate(objects.spec(obj).get("drivers") or ()):
            path, name = f"spec.drivers[{index}]", driver.get("name") or ""
            errors += csi_driver_name(f"{path}.name", name)
            node_id = driver.get("nodeID") or ""
            if not node_id:
                errors.append(field_errors.required(f"{path}.nodeID", node_id))
            elif len(node_id.encode()) > 256:
                errors.append(field_errors.invalid(f"{path}.nodeID", node_id, "must be 256 characters or less"))
            count = (driver.get("allocatable") or {}).get("count")
            errors += field_checks.non_negative(f"{path}.allocatable.count", count)
            if name in seen:
                errors.append(field_errors.duplicate(f"{path}.name", name))
            seen.add(name)
            errors += _topology_keys(driver.get("topologyKeys") or [], path)
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        drivers = objects.spec(obj).get("drivers") or ()
        for earlier in objects.spec(old).get("drivers") or ():
            for driver in drivers:
                if driver.get("name") != earlier.get("name"):
                    continue
                shown = go_form("storage.v1.CSINodeDriver", {**driver, "allocatable": None})
                if shown != go_form("storage.v1.CSINodeDriver", {**earlier, "allocatable": None}):
                    errors.append(field_errors.invalid("spec.drivers", shown, field_checks.IMMUTABLE))
        return errors


def _topology_keys(keys: list[str], path: str) -> list[FieldError]:
    """Found at the driver, not at the key."""
    errors: list[FieldError] = []
    for number, key in enumerate(keys):
        errors += field_checks.required(path, key)
        if key in keys[:number]:
            errors.append(field_errors.duplicate(path, key))
        errors += names.errors(path, key, names.qualified_name)
    return errors


class CSIStorageCapacityStrategy(Strategy):
    allow_unconditional_update = False
    has_generation = False

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        errors = validate_label_selector(obj.get("nodeTopology"), "nodeTopology")
        errors += names.errors("storageClassName", obj.get("storageClassName") or "", names.dns1123_subdomain)
        if obj.get("capacity") is not None:
            errors += field_checks.non_negative_quantity("capacity", obj["capacity"])
        return errors

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = self.validate(context, obj)
        errors += field_checks.immutable("nodeTopology", obj.get("nodeTopology"), old.get("nodeTopology"))
        return errors + field_checks.immutable("storageClassName", obj.get("storageClassName"), old.get("storageClassName"))


CSI_DRIVER = CSIDriverStrategy()
CSI_NODE = CSINodeStrategy()
CSI_STORAGE_CAPACITY = CSIStorageCapacityStrategy()
