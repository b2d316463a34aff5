"""Who owns what, over HTTPS as clients see it: apply, its conflicts and refusals, and what all other writes leave in managedFields."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES
from tests.kctl.kube_apiserver.served import Connection, served

APPLY, MERGE, JSON = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"


def config_map(**data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def deployment(**spec: Any) -> Object:
    container = {"name": "web", "image": "nginx:1"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    whole = {"selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": whole}


class Server:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def send(self, method: str, target: str, body: Any, kind: str = "application/json") -> tuple[int, Any]:
        answer = await self._connection.ask(target, method, orjson.dumps(body), content_type=kind)
        return answer.status, answer.json()

    async def apply(self, target: str, body: Any, manager: str, *, force: bool = False) -> tuple[int, Any]:
        return await self.send("PATCH", f"{target}?fieldManager={manager}{'&force=true' if force else ''}", body, APPLY)

    async def get(self, target: str) -> Any:
        return (await self._connection.ask(target)).json()


@asynccontextmanager
async def running() -> AsyncIterator[Server]:
    async with served() as inner:
        await inner.client.create(NAMESPACES, {"metadata": {"name": "default"}})
        yield Server(await inner.connect())


def owners(obj: Object) -> dict[str, Any]:
    """What each manager owns, by its name and, where it has one, subresource."""
    listed = obj["metadata"].get("managedFields") or []
    return {"/".join(filter(None, (entry["manager"], entry.get("subresource")))): entry["fieldsV1"] for entry in listed}


async def test_what_an_applier_leaves_out_goes_unless_somebody_else_has_it() -> None:
    async with running() as server:
        assert (await server.apply(f"{MAPS}/a", config_map(x="1", y="1"), "one"))[0] == 201
        assert (await server.apply(f"{MAPS}/a", config_map(x="1", z="1"), "two"))[0] == 200
        status, made = await server.apply(f"{MAPS}/a", config_map(), "one")
        assert (status, made["data"]) == (200, {"x": "1", "z": "1"})
        assert owners(made) == {"one": {"f:data": {}}, "two": {"f:data": {"f:x": {}, "f:z": {}}}}


async def test_applying_the_same_again_writes_nothing() -> None:
    async with running() as server:
        _, first = await server.apply(f"{DEPLOYMENTS}/web", deployment(replicas=2), "one")
        status, again = await server.apply(f"{DEPLOYMENTS}/web", deployment(replicas=2), "one")
        assert (status, again) == (200, first)


async def test_a_conflict_names_who_owns_the_field_and_force_takes_it() -> None:
    async with running() as server:
        await server.send("POST", f"{MAPS}?fieldManager=made", config_map(x="1", y="1"))
        status, refused = await server.apply(f"{MAPS}/a", config_map(x="2"), "two")
        assert (status, refused["message"]) == (409, 'Apply failed with 1 conflict: conflict with "made" using v1: .data.x')
        cause = {"reason": "FieldManagerConflict", "message": 'conflict with "made" using v1', "field": ".data.x"}
        assert refused["details"] == {"causes": [cause]}
        status, made = await server.apply(f"{MAPS}/a", config_map(x="2"), "two", force=True)
        assert (status, made["data"]) == (200, {"x": "2", "y": "1"})
        assert owners(made) == {"made": {"f:data": {".": {}, "f:y": {}}}, "two": {"f:data": {"f:x": {}}}}


async def test_items_of_lists_merge_by_their_keys_defaulted_ones_too() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    async with running() as server:
        first = {**service, "spec": {"ports": [{"name": "a", "port": 80}]}}
        second = {**service, "spec": {"ports": [{"name": "b", "port": 80, "protocol": "UDP"}]}}
        await server.apply(f"{SERVICES}/s", first, "one")
        status, made = await server.apply(f"{SERVICES}/s", second, "two")
        assert status == 200
        assert [(port["name"], port["protocol"]) for port in made["spec"]["ports"]] == [("a", "TCP"), ("b", "UDP")]
        assert list(owners(made)["one"]["f:spec"]["f:ports"]) == ['k:{"port":80,"protocol":"TCP"}']


_UNTYPED = "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
_CONTAINERS = ".spec.template.spec.containers"
_OMITS = 'associative list with keys has an element that omits key field "name" (and doesn\'t have default value)'
_PORT = '[name="a"].ports[containerPort="x",protocol="TCP"].containerPort'


@pytest.mark.parametrize(
    ("containers", "why"),
    [
        ([{"image": "x"}], f": element 0: {_OMITS}"),
        ([{"name": "a"}, {"name": "a"}], ': duplicate entries for key [name="a"]'),
        ([None], ": element 0: associative list with keys may not have a null element"),
        (["a"], ": element 0: associative list with keys may not have non-map elements"),
        ({"a": 1}, ": expected list, got &{map[a:1]}"),
        ([{"name": ["a"]}], '[name=["a"]].name: expected string, got &value.valueUnstructured{Value:[]interface {}{"a"}}'),
        ([{"name": "a", "stdin": 1}], '[name="a"].stdin: expected boolean, got &{1}'),
        ([{"name": "a", "ports": [{"containerPort": "x"}]}], f"{_PORT}: expected numeric (int or float), got string"),
        ([{"name": "a", "env": [{"name": "x", "wat": 1}]}], '[name="a"].env[name="x"].wat: field not declared in schema'),
    ],
)
async def test_what_is_no_configuration_is_refused_in_the_words_of_the_merge(containers: Any, why: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"] = containers
    async with running() as server:
        status, refused = await server.apply(f"{DEPLOYMENTS}/web", body, "one")
        assert (status, refused["message"]) == (500, f"{_UNTYPED}{_CONTAINERS}{why}")


async def test_status_and_scale_have_owners_of_their_own() -> None:
    async with running() as server:
        await server.apply(f"{DEPLOYMENTS}/web", deployment(replicas=2), "one")
        status = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "status": {"observedGeneration": 1}}
        code, made = await server.apply(f"{DEPLOYMENTS}/web/status", status, "two")
        assert (code, owners(made)["two/status"]) == (200, {"f:status": {"f:observedGeneration": {}}})
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 5}}
        code, refused = await server.apply(f"{DEPLOYMENTS}/web/scale", scale, "three")
        assert (code, refused["message"]) == (409, 'Apply failed with 1 conflict: conflict with "one": .spec.replicas')
        code, _ = await server.apply(f"{DEPLOYMENTS}/web/scale", scale, "three", force=True)
        made = await server.get(f"{DEPLOYMENTS}/web")
        assert (code, made["spec"]["replicas"], owners(made)["three/scale"]) == (200, 5, {"f:spec": {"f:replicas": {}}})
        assert "f:replicas" not in owners(made)["one"]["f:spec"]


async def test_an_empty_list_forgets_all_owners_and_nothing_is_noted_until_somebody_applies() -> None:
    async with running() as server:
        _, made = await server.send("POST", f"{MAPS}?fieldManager=made", config_map(x="1"))
        for empty in ([], [{}]):
            made["metadata"]["managedFields"] = empty
            made["data"]["x"] += "1"
            status, answer = await server.send("PUT", f"{MAPS}/a", {**made, "metadata": {**made["metadata"], "resourceVersion": ""}})
            assert status == 200 and "managedFields" not in answer["metadata"]
        _, patched = await server.send("PATCH", f"{MAPS}/a", {"data": {"y": "1"}}, MERGE)
        assert owners(patched) == {}
        _, applied = await server.apply(f"{MAPS}/a", config_map(w="1"), "one")
        assert owners(applied)["before-first-apply"] == {"f:data": {".": {}, "f:x": {}, "f:y": {}}}


async def test_no_more_than_ten_updaters_are_kept() -> None:
    async with running() as server:
        await server.send("POST", f"{MAPS}?fieldManager=made", config_map(x="1"))
        for index in range(14):
            _, made = await server.send("PATCH", f"{MAPS}/a?fieldManager=m{index:02}", {"data": {f"k{index}": "1"}}, MERGE)
        found = owners(made)
        assert len(found) == 10
        assert {"f:k0", "f:k1"} <= set(found["ancient-changes"]["f:data"])


async def test_kubectl_takes_over_what_it_applied_on_the_clients_side() -> None:
    last = config_map(x="1", y="1")
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    annotated = {**last, "metadata": {"name": "a", "annotations": {annotation: orjson.dumps(last).decode()}}}
    async with running() as server:
        await server.send("POST", f"{MAPS}?fieldManager=kubectl-client-side-apply", annotated)
        status, refused = await server.apply(f"{MAPS}/a", config_map(x="2"), "other")
        assert (status, refused["reason"]) == (409, "Conflict")
        status, made = await server.apply(f"{MAPS}/a", config_map(x="2", y="1"), "kubectl")
        assert (status, made["data"]) == (200, {"x": "2", "y": "1"})
        assert orjson.loads(made["metadata"]["annotations"][annotation])["data"] == {"x": "2", "y": "1"}


async def test_managed_fields_can_be_looked_at_and_changed_by_a_json_patch() -> None:
    async with running() as server:
        await server.send("POST", f"{MAPS}?fieldManager=made", config_map(x="1"))
        operations = [
            {"op": "test", "path": "/metadata/managedFields/0/manager", "value": "made"},
            {"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "kubectl"},
            {"op": "replace", "path": "/metadata/managedFields/0/operation", "value": "Apply"},
        ]
        status, made = await server.send("PATCH", f"{MAPS}/a", operations, JSON)
        assert (status, list(owners(made))) == (200, ["kubectl"])
        status, made = await server.apply(f"{MAPS}/a", config_map(), "kubectl")
        assert (status, made.get("data")) == (200, None)
