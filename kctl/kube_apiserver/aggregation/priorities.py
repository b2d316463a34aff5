"""In which order API groups and their versions are listed and preferred: upstream's priorities of what kube-apiserver serves itself.

The lists are those of pkg/controlplane/apiserver and cmd/kube-apiserver/app of Kubernetes; what they do not name has the usual ones.
"""

from __future__ import annotations

from typing import Final

OF_GROUPS: Final = {
    "apiregistration.k8s.io": 20000,
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "internal.apiserver.k8s.io": 16000,
    "storagemigration.k8s.io": 15800,
    "lifecycle.k8s.io": 15700,
    "metrics.k8s.io": 100,
}
"""groupPriorityMinimum."""
OF_CUSTOM_GROUPS: Final = 1000
OF_CUSTOM_VERSIONS: Final = 100
"""All alike: then their names decide, as of Kubernetes versions."""
_OF_VERSIONS: Final = {
    ("", "v1"): 1,
    ("admissionregistration.k8s.io", "v1beta1"): 12,
    ("admissionregistration.k8s.io", "v1alpha1"): 9,
    ("autoscaling", "v2"): 30,
    ("coordination.k8s.io", "v1beta1"): 13,
    ("coordination.k8s.io", "v1alpha2"): 12,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("internal.apiserver.k8s.io", "v1alpha1"): 9,
    ("lifecycle.k8s.io", "v1alpha1"): 9,
    ("resource.k8s.io", "v1"): 20,
    ("resource.k8s.io", "v1beta2"): 15,
}


def of_version(group: str, version: str) -> int:
    """versionPriority, of a built-in group."""
    usual = 1 if "alpha" in version else 9 if "beta" in version else 15
    return _OF_VERSIONS.get((group, version), usual)
