"""-o yaml --clean: an object as somebody would write it, without what the server and controllers put in.

Out go the status, the metadata of one life (uid, resourceVersion, times, managedFields), controllers' annotations, the service account token
volumes that admission adds, and fields that hold the well-known default.
"""

from __future__ import annotations

from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

_METADATA: Final = frozenset(
    [
        "managedFields",
        "resourceVersion",
        "uid",
        "creationTimestamp",
        "generation",
        "selfLink",
        "ownerReferences",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ]
)
_ANNOTATIONS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "batch.kubernetes.io/job-tracking",
)
_GENERATED_LABELS: Final = ("pod-template-hash", "controller-uid", "batch.kubernetes.io/controller-uid", "controller-revision-hash")
_TOKEN_VOLUME: Final = "kube-api-access-"
_DEFAULT_TOLERATIONS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_DEFAULTS: Final[dict[str, Any]] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "resources": {},
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
    "protocol": "TCP",
    "progressDeadlineSeconds": 600,
    "revisionHistoryLimit": 10,
    "podManagementPolicy": "OrderedReady",
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "ipFamilyPolicy": "SingleStack",
    "ipFamilies": ["IPv4"],
    "completionMode": "NonIndexed",
    "suspend": False,
    "podReplacementPolicy": "TerminatingOrFailed",
    "volumeMode": "Filesystem",
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
}
"""Fields that mean this wherever they stand in a spec."""


def clean(obj: Object) -> Object:
    """A new object; of a List, its items."""
    if str(obj.get("kind") or "").endswith("List") and isinstance(obj.get("items"), list):
        return {**obj, "items": [clean(item) for item in obj["items"] if isinstance(item, dict)]}
    kept = {key: value for key, value in obj.items() if key not in ("status", "metadata")}
    if isinstance(kept.get("spec"), dict):
        kept["spec"] = _spec(str(obj.get("kind") or ""), kept["spec"])
    return {**kept, "metadata": _metadata(objects.metadata(obj))}


def _metadata(meta: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in meta.items() if key not in _METADATA and value not in ({}, [], "")}
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if not key.startswith(_ANNOTATIONS)}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key not in _GENERATED_LABELS}
    for field, values in (("annotations", notes), ("labels", labels)):
        kept.pop(field, None)
        if values:
            kept[field] = values
    if meta.get("generateName"):
        kept.pop("generateName", None)
    return kept


def _spec(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    cleaned: dict[str, Any] = _without_defaults(spec)
    if kind == "Pod":
        cleaned.pop("nodeName", None)
        tolerations = [
            one for one in cleaned.get("tolerations") or () if not (isinstance(one, dict) and one.get("key") in _DEFAULT_TOLERATIONS)
        ]
        cleaned.pop("tolerations", None)
        cleaned |= {"tolerations": tolerations} if tolerations else {}
        if cleaned.get("serviceAccountName") == "default":
            del cleaned["serviceAccountName"]
    if kind == "Service":
        for field in ("clusterIP", "clusterIPs"):
            if spec.get("clusterIP") != "None":
                cleaned.pop(field, None)
        if cleaned.get("type") == "ClusterIP":
            del cleaned["type"]
    return cleaned


def _without_defaults(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_defaults(inner) for inner in value if not _is_token_volume(inner)]
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for key, inner in value.items():
        if inner is None or (key in _DEFAULTS and inner == _DEFAULTS[key] and type(inner) is type(_DEFAULTS[key])):
            continue
        if key == "creationTimestamp" or (key == "serviceAccount" and inner == value.get("serviceAccountName")):
            continue
        cleaned = _metadata(inner) if key == "metadata" and isinstance(inner, dict) else _without_defaults(inner)
        if cleaned in ([], {}) and inner not in ([], {}):
            continue
        kept[key] = cleaned
    return kept


def _is_token_volume(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("name") or "").startswith(_TOKEN_VOLUME)
