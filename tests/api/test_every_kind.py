"""The life of an object of every kind over HTTP: the statuses, reasons and fields that the API reference and conventions promise."""

from __future__ import annotations

import copy
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.apimachinery.resources import ResourceTable, ResourceType
from tests.api.serving import Answer, Api

TABLE = ResourceTable()
MERGE = "application/merge-patch+json"
AS_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
AS_METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
AS_METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
OBJECTS = yaml.safe_load((Path(__file__).parent / "objects.yaml").read_text())
DUE_LATER = frozenset({"v1alpha1", "v1alpha2", "v1alpha3", "v1beta1", "v1beta2"})
NO_MANIFEST = frozenset({"certificatesigningrequests", "servicecidrs", "ipaddresses", "podcertificaterequests", "clustertrustbundles"})
"""Kinds whose objects need something generated or have tests of their own."""


def _id(obj: dict[str, Any]) -> str:
    return f"{obj['apiVersion']}.{obj['kind']}"


def resource_of(obj: dict[str, Any]) -> ResourceType:
    found = TABLE.by_kind(obj["apiVersion"], obj["kind"])
    assert found is not None
    return found


class Life:
    """One object of a kind, its paths, and how to ask for it."""

    def __init__(self, api: Api, template: dict[str, Any], name: str) -> None:
        self.api = api
        self.resource = resource_of(template)
        fixed = (template.get("metadata") or {}).get("name")
        self.name = fixed or name
        self.body = copy.deepcopy(template) | {"metadata": {"name": self.name, "labels": {"life": name}}}
        self.collection = self.resource.path("default" if self.resource.namespaced else "")
        self.path = f"{self.collection}/{self.name}"

    def create(self, query: str = "") -> Answer:
        return self.api("POST", self.collection + query, self.body)


@pytest.fixture(params=OBJECTS, ids=_id)
def life(api: Api, request: pytest.FixtureRequest) -> Life:
    made = Life(api, request.param, f"x{zlib.crc32(request.node.name.encode()):08x}")
    api("DELETE", made.path)
    return made


