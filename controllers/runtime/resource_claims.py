"""ResourceClaims of pods: which claim an entry of `spec.resourceClaims` stands for, and whom a claim is reserved for
(dynamic-resource-allocation/resourceclaim). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

RESOURCE_CLAIMS = built_in("resource.k8s.io/v1", "ResourceClaim")
RESOURCE_CLAIM_TEMPLATES = built_in("resource.k8s.io/v1", "ResourceClaimTemplate")
RESOURCE_SLICES = built_in("resource.k8s.io/v1", "ResourceSlice")
DEVICE_CLASSES = built_in("resource.k8s.io/v1", "DeviceClass")
DEVICE_TAINT_RULES = built_in("resource.k8s.io/v1", "DeviceTaintRule")

FINALIZER = "resource.kubernetes.io/delete-protection"
POD_CLAIM = "resource.kubernetes.io/pod-claim-name"
"""Of a claim made for a pod: the name of the pod's entry."""
MOST_RESERVED = 256
CLAIM_INDEX = "resource-claims"


class Use(NamedTuple):
    """`claim`: the name of the object; '' where it is not made yet, None where none is needed. `template`: that it was made out of a
    template, so that the pod must be its owner."""

    name: str
    claim: str | None
    template: str


def uses_of(pod: Object) -> Iterator[Use]:
    for entry in pod["spec"].get("resourceClaims") or ():
        template = str(entry.get("resourceClaimTemplateName") or "")
        yield Use(str(entry["name"]), _made(pod, str(entry["name"])) if template else str(entry.get("resourceClaimName") or ""), template)


def _made(pod: Object, name: str) -> str | None:
    for status in objects.status(pod).get("resourceClaimStatuses") or ():
        if status["name"] == name:
            claim: str | None = status.get("resourceClaimName")
            return claim
    return ""


def claims_of(pod: Object) -> tuple[str, ...]:
    """Index function: the keys of the claims it has."""
    if "resourceClaims" not in pod["spec"]:
        return ()
    space = objects.namespace(pod)
    return tuple(f"{space}/{use.claim}" for use in uses_of(pod) if use.claim)


def not_of_pod(pod: Object, claim: Object) -> str:
    """Why a claim is not the one that was made for the pod; '' where it is."""
    owner = objects.controller_of(claim)
    if owner is not None and owner["uid"] == objects.uid(pod):
        return ""
    return f"ResourceClaim {objects.key(claim)} was not created for pod {objects.key(pod)} (pod is not owner)"


def is_allocated(claim: Object) -> bool:
    return objects.status(claim).get("allocation") is not None


def reserved_for(claim: Object) -> list[Object]:
    return objects.status(claim).get("reservedFor") or []


def is_reserved_for(pod: Object, claim: Object) -> bool:
    return any(consumer.get("uid") == objects.uid(pod) for consumer in reserved_for(claim))


def can_be_reserved(claim: Object) -> bool:
    return len(reserved_for(claim)) < MOST_RESERVED


def consumer(pod: Object) -> Object:
    """The pod as an entry of `reservedFor`."""
    return {"resource": "pods", "name": objects.name(pod), "uid": objects.uid(pod)}


def problem_of(pod: Object, use: Use, claim: Object | None) -> str:
    """Why a pod cannot have the claim now, in the words of scheduler and kubelet; '' where it can."""
    if use.claim == "":
        return f'pod "{objects.key(pod)}": ResourceClaim not created yet'
    if claim is None:
        return f'resourceclaims.resource.k8s.io "{use.claim}" not found'
    if objects.deletion_timestamp(claim):
        return f'resourceclaim "{use.claim}" is being deleted'
    return not_of_pod(pod, claim) if use.template else ""


def tolerates(toleration: Object, taint: Object) -> bool:
    """Of devices."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == (taint.get("value") or "")
