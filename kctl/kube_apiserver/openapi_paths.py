"""The paths part of the OpenAPI documents: one operation for each verb of each resource in the table.

Clients read from it which query parameters (dryRun, fieldValidation) and which kinds of patch a resource takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.apimachinery.resources import ResourceType, Subresource

Document = dict[str, Any]
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", _STRATEGIC, "application/apply-patch+yaml")
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_QUERY = {
    "post": _WRITE,
    "put": _WRITE,
    "patch": (*_WRITE, "force"),
    "get": (),
    "list": _LIST,
    "delete": ("dryRun", "gracePeriodSeconds", "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents", "propagationPolicy"),
    "deletecollection": ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy", *_LIST[:-1]),
}
_TYPES = {
    "limit": "integer",
    "timeoutSeconds": "integer",
    "gracePeriodSeconds": "integer",
    "watch": "boolean",
    "force": "boolean",
    "allowWatchBookmarks": "boolean",
    "sendInitialEvents": "boolean",
    "orphanDependents": "boolean",
    "ignoreStoreReadErrorWithClusterBreakingPotential": "boolean",
}
_COLLECTION = {"post": "create", "list": "list", "deletecollection": "deletecollection"}
_ITEM = {"get": "get", "put": "update", "patch": "patch", "delete": "delete"}
_ACTIONS = {
    "post": "post",
    "list": "list",
    "deletecollection": "deletecollection",
    "get": "get",
    "put": "put",
    "patch": "patch",
    "delete": "delete",
}


class Paths:
    """Operations of one group version, in the form of OpenAPI v3 (default) or v2."""

    def __init__(self, types: dict[str, str], *, v2: bool = False, strategic: bool = True) -> None:
        """`types`: 'apps/v1/Deployment' to full type name. `strategic`: whether there are strategic merge patches."""
        self._types = types
        self._strategic = strategic
        self._v2 = v2

    def of(self, resources: Iterable[ResourceType]) -> Document:
        paths: Document = {}
        for entry in resources:
            space = "{namespace}" if entry.namespaced else ""
            collection, item = entry.path(space), entry.path(space, "{name}")
            paths[collection] = self._operations(entry, collection, _COLLECTION, entry.verbs, entry.api_version, entry.kind)
            one = self._operations(entry, item, _ITEM, entry.verbs, entry.api_version, entry.kind)
            if one:
                paths[item] = one
            if entry.namespaced and "list" in entry.verbs:
                everywhere = entry.path()
                paths[everywhere] = self._operations(entry, everywhere, {"list": "list"}, ("list",), entry.api_version, entry.kind)
            for sub in entry.subresources:
                paths[f"{item}/{sub.name}"] = self._below(entry, f"{item}/{sub.name}", sub)
        return {path: operations for path, operations in sorted(paths.items()) if operations}

    def _below(self, entry: ResourceType, path: str, sub: Subresource) -> Document:
        version = entry.api_version
        if sub.version:
            version = f"{sub.group}/{sub.version}" if sub.group else sub.version
        methods = {"post": "create", **_ITEM}
        return self._operations(entry, path, methods, sub.verbs, version, sub.kind, sub.name)

    def _operations(
        self,
        entry: ResourceType,
        path: str,
        methods: dict[str, str],
        verbs: Iterable[str],
        version: str,
        kind: str,
        sub: str = "",
    ) -> Document:
        found: Document = {}
        for name, verb in methods.items():
            if verb in verbs:
                method = {"list": "get", "deletecollection": "delete"}.get(name, name)
                found[method] = self._operation(entry, name, version, kind, path, sub)
        if found:
            found["parameters"] = [self._parameter(part, "path") for part in ("name", "namespace") if f"{{{part}}}" in path]
            found["parameters"].append(self._parameter("pretty", "query"))
        return found

    def _operation(self, entry: ResourceType, name: str, version: str, kind: str, path: str, sub: str) -> Document:
        group, _, short = version.rpartition("/")
        type_name = self._types.get(f"{version}/{kind}", "")
        answer = type_name
        if name == "list":
            answer = self._types.get(f"{version}/{kind}List", "")
        elif name in ("delete", "deletecollection"):
            answer = META + "Status"
        title = "".join(part.capitalize() for part in (entry.group.split(".")[0] or "core", entry.version))
        scope = "Namespaced" if "{namespace}" in path else ""
        tail = "ForAllNamespaces" if entry.namespaced and not scope else sub.capitalize()
        verbs = {"post": "create", "put": "replace", "get": "read", "deletecollection": "deleteCollection"}
        operation: Document = {
            "tags": [f"{entry.group.split('.')[0] or 'core'}_{entry.version}"],
            "operationId": f"{verbs.get(name, name)}{title}{scope}{entry.kind}{tail}",
            "x-kubernetes-action": _ACTIONS[name],
            "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": short},
            "parameters": [self._parameter(parameter, "query") for parameter in _QUERY[name]],
        }
        self._bodies(operation, entry, name, type_name, answer)
        return operation

    def _bodies(self, operation: Document, entry: ResourceType, name: str, type_name: str, answer: str) -> None:
        body = {"post": type_name, "put": type_name, "patch": META + "Patch"}.get(name, "")
        if name in ("delete", "deletecollection"):
            body = META + "DeleteOptions"
        patches = [kind for kind in _PATCHES if kind != _STRATEGIC or (type_name and self._strategic)]
        reference = "#/definitions/" if self._v2 else "#/components/schemas/"
        codes = {"200": "OK", **({"201": "Created"} if name in ("post", "put", "patch") else {})}
        if self._v2:
            if body:
                operation["parameters"].append({"in": "body", "name": "body", "schema": {"$ref": reference + body}})
            operation["consumes"] = patches if name == "patch" else ["*/*"]
            operation["produces"] = ["application/json", "application/yaml"]
            schema: Document = {"schema": {"$ref": reference + answer}} if answer else {}
            operation["responses"] = {code: {"description": text, **schema} for code, text in codes.items()}
            return
        if body:
            media = patches if name == "patch" else ["*/*"]
            operation["requestBody"] = {"content": {kind: {"schema": {"$ref": reference + body}} for kind in media}}
        content = {"application/json": {"schema": {"$ref": reference + answer}}} if answer else {}
        operation["responses"] = {code: {"description": text, "content": content} for code, text in codes.items()}

    def _parameter(self, name: str, where: str) -> Document:
        kind = _TYPES.get(name, "string")
        head: Document = {"name": name, "in": where}
        if where == "path":
            head["required"] = True
        return {**head, **({"type": kind} if self._v2 else {"schema": {"type": kind}}), "uniqueItems": True}