def _without_status(obj: dict[str, Any]) -> dict[str, Any]:
    """The server itself fills in some statuses a moment later."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    meta["managedFields"] = [owner for owner in meta.get("managedFields") or () if owner.get("subresource") != "status"]
    return {**obj, "metadata": meta, "status": None}


def _put(life: Life, annotations: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any], Answer]:
    """(what was there, what was put, the answer): again where the server filled in the status in between."""
    for _ in range(5):
        old = life.api("GET", life.path).body
        changed = {**old, "metadata": {**old["metadata"], "annotations": annotations}}
        answer = life.api("PUT", life.path, changed)
        if answer.status != 409:
            break
    return old, changed, answer


def _alike(event: dict[str, Any], before: dict[str, Any]) -> bool:
    return _without_status(event["object"]) == _without_status(before["object"])


def assert_status(answer: Answer, code: int, reason: str) -> dict[str, Any]:
    """A v1 Status whose code is the HTTP status."""
    assert answer.status == code, answer.body
    status: dict[str, Any] = answer.body
    assert status["kind"] == "Status" and status["apiVersion"] == "v1" and status["status"] == "Failure"
    assert status["code"] == code and status["reason"] == reason and status["message"]
    return status


def test_there_is_an_object_for_every_stable_kind() -> None:
    creatable = {
        (entry.api_version, entry.kind)
        for entry in TABLE
        if "create" in entry.verbs and "delete" in entry.verbs and entry.version not in DUE_LATER and entry.plural not in NO_MANIFEST
    }
    assert creatable - {(obj["apiVersion"], obj["kind"]) for obj in OBJECTS} == set()


def test_create_answers_the_object_with_what_the_server_adds(life: Life) -> None:
    answer = life.create()
    assert answer.status == 201, answer.body
    made = answer.body
    assert (made["apiVersion"], made["kind"]) == (life.resource.api_version, life.resource.kind)
    meta = made["metadata"]
    assert meta["name"] == life.name and UUID.fullmatch(meta["uid"]) and meta["resourceVersion"].isdigit()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta["creationTimestamp"])
    assert meta.get("namespace") == ("default" if life.resource.namespaced else None)
    read = life.api("GET", life.path).body
    assert _without_status(read) == _without_status(made)
    again = assert_status(life.create(), 409, "AlreadyExists")
    assert again["message"] == f'{life.resource.group_resource} "{life.name}" already exists'
    assert again["details"]["name"] == life.name and again["details"]["kind"] == life.resource.plural


def test_lists_and_selections_hold_it(life: Life) -> None:
    life.create()
    kind = life.resource.kind
    found = life.api("GET", f"{life.collection}?labelSelector=life%3D{life.body['metadata']['labels']['life']}").body
    assert found["kind"] == f"{kind}List" and found["apiVersion"] == life.resource.api_version
    assert [item["metadata"]["name"] for item in found["items"]] == [life.name]
    assert found["metadata"]["resourceVersion"].isdigit()
    by_name = life.api("GET", f"{life.collection}?fieldSelector=metadata.name%3D{life.name}").body
    assert [item["metadata"]["name"] for item in by_name["items"]] == [life.name]
    assert life.api("GET", f"{life.collection}?labelSelector=life%3Dnever").body["items"] == []
    assert_status(life.api("GET", f"{life.collection}?labelSelector=%3D%3D"), 400, "BadRequest")
    assert_status(life.api("GET", f"{life.collection}?fieldSelector=no.such%3Dx"), 400, "BadRequest")


def test_tables_and_metadata_alone(life: Life) -> None:
    life.create()
    table = life.api("GET", life.path, accept=AS_TABLE).body
    assert table["kind"] == "Table" and table["apiVersion"] == "meta.k8s.io/v1"
    names = [column["name"] for column in table["columnDefinitions"]]
    (row,) = table["rows"]
    assert len(row["cells"]) == len(names) and row["object"]["kind"] == "PartialObjectMetadata"
    if "Name" in names:
        assert row["cells"][names.index("Name")] == life.name
    partial = life.api("GET", life.path, accept=AS_METADATA).body
    assert (partial["kind"], partial["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert partial["metadata"]["name"] == life.name and set(partial) == {"kind", "apiVersion", "metadata"}
    listed = life.api("GET", life.collection, accept=AS_METADATA_LIST).body
    assert listed["kind"] == "PartialObjectMetadataList" and any(i["metadata"]["name"] == life.name for i in listed["items"])


def _given(answer: Answer) -> dict[str, str]:
    """The annotations that are not the server's own."""
    return {key: value for key, value in answer.body["metadata"]["annotations"].items() if not key.startswith("deprecated.")}


