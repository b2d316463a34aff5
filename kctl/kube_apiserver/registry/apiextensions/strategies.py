"""The strategies of apiextensions.k8s.io, and of the small groups about the API itself."""

from __future__ import annotations

from kctl.kube_apiserver.registry.apiextensions import custom_resource_definition as definitions
from kctl.kube_apiserver.registry.strategy import Strategy


class _InternalStrategy(Strategy):
    """Kinds the API server keeps for itself."""

    has_generation = False
    allow_unconditional_update = False


STRATEGIES: dict[str, Strategy] = {
    "customresourcedefinitions.apiextensions.k8s.io": definitions.CUSTOM_RESOURCE_DEFINITION,
    "apiservices.apiregistration.k8s.io": definitions.API_SERVICE,
    "storageversionmigrations.storagemigration.k8s.io": _InternalStrategy(),
    "storageversions.internal.apiserver.k8s.io": _InternalStrategy(),
}
