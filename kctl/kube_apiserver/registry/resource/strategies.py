"""The strategies of resource.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.resource import claims, slices
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "deviceclasses.resource.k8s.io": claims.DEVICE_CLASS,
    "resourceclaims.resource.k8s.io": claims.CLAIM,
    "resourceclaimtemplates.resource.k8s.io": claims.CLAIM_TEMPLATE,
    "resourceslices.resource.k8s.io": slices.SLICE,
    "devicetaintrules.resource.k8s.io": slices.TAINT_RULE,
}
