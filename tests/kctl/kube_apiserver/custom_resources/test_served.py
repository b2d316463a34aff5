"""The life of a definition and of its objects, over the wire."""

from __future__ import annotations

from typing import Any

from kctl.kube_apiserver.custom_resources.definition import version_priority
from tests.kctl.kube_apiserver.custom_resources.definitions import CRDS, GROUP, Api, api, definition, spec_schema, version, widget

MERGE = "application/merge-patch+json"


async def conditions(call: Api, name: str) -> dict[str, tuple[str, str, str]]:
    found = (await call("GET", f"{CRDS}/{name}")).json()["status"]["conditions"] or []
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found}


async def test_a_definition_is_established_and_its_api_appears_and_goes() -> None:
    async with api() as call:
        assert (await call("GET", call.path())).body == b"404 page not found\n"
        await call.define(definition(names={"shortNames": ["wd"], "categories": ["all"]}))
        assert await conditions(call, f"widgets.{GROUP}") == {
            "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
            "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
        }
        assert (await call("GET", call.path())).json() == {
            "kind": "WidgetList",
            "apiVersion": f"{GROUP}/v1",
            "metadata": {"continue": "", "resourceVersion": str(call.served.server.storage.revision)},
            "items": [],
        }
        row = (await call("GET", f"/apis/{GROUP}/v1")).json()["resources"][0]
        assert (row["shortNames"], row["categories"], row["singularName"]) == (["wd"], ["all"], "widget")
        groups = (await call("GET", "/apis")).json()["groups"]
        assert groups[-1]["name"] == GROUP and groups[-1]["preferredVersion"]["version"] == "v1"
        index = (await call("GET", "/openapi/v3")).json()["paths"]
        document = (await call("GET", index[f"apis/{GROUP}/v1"]["serverRelativeURL"])).json()
        assert "com.example.v1.Widget" in document["components"]["schemas"]
        assert "com.example.v1.Widget" in (await call("GET", "/openapi/v2")).json()["definitions"]
        assert (await call("DELETE", f"{CRDS}/widgets.{GROUP}")).status == 200
        await call.until(f"{CRDS}/widgets.{GROUP}", 404)
        for path in (call.path(), f"/apis/{GROUP}", f"/apis/{GROUP}/v1"):
            answer = await call.until(path, 404)
            assert answer.body == b"404 page not found\n"
        assert (await call.until(f"/openapi/v3/apis/{GROUP}/v1", 404)).body == b""


