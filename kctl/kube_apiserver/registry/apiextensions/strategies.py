"""The strategies of apiextensions.k8s.io, and of the small groups about the API itself: in which module each is."""

from __future__ import annotations

STRATEGIES: dict[str, str] = {
    "customresourcedefinitions.apiextensions.k8s.io": "custom_resource_definition:CUSTOM_RESOURCE_DEFINITION",
    "apiservices.apiregistration.k8s.io": "api_service:STRATEGY",
    "storageversionmigrations.storagemigration.k8s.io": "internal:STRATEGY",
    "storageversions.internal.apiserver.k8s.io": "internal:STRATEGY",
}
