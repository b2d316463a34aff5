"""PersistentVolumes and claims: which belong to which, and which volume suits a claim (component-helpers' storage/volume). Pure.

Shared by the controllers that bind and provision, the scheduler that chooses nodes and volumes together, and the kubelets that wait.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from controllers.runtime.node_affinity import selector_matches
from kctl.apimachinery import labels, objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in

PERSISTENT_VOLUMES: Final = built_in("v1", "PersistentVolume")
PERSISTENT_VOLUME_CLAIMS: Final = built_in("v1", "PersistentVolumeClaim")
STORAGE_CLASSES: Final = built_in("storage.k8s.io/v1", "StorageClass")

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")

CLAIM_INDEX = "claim"
"""Of pods by the claims they use."""

ClassLookup = Callable[[str], Object | None]
"""A StorageClass by name."""


class Use(NamedTuple):
    """A pod's volume that is a claim: the volume's name, the claim's, and whether the claim is made for this pod."""

    volume: str
    claim: str
    ephemeral: bool


# ---- pods


def uses_of(pod: Object) -> Iterator[Use]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if "persistentVolumeClaim" in volume:
            yield Use(str(volume["name"]), str(volume["persistentVolumeClaim"].get("claimName") or ""), False)
        elif "ephemeral" in volume:
            yield Use(str(volume["name"]), f"{objects.name(pod)}-{volume['name']}", True)


def claims_of(pod: Object) -> list[str]:
    """Index function: keys of the claims a pod's volumes name, and of those made for its ephemeral volumes."""
    space = objects.namespace(pod)
    return [f"{space}/{use.claim}" for use in uses_of(pod)]


def has_claims(pod: Object) -> bool:
    return any("persistentVolumeClaim" in volume or "ephemeral" in volume for volume in pod["spec"].get("volumes") or ())


def foreign_owner(pod: Object, claim: Object) -> str:
    """Why the claim of an ephemeral volume is not this pod's; '' where it is."""
    owner = objects.controller_of(claim)
    if owner is not None and owner.get("uid") == objects.uid(pod):
        return ""
    return f"PVC {objects.key(claim)} was not created for pod {objects.key(pod)} (pod is not owner)"


# ---- classes


def claim_class(claim: Object) -> str:
    return str(objects.annotations(claim).get(_BETA_CLASS) or objects.spec(claim).get("storageClassName") or "")


def names_class(claim: Object) -> bool:
    """An empty name is one too: no class is wanted."""
    return _BETA_CLASS in objects.annotations(claim) or objects.spec(claim).get("storageClassName") is not None


def volume_class(volume: Object) -> str:
    return str(objects.annotations(volume).get(_BETA_CLASS) or objects.spec(volume).get("storageClassName") or "")


def default_class(classes: Iterable[Object]) -> Object | None:
    """The newest of those marked as default; of equally old ones the first by name."""
    marked = [each for each in classes if any(objects.annotations(each).get(name) == "true" for name in _DEFAULT_CLASS)]
    if not marked:
        return None
    newest = max(str(objects.metadata(each).get("creationTimestamp") or "") for each in marked)
    return min((each for each in marked if objects.metadata(each).get("creationTimestamp") == newest), key=objects.name)


def is_delayed(claim: Object, class_of: ClassLookup) -> bool:
    """Bound only once a pod that uses it is being scheduled (WaitForFirstConsumer)."""
    name = claim_class(claim)
    found = class_of(name) if name else None
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def topology_matches(storage_class: Object, node_labels: Mapping[str, str]) -> bool:
    """allowedTopologies: no terms allow every node, a term without expressions none."""
    terms = storage_class.get("allowedTopologies")
    if not terms:
        return True
    return any(
        expressions and all(node_labels.get(each.get("key")) in (each.get("values") or ()) for each in expressions)
        for expressions in (term.get("matchLabelExpressions") for term in terms)
    )


# ---- claims and volumes


def requested(claim: Object) -> str:
    return str(((objects.spec(claim).get("resources") or {}).get("requests") or {}).get("storage") or "0")


def capacity(volume: Object) -> str:
    return str((objects.spec(volume).get("capacity") or {}).get("storage") or "0")


def mode(either: Object) -> str:
    return str(objects.spec(either).get("volumeMode") or "Filesystem")


def is_fully_bound(claim: Object) -> bool:
    return bool(objects.spec(claim).get("volumeName")) and BIND_COMPLETED in objects.annotations(claim)


