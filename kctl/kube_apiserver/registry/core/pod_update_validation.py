"""What may change in a pod after its creation: image, deadline, more tolerations, fewer scheduling gates.

Also the two subresources with rules of their own: ephemeralcontainers (only additions) and resize (only cpu and memory).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery import names, quantity
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.go_form import go_form
from kctl.kube_apiserver.registry.core.pod_annotations import MIRROR
from kctl.kube_apiserver.registry.core.pod_container_validation import image_whitespace
from kctl.kube_apiserver.registry.core.pod_qos import qos_class
from kctl.kube_apiserver.registry.core.pod_scheduling_validation import validate_tolerations
from kctl.kube_apiserver.registry.core.pod_validation import MAX_INT32
from kctl.kube_apiserver.registry.go_diff import form_diff

Spec = Mapping[str, Any]
_UPDATABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously "
    "negative)"
)
_SPEC = "core.v1.PodSpec"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def validate_spec_update(new: Spec, old: Spec) -> list[FieldError]:
    """Everything ValidatePodUpdate checks after the new spec as such."""
    errors: list[FieldError] = []
    for field in ("containers", "initContainers"):
        problems, stop = _containers(new.get(field) or (), old.get(field) or (), f"spec.{field}")
        errors += problems
        if stop:
            return errors
    problems, stop = _deadline(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    errors += problems
    if stop:
        return errors
    errors += _tolerations(new.get("tolerations") or (), old.get("tolerations") or ())
    errors += _gates(new.get("schedulingGates") or (), old.get("schedulingGates") or ())
    if new == old:
        return errors
    munged = _munged(new, old)
    if old.get("schedulingGates"):
        errors += _gated(munged, old)
    if go_form(_SPEC, munged) != go_form(_SPEC, old):
        why = f"pod updates may not change fields other than {_UPDATABLE}\n{form_diff(_SPEC, old, munged)}"
        errors.append(fe.forbidden("spec", why))
    return errors


def _containers(new: Sequence[Spec], old: Sequence[Spec], path: str) -> tuple[list[FieldError], bool]:
    if len(new) != len(old):
        return [fe.forbidden(path, "pod updates may not add or remove containers")], True
    errors: list[FieldError] = []
    for index, container in enumerate(new):
        if not container.get("image"):
            errors.append(fe.required(f"{path}[{index}].image"))
        errors += image_whitespace(container, f"{path}[{index}]")
    return errors, False


def _deadline(new: int | None, old: int | None) -> tuple[list[FieldError], bool]:
    path = "spec.activeDeadlineSeconds"
    if new is None:
        why = "must not update from a positive integer to nil value"
        return ([] if old is None else [fe.invalid(path, None, why)]), False
    if not 0 <= new <= MAX_INT32:
        return [fe.invalid(path, new, names.in_range(0, MAX_INT32))], True
    if old is not None and old < new:
        return [fe.invalid(path, new, "must be less than or equal to previous value")], True
    return [], False


def _tolerations(new: Sequence[Spec], old: Sequence[Spec]) -> list[FieldError]:
    def shape(toleration: Spec) -> dict[str, Any]:
        return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}

    shapes = [shape(toleration) for toleration in new]
    if any(shape(toleration) not in shapes for toleration in old):
        why = "existing toleration can not be modified except its tolerationSeconds"
        return [fe.forbidden("spec.tolerations", why)]
    return validate_tolerations(new, "spec.tolerations")


def _gates(new: Sequence[Spec], old: Sequence[Spec]) -> list[FieldError]:
    known = {gate.get("name") for gate in old}
    return [
        fe.forbidden(f"spec.schedulingGates[{index}].name", f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'")
        for index, gate in enumerate(new)
        if gate.get("name") not in known
    ]


def _munged(new: Spec, old: Spec) -> dict[str, Any]:
    """The new spec with everything that may change put back."""
    munged = dict(new)
    for field in ("containers", "initContainers"):
        pairs = zip(new.get(field) or (), old.get(field) or (), strict=True)
        munged[field] = [{**container, "image": before.get("image")} for container, before in pairs]
    for field in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged[field] = old.get(field)
    grace = old.get("terminationGracePeriodSeconds")
    if grace is not None and grace < 0 and munged.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = grace
    return munged


def _gated(munged: dict[str, Any], old: Spec) -> list[FieldError]:
    """A pod with scheduling gates may still get more node selectors and node affinity; `munged` forgets the changes."""
    errors: list[FieldError] = []
    new_selector, old_selector = munged.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(new_selector.get(key) != value for key, value in old_selector.items()):
        why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        errors.append(fe.invalid("spec.nodeSelector", new_selector or None, why))
    munged["nodeSelector"] = old.get("nodeSelector")
    affinity, before = munged.get("affinity") or {}, old.get("affinity") or {}
    new_node, old_node = affinity.get("nodeAffinity"), before.get("nodeAffinity")
    if new_node != old_node:
        errors += _node_affinity(new_node or {}, old_node or {})
        rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
        munged["affinity"] = ({**rest, "nodeAffinity": old_node} if old_node else rest) or old.get("affinity")
    return errors


def _node_affinity(new: Spec, old: Spec) -> list[FieldError]:
    path = f"spec.affinity.nodeAffinity.{_REQUIRED}.nodeSelectorTerms"
    old_terms = (old.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    new_terms = (new.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    if not old_terms:
        return []
    forms = [go_form("core.v1.NodeSelectorTerm", term) for term in new_terms]
    if len(old_terms) != len(new_terms):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        return [fe.invalid(path, forms or None, why)]
    return [
        fe.invalid(f"{path}[{index}]", forms[index], "only additions are allowed (no mutations or deletions)")
        for index, term in enumerate(old_terms)
        if not _only_adds(new_terms[index], term)
    ]


def _only_adds(new: Spec, old: Spec) -> bool:
    fields = ("matchExpressions", "matchFields")
    if not any(old.get(field) for field in fields) and any(new.get(field) for field in fields):
        return False
    return all((new.get(field) or [])[: len(old.get(field) or ())] == (old.get(field) or []) for field in fields)


def validate_ephemeral_update(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """Ephemeral containers are only ever added. Takes whole pods."""
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [fe.forbidden("", "static pods do not support ephemeral containers")]
    path = "spec.ephemeralContainers"
    present = {container.get("name"): container for container in new["spec"].get("ephemeralContainers") or ()}
    errors: list[FieldError] = []
    for before in old["spec"].get("ephemeralContainers") or ():
        name = fe.go_value(before.get("name"))
        after = present.get(before.get("name"))
        if after is None:
            errors.append(fe.forbidden(path, f"existing ephemeral containers {name} may not be removed\n"))
        elif after != before:
            difference = form_diff("core.v1.EphemeralContainer", before, after)
            why = f"existing ephemeral containers {name} may not be changed\n{difference}"
            errors.append(fe.forbidden(path, why))
    return errors


def validate_resize(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[FieldError]:
    """pods/resize: cpu and memory of containers and sidecars, within the QoS class. Takes whole pods."""
    if MIRROR in (old["metadata"].get("annotations") or {}):
        return [fe.forbidden("", "static pods cannot be resized")]
    if (old["spec"].get("os") or {}).get("name") == "windows":
        return [fe.forbidden("", "windows pods cannot be resized")]
    errors: list[FieldError] = []
    qos = (old.get("status") or {}).get("qosClass") or qos_class(old["spec"])
    if qos != qos_class(new["spec"]):
        errors.append(fe.invalid("spec", qos, "Pod QOS Class may not change as a result of resizing"))
    errors += _supported(old)
    for field in ("initContainers", "containers"):
        pairs = zip(new["spec"].get(field) or (), old["spec"].get(field) or (), strict=False)
        for index, (after, before) in enumerate(pairs):
            if field == "initContainers" and before.get("restartPolicy") != "Always":
                if after != before:
                    why = "resources for non-sidecar init containers are immutable"
                    errors.append(fe.forbidden("spec", why))
                continue
            errors += _resized(after, before, f"spec.{field}[{index}].resources", field == "initContainers")
    return errors


def _supported(old: Mapping[str, Any]) -> list[FieldError]:
    for status in (old.get("status") or {}).get("containerStatuses") or ():
        if (status.get("state") or {}).get("running") is not None:
            if status.get("resources") is None:
                return [fe.forbidden("spec", "Pod running on node without support for resize")]
            break
    return []


def _resized(after: Spec, before: Spec, path: str, sidecar: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    new, old = after.get("resources") or {}, before.get("resources") or {}
    for field in ("requests", "limits"):
        if set(old.get(field) or ()) - set(new.get(field) or ()):
            errors.append(fe.forbidden(f"{path}.{field}", f"resource {field} cannot be removed"))
    for field in ("requests", "limits"):
        changed = {n: v for n, v in (new.get(field) or {}).items() if (old.get(field) or {}).get(n) != v}
        for name, value in changed.items():
            was = (old.get(field) or {}).get(name)
            if name not in ("cpu", "memory") and (was is None or quantity.parse(was) != quantity.parse(value)):
                what = "only cpu and memory resources for sidecar containers are mutable"
                errors.append(fe.forbidden("spec", what if sidecar else "only cpu and memory resources are mutable"))
    return errors
