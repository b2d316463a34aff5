"""The OpenAPI documents hold what clients look for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.apimachinery.resources import ResourceTable
from kctl.apimachinery.schema import enums
from kctl.apimachinery.status import NotAcceptable
from kctl.kube_apiserver import openapi
from kctl.kube_apiserver.response import has_tag

TABLE = ResourceTable()


def get(path: str, accept: str = "application/json", **query: str) -> Any:
    answer = openapi.answer(TABLE, path, accept, query)
    assert answer is not None
    return json.loads(answer.body)


def references(value: Any) -> set[str]:
    found = set()
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            found.add(value["$ref"])
        for item in value.values():
            found |= references(item)
    elif isinstance(value, list):
        for item in value:
            found |= references(item)
    return found


@pytest.mark.parametrize("name", sorted(openapi.index(TABLE)["paths"]))
def test_documents_are_closed_and_every_kind_is_there(name: str) -> None:
    document = get(f"/openapi/v3/{name}")
    schemas = document["components"]["schemas"]
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} <= set(schemas)
    kinds = {gvk["kind"] for schema in schemas.values() for gvk in schema.get("x-kubernetes-group-version-kind", ())}
    group_version = name.removeprefix("apis/").removeprefix("api/")
    assert {entry.kind for entry in TABLE if entry.api_version == group_version} <= kinds


def test_patch_operations_name_their_parameters_and_media_types() -> None:
    paths = get("/openapi/v3/apis/apps/v1")["paths"]
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "kind": "Deployment", "version": "v1"}
    assert {"dryRun", "fieldValidation", "fieldManager", "force"} <= {entry["name"] for entry in patch["parameters"]}
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]
    assert "/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale" in paths


def test_schemas_have_merge_keys_and_no_null_types() -> None:
    schemas = get("/openapi/v3/api/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["type"] == "array"
    assert "null" not in json.dumps(schemas["io.k8s.api.core.v1.Pod"]["properties"]["kind"])


def test_index_hashes_are_those_of_the_documents() -> None:
    url = openapi.index(TABLE)["paths"]["apis/apps/v1"]["serverRelativeURL"]
    digest = url.partition("?hash=")[2]
    answer = openapi.answer(TABLE, "/openapi/v3/apis/apps/v1", "", {"hash": digest})
    assert answer is not None
    assert answer.headers["ETag"] == f'"{digest}"'
    assert "immutable" in answer.headers["Cache-Control"]


def test_v2_document() -> None:
    document = get("/openapi/v2")
    assert document["swagger"] == "2.0"
    assert {r.removeprefix("#/definitions/") for r in references(document)} <= set(document["definitions"])


def test_unknown_documents_and_protobuf() -> None:
    unknown = openapi.answer(TABLE, "/openapi/v3/apis/nope/v1", "", {})
    assert unknown is not None and (unknown.status, unknown.body, unknown.content_type) == (404, b"", "")
    assert openapi.answer(TABLE, "/openapi/nope", "", {}) is None
    with pytest.raises(NotAcceptable):
        openapi.answer(TABLE, "/openapi/v3/api/v1", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf", {})
    v2 = openapi.answer(TABLE, "/openapi/v2", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", {})
    assert v2 is not None and v2.content_type.endswith("+protobuf")


def test_enumerations_belong_to_string_fields() -> None:
    definitions = openapi.bundle.descriptions()
    fields: dict[str, str] = {}
    for name in definitions.names():
        for field, schema in (definitions.entry(name).get("properties") or {}).items():
            fields[f"{name.rpartition('.')[2]}.{field}"] = json.dumps(schema.get("type"))
    assert {key: fields.get(key) for key in enums._VALUES if "string" not in fields.get(key, "")} == {}
    assert {key: fields.get(key) for key in enums._ITEMS if "array" not in fields.get(key, "")} == {}
    pod = get("/openapi/v3/api/v1")["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]
    assert pod["restartPolicy"]["enum"] == ["Always", "Never", "OnFailure"]


def test_who_has_a_document_is_told_so() -> None:
    for path in ("/openapi/v2", "/openapi/v3/api/v1"):
        first = openapi.answer(TABLE, path, "application/json", {})
        assert first is not None and len(first.body) > 1000
        tag = first.headers["ETag"]
        known = openapi.answer(TABLE, path, "application/json", {}, known=f'"other", W/{tag}')
        assert known is not None and known.body == b"" and known.headers["ETag"] == tag
        assert first.headers["Vary"] == "Accept"
    index = openapi.answer(TABLE, "/openapi/v3", "", {})
    fewer = openapi.answer(tuple(TABLE)[1:], "/openapi/v3", "", {})
    assert index is not None and fewer is not None and index.headers["ETag"] != fewer.headers["ETag"]


@pytest.mark.parametrize(
    ("known", "same"),
    [('"a"', True), ('"b", "a"', True), ('W/"a"', True), ("*", True), ("", False), ('"b"', False), ("a", False)],
)
def test_entity_tags(known: str, same: bool) -> None:
    assert has_tag(known, '"a"') is same
    assert not has_tag(known, "")
