"""Pods: the strategy that ties defaults, validation, update rules, status and graceful deletion together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, times
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core import pod_defaults
from kctl.kube_apiserver.registry.core.pod_affinity_keys import merge_label_keys
from kctl.kube_apiserver.registry.core.pod_annotations import validate_annotation_updates, validate_pod_annotations
from kctl.kube_apiserver.registry.core.pod_profile_annotations import sync_app_armor, validate_profiles_match
from kctl.kube_apiserver.registry.core.pod_qos import qos_class
from kctl.kube_apiserver.registry.core.pod_status_validation import validate_status
from kctl.kube_apiserver.registry.core.pod_update_validation import validate_ephemeral_update, validate_resize, validate_spec_update
from kctl.kube_apiserver.registry.core.pod_validation import validate_only_for_pods, validate_pod_spec
from kctl.kube_apiserver.registry.core.pod_warnings import pod_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_GATED = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "SchedulingGated",
    "message": "Scheduling is blocked due to non-empty scheduling gates",
}


def _spec(field: str) -> Callable[[Object], str]:
    return lambda obj: str((obj.get("spec") or {}).get(field) or "")


def _status(field: str) -> Callable[[Object], str]:
    return lambda obj: str((obj.get("status") or {}).get(field) or "")


def _host_network(obj: Object) -> str:
    return "true" if (obj.get("spec") or {}).get("hostNetwork") else "false"


class PodStrategy(Strategy):
    """`default_spec` and `validate_spec` depend on the spec alone (and, for claims of ephemeral volumes, on the pod's
    name), so what they found out about one pod of a template holds for the next."""

    graceful = True
    returns_deleted_object = True
    shares_admitted_spec = True
    selectable_fields: Mapping[str, Callable[[Object], str]] = {
        "spec.nodeName": _spec("nodeName"),
        "spec.restartPolicy": _spec("restartPolicy"),
        "spec.schedulerName": _spec("schedulerName"),
        "spec.serviceAccountName": _spec("serviceAccountName"),
        "spec.hostNetwork": _host_network,
        "status.phase": _status("phase"),
        "status.podIP": _status("podIP"),
        "status.podIPs": _status("podIP"),
        "status.nominatedNodeName": _status("nominatedNodeName"),
    }

    def default_spec(self, spec: dict[str, Any]) -> None:
        pod_defaults.default_pod(spec)

    def validate_spec(self, spec: Mapping[str, Any], name: str = "") -> list[FieldError]:
        return validate_pod_spec(spec, "spec", name, is_pod=True)

    def default(self, context: Context, obj: Object) -> None:
        if context.subresource == "status":
            _sync_addresses(obj)
        else:
            self.default_spec(obj.setdefault("spec", {}))

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        spec = obj["spec"]
        sync_app_armor(obj)
        merge_label_keys(spec, obj["metadata"].get("labels") or {})
        status: dict[str, Any] = {"phase": "Pending"}
        if spec.get("schedulingGates"):
            status["conditions"] = [{**_GATED, "lastProbeTime": None, "lastTransitionTime": times.rfc3339(context.now)}]
        status["qosClass"] = qos_class(spec)
        obj["status"] = status

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        match context.subresource:
            case "":
                return
            case "status":
                status = obj.setdefault("status", {})
                if not status.get("qosClass") and (old.get("status") or {}).get("qosClass"):
                    status["qosClass"] = old["status"]["qosClass"]
                for field in ("ownerReferences",):
                    _keep(obj["metadata"], old["metadata"], field)
            case "ephemeralcontainers":
                _only(obj, old, {"ephemeralContainers": (obj.get("spec") or {}).get("ephemeralContainers") or []})
            case "resize":
                _only(obj, old, _resized(obj.get("spec") or {}, old["spec"]))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        spec, meta = obj["spec"], obj["metadata"]
        errors = validate_pod_annotations(meta.get("annotations"), spec, "metadata.annotations")
        errors += self.validate_spec(spec, meta.get("name") or "")
        errors += validate_only_for_pods(spec, "spec")
        if spec.get("ephemeralContainers"):
            errors.append(fe.forbidden("spec.ephemeralContainers", "cannot be set on create"))
        if spec.get("nodeName") and spec.get("schedulingGates"):
            why = "cannot be set until all schedulingGates have been cleared"
            errors.append(fe.forbidden("spec.nodeName", why))
        return errors + validate_profiles_match(meta.get("annotations") or {}, spec, "spec")

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        spec, meta = obj["spec"], obj["metadata"]
        new_notes, old_notes = meta.get("annotations") or {}, old["metadata"].get("annotations") or {}
        errors = validate_annotation_updates(new_notes, old_notes, "metadata.annotations")
        if new_notes != old_notes:
            errors += validate_pod_annotations(new_notes, spec, "metadata.annotations")
        if spec == old["spec"]:
            return errors
        errors = self.validate_spec(spec, meta.get("name") or "") + validate_only_for_pods(spec, "spec") + errors
        match context.subresource:
            case "ephemeralcontainers":
                return errors + validate_ephemeral_update(obj, old)
            case "resize":
                return errors + validate_resize(obj, old)
            case _:
                return errors + validate_spec_update(spec, old["spec"])

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        new_notes, old_notes = obj["metadata"].get("annotations") or {}, old["metadata"].get("annotations") or {}
        return validate_annotation_updates(new_notes, old_notes, "metadata.annotations") + validate_status(obj, old)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        warnings = pod_warnings(obj["metadata"], obj["spec"])
        name = obj["metadata"].get("name") or ""
        if len(name) > 63 or "." in name:
            warnings.append(_name_warning(name))
        return warnings

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        if context.subresource == "status" or obj["spec"] == old["spec"]:
            return []
        return pod_warnings(obj["metadata"], obj["spec"])

    def deletion_grace_seconds(self, obj: Object, requested: int | None) -> int:
        """As asked, else as the pod says; at once where no kubelet has to act on it."""
        spec = obj.get("spec") or {}
        period = requested if requested is not None else spec.get("terminationGracePeriodSeconds") or 0
        if not spec.get("nodeName") or (obj.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
            return 0
        return period if period >= 0 else 1


def _name_warning(name: str) -> str:
    problems = names.dns1123_label(name)
    return "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is " + (
        "recommended: [" + " ".join(problems) + "]"
    )


def _keep(meta: dict[str, Any], old: Mapping[str, Any], field: str) -> None:
    if field in old:
        meta[field] = old[field]
    else:
        meta.pop(field, None)


def _only(obj: Object, old: Object, changes: dict[str, Any]) -> None:
    """The stored pod with these spec fields of the request; a subresource changes nothing else."""
    owners = obj["metadata"].get("managedFields")
    obj["metadata"] = {key: value for key, value in old["metadata"].items() if key != "resourceVersion"}
    if owners is not None:
        obj["metadata"]["managedFields"] = owners
    spec = {**old["spec"], **changes}
    obj["spec"] = {key: value for key, value in spec.items() if value != [] or key in old["spec"]}
    if "status" in old:
        obj["status"] = old["status"]


def _resized(spec: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field in ("containers", "initContainers"):
        if not old.get(field):
            continue
        asked = {container.get("name"): container for container in spec.get(field) or ()}
        changes[field] = [_resized_container(container, asked.get(container["name"])) for container in old[field]]
    return changes


def _resized_container(old: dict[str, Any], new: Mapping[str, Any] | None) -> dict[str, Any]:
    if new is None:
        return old
    changed = {**old, "resources": new.get("resources") or {}}
    if new.get("resizePolicy"):
        changed["resizePolicy"] = new["resizePolicy"]
    return changed


def _sync_addresses(obj: Object) -> None:
    """podIP and the first of podIPs are the same; podIP wins where they differ."""
    status = obj.get("status") or {}
    address, entries = status.get("podIP"), status.get("podIPs")
    if address and (not entries or entries[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif entries and not address and entries[0].get("ip"):
        status["podIP"] = entries[0]["ip"]


STRATEGY = PodStrategy()
