"""CSIDrivers, CSINodes and CSIStorageCapacities."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.label_selector_validation import validate_label_selector
from kctl.kube_apiserver.registry.rules.checks import at_least, driver_name
from kctl.kube_apiserver.registry.rules.language import field, pointer, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context

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


def _token_requests(requests: list[Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    audiences: set[str] = set()
    for index, request in enumerate(requests):
        here, audience, seconds = f"{path}[{index}]", request.get("audience") or "", request.get("expirationSeconds")
        if audience in audiences:
            errors.append(field_errors.duplicate(f"{here}.audience", audience))
            continue
        audiences.add(audience)
        if seconds is not None and not 600 <= seconds <= 1 << 32:
            why = f"may not specify a duration {'less than 10 minutes' if seconds < 600 else 'larger than 2^32 seconds'}"
            errors.append(field_errors.invalid(f"{here}.expirationSeconds", seconds, why))
    return errors


def _modes(modes: list[str], path: str) -> list[FieldError]:
    return [error for mode in modes for error in field_checks.enum(path, mode, ("Persistent", "Ephemeral"))]


_DRIVER = struct(
    pointer("attachRequired", required=True, default=True, immutable=True, shown="attachedRequired"),
    pointer("podInfoOnMount", required=True, default=False),
    pointer("storageCapacity", required=True, default=False),
    pointer("fsGroupPolicy", enum=("File", "None", "ReadWriteOnceWithFSType"), default="ReadWriteOnceWithFSType"),
    field("tokenRequests", _token_requests, zero=()),
    field("volumeLifecycleModes", _modes, zero=(), default=["Persistent"], immutable=True),
    pointer("requiresRepublish", default=False),
    pointer("seLinuxMount", required=True, default=False),
    pointer("nodeAllocatableUpdatePeriodSeconds", at_least(10, "must be greater than or equal to 10 seconds")),
)


class CSIDriverStrategy(RuledStrategy):
    """The generation is absent until a field of the spec changes."""

    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False
    rules = struct(field("spec", _DRIVER, default={}))

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        new, before = objects.spec(obj), objects.spec(old)
        if any(new.get(name) != before.get(name) for name in _COUNTED):
            obj["metadata"]["generation"] = objects.generation(old) + 1

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        spec = objects.spec(obj)
        unset = spec.get("tokenRequests") and spec.get("serviceAccountTokenInSecrets") is None
        return [_SECRETS_WARNING] if unset else []


def _node_id(value: str, path: str) -> list[FieldError]:
    return [field_errors.invalid(path, value, "must be 256 characters or less")] if len(value.encode()) > 256 else []


def _topology_keys(driver: Any, path: str) -> list[FieldError]:
    """Found at the driver, not at the key."""
    errors: list[FieldError] = []
    keys = driver.get("topologyKeys") or []
    for number, key in enumerate(keys):
        errors += field_checks.required(path, key)
        if key in keys[:number]:
            errors.append(field_errors.duplicate(path, key))
        errors += names.errors(path, key, names.qualified_name)
    return errors


def _unique_names(drivers: list[Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, driver in enumerate(drivers):
        here, name = f"{path}[{index}]", driver.get("name") or ""
        errors += _NODE_DRIVER.errors_at(driver, here)
        if name in seen:
            errors.append(field_errors.duplicate(f"{here}.name", name))
        seen.add(name)
        errors += _topology_keys(driver, here)
    return errors


_NODE_DRIVER = struct(
    field("name", driver_name), field("nodeID", _node_id, required=True), field("allocatable", struct(pointer("count", at_least(0))))
)


class CSINodeStrategy(RuledStrategy):
    returns_deleted_object = True
    allow_unconditional_update = False
    has_generation = False
    rules = struct(field("spec", struct(field("drivers", _unique_names, zero=()))))

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


def _capacity(value: Any, path: str) -> list[FieldError]:
    return field_checks.non_negative_quantity(path, value)


class CSIStorageCapacityStrategy(RuledStrategy):
    allow_unconditional_update = False
    has_generation = False
    rules = struct(
        field("nodeTopology", validate_label_selector, immutable=True, zero=None),
        field("storageClassName", names.dns1123_subdomain, immutable=True),
        pointer("capacity", _capacity),
    )


CSI_DRIVER = CSIDriverStrategy()
CSI_NODE = CSINodeStrategy()
CSI_STORAGE_CAPACITY = CSIStorageCapacityStrategy()