async def test_deleting_a_definition_waits_for_the_finalizers_of_its_objects() -> None:
    async with api() as call:
        await call.define(definition())
        held = widget("held", metadata={"finalizers": ["example.com/hold"]})
        assert (await call("POST", call.path(), held)).status == 201
        assert (await call("POST", call.path(), widget("free"))).status == 201
        deleted = (await call("DELETE", f"{CRDS}/widgets.{GROUP}")).json()
        assert deleted["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        assert deleted["metadata"]["generation"] == 1
        await call.until(call.path("free"), 404)
        held = (await call("GET", call.path("held"))).json()
        assert held["metadata"]["deletionTimestamp"]
        assert (await conditions(call, f"widgets.{GROUP}"))["Terminating"][:2] == ("True", "InstanceDeletionInProgress")
        refused = await call("POST", call.path(), widget("late"))
        why = f'widgets.{GROUP} "late" is forbidden: create not allowed while custom resource definition is terminating'
        assert (refused.status, refused.json()["message"]) == (403, why)
        assert (await call("GET", f"/apis/{GROUP}/v1")).json()["resources"][0]["verbs"] == [
            "delete",
            "deletecollection",
            "get",
            "list",
            "watch",
        ]
        held["metadata"]["finalizers"] = []
        assert (await call("PUT", call.path("held"), held)).status == 200
        await call.until(f"{CRDS}/widgets.{GROUP}", 404)


async def test_a_definition_made_again_begins_empty_and_may_have_another_scope() -> None:
    async with api() as call:
        await call.define(definition())
        assert (await call("POST", call.path(), widget())).status == 201
        assert (await call("DELETE", f"{CRDS}/widgets.{GROUP}")).status == 200
        await call.until(f"{CRDS}/widgets.{GROUP}", 404)
        await call.until_served(definition(), served=False)
        await call.define(definition(scope="Cluster"))
        assert (await call("GET", call.path())).status == 404
        assert (await call("GET", call.path(space=""))).json()["items"] == []
        made = await call("POST", call.path(space=""), widget(metadata={"namespace": "default"}))
        assert made.status == 201 and "namespace" not in made.json()["metadata"]


async def test_names_are_taken_until_their_definition_goes() -> None:
    async with api() as call:
        await call.define(definition(names={"shortNames": ["wd"]}))
        other = definition(plural="others", names={"shortNames": ["wd"]}, kind="Other")
        assert (await call("POST", CRDS, other)).status == 201
        name = f"others.{GROUP}"
        found: dict[str, Any] = {}
        while "NamesAccepted" not in found:
            found = await conditions(call, name)
        assert found["NamesAccepted"] == ("False", "ShortNamesConflict", '"wd" is already in use')
        assert found["Established"] == ("False", "NotAccepted", "not all names are accepted")
        assert (await call("GET", call.path(plural="others"))).status == 404
        assert (await call("DELETE", f"{CRDS}/widgets.{GROUP}")).status == 200
        await call.until(call.path(plural="others"), 200)
        assert (await conditions(call, name))["NamesAccepted"][0] == "True"


async def test_objects_are_settled_and_validated_in_every_way_of_writing() -> None:
    schema = spec_schema(size={"type": "integer", "maximum": 10, "default": 3}, color={"type": "string"})
    async with api() as call:
        await call.define(definition(version(schema=schema)))
        strict = await call("POST", f"{call.path()}?fieldValidation=Strict", widget(spec={"junk": 1}))
        assert strict.json()["message"] == (
            'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.junk"'
        )
        made = await call("POST", call.path(), widget(spec={"junk": 1}))
        assert made.json()["spec"] == {"size": 3} and made.headers["warning"] == '299 - "unknown field \\"spec.junk\\""'
        quiet = await call("POST", f"{call.path()}?fieldValidation=Ignore&dryRun=All", widget("x", {"junk": 1}))
        assert quiet.status == 201 and "warning" not in quiet.headers
        yaml = b"apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: yam}\nspec: {size: 4}\n"
        assert (await call("POST", call.path(), yaml, content_type="application/yaml")).json()["spec"] == {"size": 4}
        patched = await call("PATCH", call.path("w"), {"spec": {"size": 11}}, content_type=MERGE)
        assert patched.json()["message"] == (
            'Widget.example.com "w" is invalid: spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'
        )
        operations = [{"op": "add", "path": "/spec/color", "value": "red"}]
        patched = await call("PATCH", call.path("w"), operations, content_type="application/json-patch+json")
        assert patched.json()["spec"] == {"color": "red", "size": 3} and patched.json()["metadata"]["generation"] == 2
        strategic = await call("PATCH", call.path("w"), {}, content_type="application/strategic-merge-patch+json")
        assert strategic.status == 415
        protobuf = await call("POST", call.path(), b"k8s\x00", content_type="application/vnd.kubernetes.protobuf")
        assert protobuf.status == 415


async def test_a_schema_that_changes_is_what_everything_stored_is_read_by() -> None:
    async with api() as call:
        await call.define(definition(version(schema=spec_schema(a={"type": "string"}, b={"type": "string"}))))
        assert (await call("POST", call.path(), widget(spec={"a": "1", "b": "2"}))).status == 201
        revision = (await call("GET", call.path("w"))).json()["metadata"]["resourceVersion"]
        present = (await call("GET", f"{CRDS}/widgets.{GROUP}")).json()
        present["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = spec_schema(a={"type": "string"}, c={"type": "integer", "default": 5})
        assert (await call("PUT", f"{CRDS}/widgets.{GROUP}", present)).status == 200
        while (found := (await call("GET", call.path("w"))).json())["spec"] != {"a": "1", "c": 5}:
            pass
        assert found["metadata"]["resourceVersion"] == revision
        listed = (await call("GET", f"{call.path()}?resourceVersion={revision}&resourceVersionMatch=Exact")).json()
        assert listed["items"][0]["spec"] == {"a": "1", "c": 5}


async def test_versions_differ_in_what_they_know() -> None:
    old = version("v1beta1", spec_schema(a={"type": "string"}, b={"type": "string", "default": "two"}), storage=False, deprecated=True)
    new = version("v1", spec_schema(a={"type": "string", "default": "one"}))
    async with api() as call:
        await call.define(definition(old, new))
        made = await call("POST", call.path(api_version="v1beta1"), widget(api_version=f"{GROUP}/v1beta1"))
        assert made.json()["spec"] == {"a": "one"} and made.json()["apiVersion"] == f"{GROUP}/v1beta1"
        assert made.headers["warning"] == '299 - "example.com/v1beta1 widget is deprecated; use example.com/v1 widget"'
        assert (await call("GET", call.path("w"))).json()["apiVersion"] == f"{GROUP}/v1"
        listed = (await call("GET", call.path(api_version="v1beta1"))).json()
        assert [item["apiVersion"] for item in listed["items"]] == [f"{GROUP}/v1beta1"]
        present = (await call("GET", f"{CRDS}/widgets.{GROUP}")).json()
        for each in present["spec"]["versions"]:
            each["storage"] = not each["storage"]
        assert (await call("PUT", f"{CRDS}/widgets.{GROUP}", present)).json()["status"]["storedVersions"] == ["v1", "v1beta1"]
        server = call.served.server
        while server.table.by_plural(GROUP, "v1", "widgets").storage_version != "v1beta1":  # type: ignore[union-attr]
            await call("GET", call.path("w"))
        patched = await call("PATCH", call.path("w"), {"metadata": {"labels": {"x": "1"}}}, content_type=MERGE)
        assert patched.json()["spec"] == {"a": "one"}
        stored = server.storage.cache(GROUP, "widgets", True).entries["default/w"].object
        assert stored["apiVersion"] == f"{GROUP}/v1beta1" and stored["spec"] == {"a": "one", "b": "two"}


async def test_status_and_scale_have_what_is_theirs() -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
        },
    }
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}
    async with api() as call:
        await call.define(definition(version(schema=schema, subresources={"status": {}, "scale": scale})))
        made = (await call("POST", call.path(), widget(spec={"replicas": 1}, status={"replicas": 9}))).json()
        assert "status" not in made
        given = {**made, "spec": {"replicas": 7}, "status": {"replicas": 2, "selector": "a=b"}}
        answer = (await call("PUT", call.path("w", tail="status"), given)).json()
        assert (answer["spec"], answer["status"], answer["metadata"]["generation"]) == ({"replicas": 1}, given["status"], 1)
        shown = (await call("GET", call.path("w", tail="scale"))).json()
        assert (shown["spec"], shown["status"]) == ({"replicas": 1}, {"replicas": 2, "selector": "a=b"})
        scaled = await call("PATCH", call.path("w", tail="scale"), {"spec": {"replicas": 5}}, content_type=MERGE)
        assert scaled.json()["spec"] == {"replicas": 5}
        assert (await call("GET", call.path("w"))).json()["metadata"]["generation"] == 2
        assert (await call("GET", call.path("w", tail="log"))).status == 404


