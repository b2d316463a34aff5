"""What a cluster of ours stores without acting on it: the one list, which shrinks as the parts are built and ends empty.

Nothing pretends: whoever creates such an object over the API gets a Warning header that says what will not happen. Kinds for which a
Kubernetes cluster without add-ons does nothing either (an Ingress without a controller, a LoadBalancer without a cloud) are no entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.config import NotActedOn


def _pod_spec(obj: Object) -> dict[str, Any]:
    """The spec of a pod, or of the pods that a workload makes."""
    spec = obj.get("spec") or {}
    if obj.get("kind") == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    found: dict[str, Any] = (spec.get("template") or {}).get("spec") or {} if "containers" not in spec else spec
    return found


def _has(field: str) -> Callable[[Object], bool]:
    return lambda obj: bool(_pod_spec(obj).get(field))


def _has_pod_affinity(obj: Object) -> bool:
    affinity = _pod_spec(obj).get("affinity") or {}
    return bool(affinity.get("podAffinity") or affinity.get("podAntiAffinity"))


def _is_remote(obj: Object) -> bool:
    return bool((obj.get("spec") or {}).get("service"))


def _converts_by_webhook(obj: Object) -> bool:
    return ((obj.get("spec") or {}).get("conversion") or {}).get("strategy") == "Webhook"


_PODS = (
    "pods",
    "deployments.apps",
    "replicasets.apps",
    "replicationcontrollers",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
)
_RESOURCE = "resource.k8s.io"

NOT_ACTED_ON = (
    NotActedOn(
        ("customresourcedefinitions.apiextensions.k8s.io",),
        "conversion webhooks are not called yet: versions are converted as by the strategy None",
        concerns=_converts_by_webhook,
    ),
    NotActedOn(("networkpolicies.networking.k8s.io",), "NetworkPolicies are not enforced yet"),
    NotActedOn(("apiservices.apiregistration.k8s.io",), "requests are not passed on to extension API servers yet", concerns=_is_remote),
    NotActedOn(
        ("flowschemas.flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io"),
        "API priority and fairness is not applied yet: this object is stored only",
    ),
    NotActedOn(
        (f"resourceclaims.{_RESOURCE}", f"resourceslices.{_RESOURCE}", f"deviceclasses.{_RESOURCE}"),
        "devices are not allocated yet: this object is stored only",
    ),
    NotActedOn(("storageversionmigrations.storagemigration.k8s.io",), "StorageVersionMigrations are stored only: nothing is migrated yet"),
    NotActedOn(_PODS, "pod affinity and anti-affinity are not considered by the scheduler yet", concerns=_has_pod_affinity),
    NotActedOn(
        _PODS,
        "topologySpreadConstraints are not considered by the scheduler yet",
        concerns=_has("topologySpreadConstraints"),
    ),
)
