"""What makes a StatefulSet's pod this one and no other: its name, its place in DNS, its claims. Pure."""

from __future__ import annotations

import re
from typing import Any

from controllers.runtime.adoption import controller_reference
from controllers.runtime.pod_control import pod_from_template
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

REVISION_LABEL = "controller-revision-hash"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"

_NAME = re.compile(r"(.*)-([0-9]+)")


def replicas(stateful_set: Object) -> int:
    wished = objects.spec(stateful_set).get("replicas")
    return 1 if wished is None else int(wished)


def start(stateful_set: Object) -> int:
    """The first ordinal."""
    return int((objects.spec(stateful_set).get("ordinals") or {}).get("start") or 0)


def ordinal_of(pod: Object) -> int:
    """-1 for a name that has none."""
    matched = _NAME.fullmatch(objects.name(pod))
    return int(matched.group(2)) if matched else -1


def is_member(stateful_set: Object, pod: Object) -> bool:
    matched = _NAME.fullmatch(objects.name(pod))
    return matched is not None and matched.group(1) == objects.name(stateful_set)


def in_range(stateful_set: Object, ordinal: int) -> bool:
    first = start(stateful_set)
    return first <= ordinal < first + replicas(stateful_set)


def revision_of(pod: Object) -> str:
    return objects.labels(pod).get(REVISION_LABEL, "")


def is_parallel(stateful_set: Object) -> bool:
    return objects.spec(stateful_set).get("podManagementPolicy") == "Parallel"


# ---- pods


def new_pod(stateful_set: Object, template: Object, revision: str, ordinal: int) -> Object:
    name = f"{objects.name(stateful_set)}-{ordinal}"
    pod = pod_from_template(template, stateful_set, name=name)
    labels = {**objects.labels(pod), NAME_LABEL: name, INDEX_LABEL: str(ordinal), REVISION_LABEL: revision}
    spec = {**pod["spec"], "hostname": name}
    if service := objects.spec(stateful_set).get("serviceName"):
        spec["subdomain"] = service
    return with_storage(stateful_set, {**objects.with_metadata(pod, labels=labels), "spec": spec})


def with_storage(stateful_set: Object, pod: Object) -> Object:
    """Volumes named as claim templates are the pod's own claims."""
    wanted = {name: {"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claim_names(stateful_set, pod).items()}
    if not wanted:
        return pod
    others = [volume for volume in pod["spec"].get("volumes") or () if volume["name"] not in wanted]
    return {**pod, "spec": {**pod["spec"], "volumes": [*wanted.values(), *others]}}


def matches(pod: Object) -> bool:
    """Whether a pod that is there has the identity it should have."""
    labels = objects.labels(pod)
    return labels.get(NAME_LABEL) == objects.name(pod) and labels.get(INDEX_LABEL) == str(ordinal_of(pod))


def with_identity(pod: Object) -> Object:
    labels = {**objects.labels(pod), NAME_LABEL: objects.name(pod), INDEX_LABEL: str(ordinal_of(pod))}
    return objects.with_metadata(pod, labels=labels)


# ---- claims


def claim_names(stateful_set: Object, pod: Object) -> dict[str, str]:
    """By the name of their template."""
    suffix = f"{objects.name(stateful_set)}-{ordinal_of(pod)}"
    templates = objects.spec(stateful_set).get("volumeClaimTemplates") or ()
    return {objects.name(template): f"{objects.name(template)}-{suffix}" for template in templates}


def new_claims(stateful_set: Object, pod: Object) -> list[Object]:
    names = claim_names(stateful_set, pod)
    selected = (objects.spec(stateful_set).get("selector") or {}).get("matchLabels") or {}
    claims = []
    for template in objects.spec(stateful_set).get("volumeClaimTemplates") or ():
        meta: dict[str, Any] = {"name": names[objects.name(template)], "labels": {**objects.labels(template), **selected}}
        if objects.annotations(template):
            meta["annotations"] = dict(objects.annotations(template))
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template.get("spec") or {}}
        claims.append(with_owner(stateful_set, pod, claim))
    return claims


def with_owner(stateful_set: Object, pod: Object, claim: Object) -> Object:
    """The claim as persistentVolumeClaimRetentionPolicy wants it owned: by the set, so that it goes with it; by the pod while
    that is being scaled away; by nobody where it is to stay."""
    policy = objects.spec(stateful_set).get("persistentVolumeClaimRetentionPolicy") or {}
    going = policy.get("whenScaled") == "Delete" and not in_range(stateful_set, ordinal_of(pod)) and "uid" in pod["metadata"]
    owner = pod if going else stateful_set if policy.get("whenDeleted") == "Delete" else None
    ours = {objects.uid(stateful_set), objects.uid(pod)}
    kept = [reference for reference in objects.owner_references(claim) if reference["uid"] not in ours]
    if owner is not None:
        kinds = {"apiVersion": "v1", "kind": "Pod"} if owner is pod else {"apiVersion": "apps/v1", "kind": "StatefulSet"}
        kept.append(controller_reference({**kinds, **owner}))
    if kept == objects.owner_references(claim):
        return claim
    return objects.with_metadata(claim, ownerReferences=kept or None)
