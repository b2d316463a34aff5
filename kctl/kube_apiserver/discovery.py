"""Discovery: which groups, versions and resources exist; all of it read from the resource table.

Legacy documents (/api, /apis, /apis/<group>, /api/v1, /apis/<group>/<version>) and the aggregated ones, which clients ask for
with an Accept header naming APIGroupDiscoveryList.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from kctl.apimachinery.resources import ResourceTable, ResourceType, Subresource
from kctl.kube_apiserver import media_types

Document = dict[str, Any]
AGGREGATED_V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_STORED_AS: Mapping[tuple[str, str], str] = {
    ("events.k8s.io", "Event"): "/v1/Event",
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy",
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
    ): "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicyBinding",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "apiextensions.k8s.io/v1beta1/CustomResourceDefinition",
}
"""Group/version/kind hashed for resources whose stored version is not the preferred one."""


def wants_aggregated(accept: str) -> str:
    """The content type of the aggregated answer an Accept header prefers to plain JSON; '' for the legacy one."""
    for offer in media_types.offers(accept):
        media, _, rest = offer.strip().partition(";")
        parameters = dict(part.strip().partition("=")[::2] for part in rest.split(";") if part)
        if media == "application/json" and parameters.get("as") == "APIGroupDiscoveryList":
            if parameters.get("g") == "apidiscovery.k8s.io" and parameters.get("v") == "v2":
                return AGGREGATED_V2
        elif media in ("application/json", "*/*", "application/*") and "as" not in parameters:
            return ""
    return ""


def _groups(table: ResourceTable) -> list[str]:
    """Named groups, in the order of the table."""
    return [group for group in dict.fromkeys(entry.group for entry in table) if group]


def _served(table: ResourceTable, group: str, version: str) -> list[ResourceType]:
    return sorted((entry for entry in table if entry.group == group and entry.version == version), key=lambda entry: entry.plural)


def api_versions(server_address: str) -> Document:
    """GET /api. `server_address` is host:port."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def _group(table: ResourceTable, group: str) -> Document:
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in table.versions(group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def api_group_list(table: ResourceTable) -> Document:
    """GET /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(table, group) for group in _groups(table)]}


def api_group(table: ResourceTable, group: str) -> Document | None:
    """GET /apis/<group>; None where there is no such group."""
    if not group or not table.versions(group):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(table, group)}


def api_resource_list(table: ResourceTable, group: str, version: str) -> Document | None:
    """GET /api/v1 or /apis/<group>/<version>; None where it is not served."""
    served = _served(table, group, version)
    if not served:
        return None
    rows = [row for entry in served for row in _legacy_rows(entry, table)]
    head = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    return {**head, "groupVersion": f"{group}/{version}" if group else version, "resources": rows}


def _legacy_rows(entry: ResourceType, table: ResourceTable) -> Iterable[Document]:
    row: Document = {
        "name": entry.plural,
        "singularName": entry.singular,
        "namespaced": entry.namespaced,
        "kind": entry.kind,
        "verbs": list(entry.verbs),
    }
    if entry.short_names:
        row["shortNames"] = list(entry.short_names)
    if entry.categories:
        row["categories"] = list(entry.categories)
    if "create" in entry.verbs and "list" in entry.verbs:
        row["storageVersionHash"] = storage_version_hash(entry, table)
    yield row
    for below in entry.subresources if entry.storage_version else sorted(entry.subresources, key=lambda sub: sub.name):
        more: Document = {"name": f"{entry.plural}/{below.name}", "singularName": "", "namespaced": entry.namespaced}
        if below.version:
            more |= {"group": below.group, "version": below.version}
        yield {**more, "kind": below.kind, "verbs": list(below.verbs)}


def storage_version_hash(entry: ResourceType, table: ResourceTable) -> str:
    """Tells clients when the stored version of a resource changes: a hash of group/version/Kind."""
    stored = _STORED_AS.get((entry.group, entry.kind), "")
    if entry.storage_version:
        stored = f"{entry.group}/{entry.storage_version}/{entry.kind}"
    elif not stored:
        preferred = table.stored(entry.group, entry.plural) or entry
        stored = f"{preferred.group}/{preferred.version}/{preferred.kind}"
    return base64.b64encode(hashlib.sha256(stored.encode()).digest()[:8]).decode()


def aggregated(table: ResourceTable, *, core: bool) -> Document:
    """GET /api (`core`) or /apis as APIGroupDiscoveryList v2."""
    groups = [""] if core else _groups(table)
    items = []
    for group in groups:
        versions = [
            {
                "version": version,
                "resources": [_aggregated_row(entry) for entry in _served(table, group, version)],
                "freshness": "Current",
            }
            for version in table.versions(group)
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


@lru_cache(maxsize=1024)
def _aggregated_row(entry: ResourceType) -> Document:
    own = (entry.group, entry.version) if entry.storage_version else ("", "")
    row: Document = {
        "resource": entry.plural,
        "responseKind": {"group": own[0], "version": own[1], "kind": entry.kind},
        "scope": "Namespaced" if entry.namespaced else "Cluster",
        "singularResource": entry.singular,
        "verbs": list(entry.verbs),
    }
    if entry.short_names:
        row["shortNames"] = list(entry.short_names)
    if entry.categories:
        row["categories"] = list(entry.categories)
    if entry.subresources:
        row["subresources"] = [_aggregated_subresource(sub, own) for sub in sorted(entry.subresources, key=lambda s: s.name)]
    return row


def _aggregated_subresource(sub: Subresource, own: tuple[str, str]) -> Document:
    """`own`: the group and version of a kind without any."""
    group, version = (sub.group, sub.version) if sub.version else own
    return {
        "subresource": sub.name,
        "responseKind": {"group": group, "version": version, "kind": sub.kind},
        "verbs": list(sub.verbs),
    }


def paths(table: ResourceTable) -> list[str]:
    """The API's part of what GET / lists."""
    found = {"/api", "/apis", "/apis/"}
    for entry in table:
        found.add(entry.root_path)
        if entry.group:
            found.add(f"/apis/{entry.group}")
    return sorted(found)