def test_updates_and_patches(life: Life) -> None:
    life.create()
    old, changed, updated = _put(life, {"note": "1"})
    assert updated.status == 200, updated.body
    assert updated.body["metadata"]["annotations"]["note"] == "1"
    assert updated.body["metadata"]["uid"] == old["metadata"]["uid"]
    assert int(updated.body["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    conflict = assert_status(life.api("PUT", life.path, changed), 409, "Conflict")
    assert "the object has been modified; please apply your changes to the latest version and try again" in conflict["message"]
    if life.resource.plural == "controllerrevisions":
        return  # a real API server refuses every patch of one: it compares the data in two representations
    merged = life.api("PATCH", life.path, {"metadata": {"annotations": {"note": None, "other": "2"}}}, content_type=MERGE)
    assert merged.status == 200 and _given(merged) == {"other": "2"}
    operations = [{"op": "replace", "path": "/metadata/annotations/other", "value": "3"}]
    patched = life.api("PATCH", life.path, operations, content_type="application/json-patch+json")
    assert patched.status == 200 and _given(patched) == {"other": "3"}
    strategic = "application/strategic-merge-patch+json"
    same = life.api("PATCH", life.path, {"metadata": {"annotations": {"other": "3"}}}, content_type=strategic)
    assert same.status == 200 and same.body["metadata"]["resourceVersion"] == patched.body["metadata"]["resourceVersion"]
    assert_status(life.api("PATCH", life.path, {}, content_type="text/plain"), 415, "UnsupportedMediaType")


def test_dry_run_and_refused_writes_leave_nothing(life: Life) -> None:
    life.api("DELETE", life.path)
    assert life.create("?dryRun=All").status == 201
    assert_status(life.api("GET", life.path), 404, "NotFound")
    typo = {**life.body, "notAField": 1}
    strict = assert_status(life.api("POST", f"{life.collection}?fieldValidation=Strict", typo), 400, "BadRequest")
    assert 'strict decoding error: unknown field "notAField"' in strict["message"]
    warned = life.api("POST", f"{life.collection}?fieldValidation=Warn&dryRun=All", typo)
    assert warned.status == 201 and 'unknown field \\"notAField\\"' in warned.headers["warning"]
    assert_status(life.api("POST", life.collection, {**life.body, "kind": "Nonsense"}), 400, "BadRequest")
    assert_status(life.api("POST", life.collection, {**life.body, "metadata": {"name": "a/b"}}), 422, "Invalid")
    assert_status(life.api("POST", life.collection, "{", content_type="application/json"), 400, "BadRequest")
    assert_status(life.api("GET", life.path), 404, "NotFound")


def _is_over(event: dict[str, Any]) -> bool:
    return event["type"] == "DELETED" or "deletionTimestamp" in event["object"]["metadata"]


def test_a_watch_tells_the_whole_life(life: Life) -> None:
    life.api("DELETE", life.path)
    start = life.api("GET", life.collection).body["metadata"]["resourceVersion"]
    made = life.create().body
    patched = _put(life, {"a": "b"})[2].body
    query = "?gracePeriodSeconds=0"
    assert life.api("DELETE", life.path + query).status == 200
    selection = f"fieldSelector=metadata.name%3D{life.name}"
    seen = life.api.watch(f"{life.collection}?watch=1&resourceVersion={start}&timeoutSeconds=20&{selection}", _is_over)
    events = [event for n, event in enumerate(seen) if event["type"] != "MODIFIED" or not _alike(event, seen[n - 1])]
    kinds = [event["type"] for event in events]
    if kinds == ["ADDED", "MODIFIED", "MODIFIED"]:  # finalizers, or a namespace's own, hold it back
        assert events[2]["object"]["metadata"]["deletionTimestamp"]
        return
    assert kinds == ["ADDED", "MODIFIED", "DELETED"]
    assert [_without_status(event["object"]) for event in events[:2]] == [_without_status(made), _without_status(patched)]
    gone = events[2]["object"]
    assert gone["metadata"]["uid"] == made["metadata"]["uid"]
    assert int(gone["metadata"]["resourceVersion"]) > int(patched["metadata"]["resourceVersion"])


def test_delete_with_preconditions(life: Life) -> None:
    made = life.create()
    uid = (made.body if made.status == 201 else life.api("GET", life.path).body)["metadata"]["uid"]
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}
    assert_status(life.api("DELETE", life.path, options), 409, "Conflict")
    assert life.api("GET", life.path).status == 200
    answer = life.api("DELETE", life.path, {**options, "preconditions": {"uid": uid}, "gracePeriodSeconds": 0})
    assert answer.status == 200, answer.body
    left = life.api("GET", life.path)
    if left.status == 200:
        assert left.body["metadata"]["deletionTimestamp"]
    else:
        missing = assert_status(left, 404, "NotFound")
        assert missing["message"] == f'{life.resource.group_resource} "{life.name}" not found'