async def test_columns_and_selectable_fields() -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "boolean", "jsonPath": ".spec.ready"},
        {"name": "Ports", "type": "string", "jsonPath": ".spec.ports[*].n", "priority": 1},
        {"name": "Since", "type": "date", "jsonPath": ".spec.since"},
        {"name": "Wrong", "type": "integer", "jsonPath": ".spec.word"},
    ]
    async with api() as call:
        fields = [{"jsonPath": ".spec.word"}]
        await call.define(definition(version(additionalPrinterColumns=columns, selectableFields=fields)))
        spec = {"size": 2.7, "ready": True, "ports": [{"n": 1}, {"n": 2}], "since": "never", "word": "x"}
        assert (await call("POST", call.path(), widget(spec=spec))).status == 201
        table = (await call("GET", call.path(), accept="application/json;as=Table;v=v1;g=meta.k8s.io")).json()
        assert table["rows"][0]["cells"] == ["w", 2, True, "1", "<invalid>", None]
        assert [column["priority"] for column in table["columnDefinitions"]] == [0, 0, 0, 1, 0, 0]
        assert len((await call("GET", f"{call.path()}?fieldSelector=spec.word%3Dx")).json()["items"]) == 1
        assert (await call("GET", f"{call.path()}?fieldSelector=spec.word%3Dy")).json()["items"] == []
        refused = await call("GET", f"{call.path()}?fieldSelector=spec.size%3D2")
        assert refused.json()["message"] == "field label not supported: spec.size"


async def test_what_nobody_serves_is_no_path_and_what_one_does_not_do_is_said() -> None:
    async with api() as call:
        await call.define(definition())
        for method, path in (
            ("GET", call.path(api_version="v9")),
            ("GET", call.path(plural="gadgets")),
            ("POST", call.path(space="")),
            ("GET", f"/apis/{GROUP}/v9"),
        ):
            assert (await call(method, path)).body == b"404 page not found\n", path
        refused = await call("PUT", call.path(), widget())
        assert refused.status == 405
        wrong = await call("POST", call.path(), {**widget(), "kind": "Gadget"})
        assert wrong.json()["message"] == 'Gadget.example.com "w" is invalid: kind: Invalid value: "Gadget": must be Widget'


async def test_a_watch_ends_when_its_definition_changes_and_sees_every_write_before() -> None:
    async with api() as call:
        await call.define(definition())
        watcher = await call.served.connect()
        watcher.send(f"{call.path()}?watch=true")
        assert (await watcher.head()).status == 200
        assert (await call("POST", call.path(), widget())).status == 201
        line = b""
        while not line.startswith(b"{"):
            line = await watcher.reader.readline()
        assert b'"type":"ADDED"' in line and b'"apiVersion":"example.com/v1","kind":"Widget"' in line
        present = (await call("GET", f"{CRDS}/widgets.{GROUP}")).json()
        present["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = "new"
        assert (await call("PUT", f"{CRDS}/widgets.{GROUP}", present)).status == 200
        while line.strip() != b"0":
            line = await watcher.reader.readline()


async def test_groups_of_the_project_say_where_they_were_approved() -> None:
    async with api() as call:
        obj = definition()
        obj["spec"]["group"] = "made-up.k8s.io"
        obj["metadata"] = {"name": "widgets.made-up.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}}
        await call.define(obj)
        found = await conditions(call, "widgets.made-up.k8s.io")
        assert found["KubernetesAPIApprovalPolicyConformant"] == (
            "False",
            "UnapprovedAnnotation",
            'not approved: "unapproved, for a test"',
        )


def test_versions_are_ordered_by_how_stable_they_are() -> None:
    names = ["foo10", "v1alpha1", "v2beta1", "v10", "v1", "foo1", "v1beta2", "v2"]
    assert sorted(names, key=version_priority) == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo1", "foo10"]
