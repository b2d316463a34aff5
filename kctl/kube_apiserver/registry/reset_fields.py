"""Which fields each (sub)resource's writes do not count for in who owns what (the strategies' GetResetFields): what the strategy puts back.

Where nothing is listed: the status on the object itself, the spec on /status.
"""

from __future__ import annotations

from kctl.apimachinery.field_ownership import sets
from kctl.apimachinery.field_ownership.managers import Filter
from kctl.apimachinery.field_ownership.paths import fields
from kctl.apimachinery.field_ownership.sets import Path

_SPEC, _STATUS, _METADATA = fields("spec"), fields("status"), fields("metadata")
_RESET: dict[tuple[str, str, str], tuple[Path, ...]] = {
    ("", "pods", "status"): (_SPEC, fields("metadata", "deletionTimestamp"), fields("metadata", "ownerReferences")),
    ("", "namespaces", "finalize"): (_STATUS,),
    ("apps", "deployments", "status"): (_SPEC, fields("metadata", "labels")),
    ("certificates.k8s.io", "certificatesigningrequests", ""): (_SPEC, _STATUS),
    ("certificates.k8s.io", "certificatesigningrequests", "status"): (_SPEC, fields("status", "conditions")),
    ("certificates.k8s.io", "certificatesigningrequests", "approval"): (_SPEC, fields("status", "certificate")),
    ("flowcontrol.apiserver.k8s.io", "flowschemas", "status"): (_SPEC, _METADATA),
    ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "status"): (_SPEC, _METADATA),
    ("networking.k8s.io", "servicecidrs", "status"): (_SPEC, _METADATA),
    ("storage.k8s.io", "volumeattachments", "status"): (_SPEC, _METADATA),
    ("apiextensions.k8s.io", "customresourcedefinitions", "status"): (_SPEC, _METADATA),
    ("apiregistration.k8s.io", "apiservices", "status"): (_SPEC, _METADATA),
    ("internal.apiserver.k8s.io", "storageversions", "status"): (_SPEC, _METADATA),
}


def filter_for(group: str, plural: str, subresource: str, has_status: bool) -> Filter:
    key = group, plural, subresource
    found = _RESET.get(key)
    if found is None:
        found = (_SPEC,) if subresource == "status" else (_STATUS,) if has_status and subresource != "scale" else ()
    return Filter(sets.of_paths(*found))
