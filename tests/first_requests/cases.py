"""One request of every verb on every served resource, and of every path that is no resource."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from kctl.apimachinery.resources import ResourceTable, ResourceType
from tests.fuzz import protobuf_writer
from tests.fuzz.exchange import request_bytes
from tests.fuzz.objects import examples
from tests.fuzz.server import TOKEN

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AS_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
PATCHES = {
    "application/json-patch+json": [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}],
    "application/merge-patch+json": {"metadata": {"labels": {"a": "b"}}},
    "application/strategic-merge-patch+json": {"metadata": {"labels": {"a": "b"}}},
    "application/apply-patch+yaml": {},
}
_OBJECTS = Path(__file__).parents[1] / "api" / "objects.yaml"
_BESIDES: dict[str, dict[str, Any]] = {
    "scale": {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 1}},
    "eviction": {"apiVersion": "policy/v1", "kind": "Eviction"},
    "binding": {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n"}},
    "token": {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}},
}
"""What subresources take that are of another kind than the object."""


@dataclass(frozen=True)
class Case:
    name: str
    """`apps/v1 deployments create protobuf`"""
    raw: bytes

    @property
    def sort(self) -> str:
        """What is done, whatever it is done to; paths are all of one sort."""
        return "path" if "GET /" in self.name else self.name.split(" ", 2)[2] + self.name.partition("/status")[1]


@cache
def _objects() -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for obj in [*yaml.safe_load(_OBJECTS.read_text()), *examples()]:
        found.setdefault((obj["apiVersion"], obj["kind"]), obj)
        found.setdefault((obj["apiVersion"].rpartition("/")[0], obj["kind"]), obj)
    return found


def object_of(resource: ResourceType, name: str = "x") -> dict[str, Any]:
    """One that is valid, or of nothing but its type where there is none in the files."""
    objects = _objects()
    found = objects.get((resource.api_version, resource.kind)) or objects.get((resource.group, resource.kind)) or {}
    meta = found.get("metadata") or {}
    fixed = meta.get("name") if resource.plural in ("customresourcedefinitions", "apiservices") else None
    made = {**found, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": fixed or name, "labels": {"x": "b"}}}
    if resource.plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings"):
        made["metadata"].pop("labels")
    return made


def _request(method: str, path: str, content_type: str = "", accept: str = JSON, body: bytes | None = None) -> bytes:
    headers: list[tuple[str, str | bytes]] = [("Authorization", f"Bearer {TOKEN}"), ("Accept", accept)]
    if content_type:
        headers.append(("Content-Type", content_type))
    return request_bytes(method, path, headers, body)


def other_paths(table: ResourceTable) -> Iterator[Case]:
    paths = [
        "/",
        "/api",
        "/apis",
        "/version",
        "/metrics",
        "/healthz",
        "/livez",
        "/readyz?verbose",
        "/openapi/v2",
        "/openapi/v3",
        "/nothing",
    ]
    for entry in table:
        paths.append(entry.root_path)
        paths.append(f"/openapi/v3{entry.root_path}")
        if entry.group:
            paths.append(f"/apis/{entry.group}")
    for path in dict.fromkeys(paths):
        yield Case(f"GET {path}", _request("GET", path))
    for path in ("/api", "/apis"):
        yield Case(f"GET {path} aggregated", _request("GET", path, accept=AGGREGATED))
    yield Case("GET /version with a signed token", request_bytes("GET", "/version", [("Authorization", "Bearer a.b.c")]))
    yield Case("GET /openapi/v2 protobuf", _request("GET", "/openapi/v2", accept=OPENAPI_PROTOBUF))


def creations(resource: ResourceType, namespace: str = "default", name: str = "x") -> Iterator[Case]:
    obj = object_of(resource, name)
    path = resource.path(namespace)
    label = f"{resource.api_version} {resource.plural} create"
    yield Case(label, _request("POST", path, JSON, body=orjson.dumps(obj)))
    yield Case(f"{label} yaml", _request("POST", path, YAML, body=yaml.safe_dump(obj).encode()))
    packed = protobuf_writer.encode(obj)
    if packed is not None:
        yield Case(f"{label} protobuf", _request("POST", path, PROTOBUF, body=packed))


def of_resource(resource: ResourceType) -> Iterator[Case]:
    """`new` does not exist yet, `x` does where it could be created."""
    label, collection = f"{resource.api_version} {resource.plural}", resource.path("default")
    obj = object_of(resource)
    path = f"{collection}/{obj['metadata']['name']}"
    if "create" in resource.verbs:
        yield from creations(resource, name="new")
    if "list" in resource.verbs:
        yield Case(f"{label} list", _request("GET", collection))
        yield Case(f"{label} table", _request("GET", collection, accept=AS_TABLE))
        yield Case(f"{label} metadata", _request("GET", collection, accept=AS_METADATA))
        yield Case(f"{label} select", _request("GET", f"{collection}?fieldSelector=metadata.name%3Dx&labelSelector=a%3Db"))
    if "watch" in resource.verbs:
        yield Case(f"{label} watch", _request("GET", f"{collection}?watch=1&timeoutSeconds=1"))
        yield Case(f"{label} watch table", _request("GET", f"{collection}?watch=1&timeoutSeconds=1", accept=AS_TABLE))
    if "get" in resource.verbs:
        yield Case(f"{label} get", _request("GET", path))
        yield Case(f"{label} get yaml", _request("GET", path, accept=YAML))
    if "update" in resource.verbs:
        yield Case(f"{label} update", _request("PUT", path, JSON, body=orjson.dumps(obj)))
    if "patch" in resource.verbs:
        for media, patch in PATCHES.items():
            yield Case(
                f"{label} {media.partition('/')[2]}", _request("PATCH", f"{path}?fieldManager=m", media, body=orjson.dumps(patch or obj))
            )
    if "delete" in resource.verbs:
        yield Case(f"{label} delete", _request("DELETE", path))
    if "deletecollection" in resource.verbs:
        yield Case(f"{label} deletecollection", _request("DELETE", f"{collection}?labelSelector=a%3Dno"))
    for sub in resource.subresources:
        below = _BESIDES.get(sub.name)
        body = {**below, "metadata": {"name": "x"}} if below else obj
        methods = {"get": "GET", "update": "PUT", "patch": "PATCH", "create": "POST"}
        for verb in sub.verbs:
            if verb in methods:
                sent = PATCHES["application/merge-patch+json"] if verb == "patch" else body
                media = "application/merge-patch+json" if verb == "patch" else JSON
                raw = None if verb == "get" else orjson.dumps(sent)
                yield Case(f"{label}/{sub.name} {verb}", _request(methods[verb], f"{path}/{sub.name}", media, body=raw))


def all_cases(table: ResourceTable) -> Iterator[Case]:
    yield from other_paths(table)
    for resource in table:
        yield from of_resource(resource)


def sample(table: ResourceTable) -> list[list[Case]]:
    """By what is done: it is done to one resource of each group, for groups are imported as a whole, and to those that are answered by code
    of their own. What one of a list finds missing the others find there, so that a mistake shows at the first."""
    groups: set[str] = set()
    by_sort: dict[str, list[Case]] = {}
    for case in other_paths(table):
        by_sort.setdefault("path" if case.name.count("/") < 4 else "", []).append(case)
    del by_sort[""]
    for resource in table:
        if resource.group not in groups or resource.plural in ("componentstatuses", "pods", "serviceaccounts", "deployments"):
            groups.add(resource.group)
            for case in of_resource(resource):
                by_sort.setdefault(case.sort, []).append(case)
    return list(by_sort.values())