def claim_key_of(volume: Object) -> str:
    """namespace/name of the claim a volume is bound to or reserved for; '' for none."""
    reference = objects.spec(volume).get("claimRef")
    return f"{reference.get('namespace') or ''}/{reference.get('name') or ''}" if reference else ""


def is_bound_to(volume: Object, claim: Object) -> bool:
    """Bound to it, or reserved for it by name."""
    if claim_key_of(volume) != objects.key(claim):
        return False
    uid = objects.spec(volume)["claimRef"].get("uid")
    return not uid or uid == objects.uid(claim)


def bound_to(volume: Object, claim: Object) -> Object:
    """The volume with a reference to the claim; the very same object where there is nothing to change."""
    reference = objects.spec(volume).get("claimRef") or {}
    if is_bound_to(volume, claim) and reference.get("uid"):
        return volume
    meta = claim["metadata"]
    wanted = {"kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    wanted |= {"apiVersion": "v1", "resourceVersion": meta["resourceVersion"]}
    changed = objects.replace(volume, spec={**objects.spec(volume), "claimRef": wanted})
    if is_bound_to(volume, claim):
        return changed
    return objects.with_metadata(changed, annotations={**objects.annotations(volume), BOUND_BY_CONTROLLER: "yes"})


def node_matches(volume: Object, node_labels: Mapping[str, str]) -> bool:
    """The volume's node affinity, which goes by labels alone."""
    required = (objects.spec(volume).get("nodeAffinity") or {}).get("required")
    return required is None or selector_matches(required, node_labels, "")


def unsuitable(volume: Object, claim: Object) -> str:
    """Why the volume that a claim names cannot be bound to it; '' where it can."""
    if quantity.parse(requested(claim)) > quantity.parse(capacity(volume)):
        return "requested PV is too small"
    if volume_class(volume) != claim_class(claim):
        return "storageClassName does not match"
    if _attributes_class(volume) != _attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if mode(volume) != mode(claim):
        return "incompatible volumeMode"
    return "" if _has_access_modes(volume, claim) else "incompatible accessMode"


def _attributes_class(either: Object) -> str:
    return str(objects.spec(either).get("volumeAttributesClassName") or "")


def _has_access_modes(volume: Object, claim: Object) -> bool:
    return set(objects.spec(claim).get("accessModes") or ()) <= set(objects.spec(volume).get("accessModes") or ())


def best_match(
    claim: Object,
    volumes: Iterable[Object],
    *,
    node_labels: Mapping[str, str] | None = None,
    excluded: Collection[str] = (),
    delayed: bool = False,
) -> Object | None:
    """The volume reserved for the claim, or the smallest available one that suits it; with `node_labels` one that node can use.
    Of a `delayed` claim without a node only the reserved one counts. Volumes with fewer access modes are preferred."""
    least, selector = quantity.parse(requested(claim)), labels.from_label_selector(objects.spec(claim).get("selector"))
    unrestricted = objects.spec(claim).get("selector") is None
    best: tuple[int, tuple[str, ...], object, str] | None = None
    found: Object | None = None
    for volume in volumes:
        if objects.name(volume) in excluded or objects.deletion_timestamp(volume):
            continue
        size = quantity.parse(capacity(volume))
        if mode(volume) != mode(claim) or size < least or not _has_access_modes(volume, claim):
            continue
        if _attributes_class(volume) != _attributes_class(claim):
            continue
        usable = node_labels is None or node_matches(volume, node_labels)
        if is_bound_to(volume, claim):
            return volume if usable else None
        if (node_labels is None and delayed) or not usable or objects.spec(volume).get("claimRef"):
            continue
        if objects.status(volume).get("phase") != "Available" or volume_class(volume) != claim_class(claim):
            continue
        if not unrestricted and not selector.matches(objects.labels(volume)):
            continue
        modes = tuple(sorted(objects.spec(volume).get("accessModes") or ()))
        rank = (len(modes), modes, size, objects.name(volume))
        if best is None or rank < best:
            best, found = rank, volume
    return found


def index_by_claim(volume: Object) -> tuple[str, ...]:
    """Index function: the claim a volume is for, or the class in which it is to be had (as `class/` and its name)."""
    key = claim_key_of(volume)
    return (key,) if key else (f"class/{volume_class(volume)}",)


VOLUME_INDEX = "claim-or-class"


def candidates(claim: Object, by_index: Callable[[str, str], Collection[Object]]) -> list[Object]:
    """What `best_match` chooses from: volumes reserved for the claim first, then those nobody has of its class."""
    return [*by_index(VOLUME_INDEX, objects.key(claim)), *by_index(VOLUME_INDEX, f"class/{claim_class(claim)}")]
