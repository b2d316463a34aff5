"""The official conformance tests of field validation: unknown and duplicate fields, of built-in kinds and of custom resources."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.user import ADMIN
from tests.conformance.api import Api, api
from tests.conformance.custom_resources import ALLOW_ALL, Schema, define, definition, objects_path, version

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments?fieldManager=field_validation_mgr&fieldValidation=Strict"
POD_TEMPLATE = '{"metadata": {"labels": {"app": "nginx"}}, "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}}'
PORT = {
    "type": "object",
    "required": ["containerPort", "protocol"],
    "properties": {
        "containerPort": {"type": "integer", "format": "int32"},
        "hostIP": {"type": "string"},
        "hostPort": {"type": "integer", "format": "int32"},
        "name": {"type": "string"},
        "protocol": {"type": "string"},
    },
}
CRON_SPEC = {
    "foo": {"type": "string"},
    "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
    "ports": {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
        "items": PORT,
    },
}
EMBEDDED = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
        "spec": {"type": "object"},
    },
}
REST = """\
  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP
"""


def spec(**more: Any) -> Schema:
    return {"type": "object", "properties": {"spec": {"type": "object", **more, "properties": {**CRON_SPEC, **more.get("properties", {})}}}}


def document(metadata: str = "", top: str = "", fields: str = "  foo: foo1\n") -> str:
    head = "apiVersion: mygroup.example.com/v1beta1\nkind: Noxu\nmetadata:\n  name: mytest\n"
    return f"{head}{metadata}  finalizers:\n  - test-finalizer\n{top}spec:\n{fields}{REST}"


async def applied(made: Api, schema: Schema, text: str) -> tuple[int, str]:
    """Status, and message of a refusal, of a strict apply to a definition with two versions."""
    obj = definition(version("v1beta1", schema), version("v1beta2", schema, storage=False), plural="noxus")
    await define(made, obj)
    status, told = await made.apply(f"{objects_path(obj)}/mytest", text, "&fieldValidation=Strict")
    return status, told.get("message", "")


async def refused(metadata: str, spec: str) -> str:
    """The message of a refused Deployment. Bodies are text, since fields are in it twice."""
    text = f"""{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "my-dep", {metadata} "labels": {{"app": "nginx"}}}},
        "spec": {{{spec} "selector": {{"matchLabels": {{"app": "nginx"}}}}, "template": {POD_TEMPLATE}}}}}"""
    async with api() as made:
        answer = await made.server.handle_raw("POST", DEPLOYMENTS, {}, text.encode(), {"Content-Type": "application/json"}, ADMIN)
        assert answer.status == 400
        assert (await made.get("/apis/apps/v1/deployments"))["items"] == []
        return answer.body.decode()


async def test_unknown_and_duplicate_fields_of_a_typed_object() -> None:
    """[sig-api-machinery] FieldValidation should detect unknown and duplicate fields of a typed object [Conformance]"""
    message = await refused("", '"unknownField": "foo", "replicas": 2, "replicas": 3,')
    assert r"strict decoding error: unknown field \"spec.unknownField\", duplicate field \"spec.replicas\"" in message


async def test_unknown_metadata_of_a_typed_object() -> None:
    """[sig-api-machinery] FieldValidation should detect unknown metadata fields of a typed object [Conformance]"""
    assert r"strict decoding error: unknown field \"metadata.unknownMeta\"" in await refused('"unknownMeta": "foo",', "")


async def test_a_valid_custom_resource() -> None:
    """[sig-api-machinery] FieldValidation should create/apply a valid CR for CRD with validation schema [Conformance]"""
    async with api() as made:
        assert await applied(made, spec(), document()) == (201, "")


async def test_unknown_fields_where_there_is_no_schema() -> None:
    """[sig-api-machinery] FieldValidation should create/apply a CR with unknown fields for CRD with no validation schema [Conformance]"""
    async with api() as made:
        assert await applied(made, ALLOW_ALL, document(fields="  unknown: uk1\n")) == (201, "")


async def test_unknown_fields_where_there_is_a_schema() -> None:
    """[sig-api-machinery] FieldValidation should create/apply an invalid CR with extra properties for CRD with validation schema
    [Conformance]"""
    async with api() as made:
        status, message = await applied(made, spec(), document(top="unknownField: unknown\n"))
        assert status == 500 and ".unknownField: field not declared in schema" in message


async def test_unknown_metadata_in_an_embedded_object() -> None:
    """[sig-api-machinery] FieldValidation should detect unknown metadata fields in both the root and embedded object of a CR
    [Conformance]"""
    template = """\
  template:
    apiversion: foo/v1
    kind: Sub
    metadata:
      unknownSubMeta: unknown
      name: subobject
      namespace: default
"""
    schema = spec(**{"x-kubernetes-preserve-unknown-fields": True, "properties": {"template": EMBEDDED}})
    async with api() as made:
        status, message = await applied(made, schema, document("  unknownMeta: unknown\n", fields=template + "  foo: foo1\n"))
        assert status == 500
        # of each object the first field that is not declared is told
        assert ".metadata.unknownMeta: field not declared in schema" in message
        assert ".spec.template.apiversion: field not declared in schema" in message


async def test_duplicate_fields_of_a_custom_resource() -> None:
    """[sig-api-machinery] FieldValidation should detect duplicates in a CR when preserving unknown fields [Conformance]"""
    fields = "  unknown: uk1\n  foo: foo1\n  foo: foo2\n"
    async with api() as made:
        status, message = await applied(made, spec(**{"x-kubernetes-preserve-unknown-fields": True}), document(fields=fields))
        # the official document begins with an empty line
        assert status == 400 and 'line 10: key "foo" already set in map' in message
