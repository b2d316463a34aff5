"""One chain for every request: what a caller may do hangs on who it is and on the form of its body, never on the way it came."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, NODES, SERVICES
from kctl.apimachinery.status import Forbidden, Invalid, NotAcceptable, NotFound, Timeout, forbidden
from kctl.apimachinery.user import ADMIN, APISERVER
from kctl.client.client import Client
from kctl.client.transport import ApiRequest
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.filters.request_log import with_request_log
from kctl.kube_apiserver.registry.strategy import Context
from kctl.kube_apiserver.request import Request, ResourceRequest, WireRequest
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@dataclass
class Slow(AdmissionPlugin):
    """A plugin that must ask somebody, as a webhook does; `answers` is set when they reply."""

    resources: Any = frozenset({("", "configmaps"), ("", "nodes")})
    operations: tuple[str, ...] = ("CREATE", "UPDATE", "DELETE")
    subresources: frozenset[str] = frozenset({"", "status"})
    refuses: str = ""
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[str] = field(default_factory=list)

    def wants(self, operation: Operation) -> bool:
        return super().wants(operation) and (operation.resource.group, operation.resource.plural) in self.resources

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        return self._mark(obj, operation)

    async def _mark(self, obj: Object, operation: Operation) -> None:
        await self.answers.wait()
        self.seen.append(f"admit {operation.operation} {operation.resource.plural}/{operation.subresource}".rstrip("/"))
        if operation.operation == "DELETE":
            return  # what is deleted is nobody's to change
        obj["metadata"]["annotations"] = {**objects.annotations(obj), "marked": operation.operation}

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        return self._judge(obj, operation)

    async def _judge(self, obj: Object, operation: Operation) -> None:
        await self.answers.wait()
        self.seen.append(f"validate {operation.operation} {operation.resource.plural}/{operation.subresource}".rstrip("/"))
        if self.refuses:
            raise forbidden(operation.resource.group, operation.resource.plural, operation.name, self.refuses)


Make = Callable[..., Awaitable[ApiServer]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    running: list[tuple[ApiServer, MemoryStore]] = []

    async def started(*plugins: AdmissionPlugin) -> ApiServer:
        store = MemoryStore()
        await store.start()
        server = ApiServer(store, clock=RealClock(), randomness=random.Random(3))
        await server.start()
        server.registry.shared.admission = server.registry.shared.admission.extended(*plugins)
        running.append((server, store))
        return server

    yield started
    for server, store in running:
        await server.stop()
        await store.close()


def config_map(name: str = "a") -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}}


def node(name: str = "n") -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}


async def test_admission_waits_for_a_plugin_that_must_ask(make: Make) -> None:
    slow = Slow()
    client = Client((await make(slow)).transport(ADMIN))
    creating = asyncio.ensure_future(client.create(CONFIG_MAPS, config_map(), "default"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not creating.done()
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAPS, "a", "default")
    slow.answers.set()
    assert objects.annotations(await creating) == {"marked": "CREATE"}
    await client.patch(CONFIG_MAPS, "a", {"data": {"k": "w"}}, "default")
    await client.delete(CONFIG_MAPS, "a", "default")
    assert slow.seen == [
        f"{step} configmaps"
        for step in ("admit CREATE", "validate CREATE", "admit UPDATE", "validate UPDATE", "admit DELETE", "validate DELETE")
    ]


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
async def test_what_it_refuses_is_not_written(make: Make, verb: str) -> None:
    slow = Slow(refuses="not today")
    slow.answers.set()
    server = await make()
    client = Client(server.transport(ADMIN))
    if verb != "create":
        await client.create(CONFIG_MAPS, config_map(), "default")
    server.registry.shared.admission = server.registry.shared.admission.extended(slow)
    maps = server.registry.endpoint(CONFIG_MAPS).cache  # the server itself writes other kinds
    before = maps.last_revision
    with pytest.raises(Forbidden, match="not today"):
        if verb == "create":
            await client.create(CONFIG_MAPS, config_map(), "default")
        elif verb == "update":
            await client.patch(CONFIG_MAPS, "a", {"data": {"k": "w"}}, "default")
        else:
            await client.delete(CONFIG_MAPS, "a", "default")
    assert maps.last_revision == before


async def test_an_update_that_admission_refuses_gives_back_the_cluster_ip_it_took(make: Make) -> None:
    slow = Slow(resources=frozenset({("", "services")}), refuses="not today")
    slow.answers.set()
    server = await make()
    client = Client(server.transport(ADMIN))
    without = {"metadata": {"name": "a"}, "spec": {"type": "ExternalName", "externalName": "example.com"}}
    await client.create(SERVICES, without, "default")
    taking = {"type": "ClusterIP", "clusterIP": "10.96.0.77", "externalName": None, "ports": [{"port": 80}]}
    admitting = server.registry.shared.admission
    server.registry.shared.admission = admitting.extended(slow)
    with pytest.raises(Forbidden, match="not today"):
        await client.patch(SERVICES, "a", {"spec": taking}, "default")
    server.registry.shared.admission = admitting
    other = {"metadata": {"name": "b"}, "spec": {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}}
    assert objects.spec(await client.create(SERVICES, other, "default"))["clusterIP"] == "10.96.0.77"


async def test_a_status_written_by_a_component_passes_admission_too(make: Make) -> None:
    slow = Slow()
    slow.answers.set()
    server = await make(slow)
    await Client(server.transport(ADMIN)).create(NODES, node())
    kubelet = Client(server.component_transport(ADMIN))
    found = await kubelet.get(NODES, "n")
    slow.seen.clear()
    written = await kubelet.update_status(NODES, objects.replace(found, status={"nodeInfo": {"kubeletVersion": "v1"}}))
    assert slow.seen == ["admit UPDATE nodes/status", "validate UPDATE nodes/status"]
    assert (objects.annotations(found), objects.annotations(written)) == ({"marked": "CREATE"}, {"marked": "UPDATE"})


async def test_a_system_name_alone_makes_no_body_canonical(make: Make) -> None:
    """Who sends a manifest as system:... is checked like everybody; only a component's own transport hands over canonical objects."""
    server = await make()
    bad = {**config_map(), "data": {"not a key": "v"}}
    with pytest.raises(Invalid, match="a valid config key"):
        await Client(server.transport(APISERVER)).create(CONFIG_MAPS, bad, "default")


async def test_components_are_counted_and_obey_deadlines_as_everybody(make: Make) -> None:
    slow = Slow()
    server = await make(slow)
    transport = server.component_transport(APISERVER)
    with pytest.raises(Timeout):
        await transport.request(ApiRequest("create", CONFIG_MAPS, "default", query={"timeout": "10ms"}, body=config_map()))
    with pytest.raises(NotFound):
        await transport.request(ApiRequest("get", CONFIG_MAPS, "default", "a"))
    text = await server.metrics.text()
    labels = 'group="",resource="configmaps",scope="resource",subresource="",verb="{}",version="v1"'
    assert f'apiserver_request_total{{code="404",{labels.format("GET")}}} 1' in text
    assert f'apiserver_request_total{{code="504",{labels.format("CREATE")}}} 1' in text


async def test_others_have_their_turn_while_metrics_are_written(make: Make) -> None:
    """A server that many kinds of request have reached writes tens of thousands of lines at each scrape."""
    server = await make()
    for number in range(2000):
        server.metrics.observe(Request(verb=f"verb{number}"), 200, 0.1)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    lines = (await server.metrics.text()).count("\n")
    counting.cancel()
    assert lines > 50_000 and turns >= lines // 1000


async def test_the_field_manager_is_the_one_named_or_the_program(make: Make) -> None:
    server = await make()

    def manager(program: str, **query: str) -> str:
        request = resolve(WireRequest("POST", "/api/v1/namespaces", query, {"user-agent": program}), server.registry)
        assert isinstance(request, ResourceRequest)
        return request.caller().manager

    assert manager("kubectl/v1.37 (linux)") == "kubectl"
    assert manager("kubectl/v1.37", fieldManager="me") == "me"
    assert len(manager("x" * 300)) == 128


async def test_what_cannot_be_shown_is_refused_before_it_is_done_in_process_too(make: Make) -> None:
    server = await make()
    transport = server.transport(ADMIN)
    await Client(transport).create(CONFIG_MAPS, config_map(), "default")
    before = server.storage.revision
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    with pytest.raises(NotAcceptable):
        await transport.request(ApiRequest("deletecollection", CONFIG_MAPS, "default", accept=accept))
    assert server.storage.revision == before


class _Status:
    """An answer of which only that is looked at."""

    def __init__(self, status: int) -> None:
        self.status = status


async def test_a_line_is_logged_of_requests_that_failed_here_and_of_all_where_more_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """Lines cost a quarter of a GET over HTTPS."""

    class Unmeasured:
        def observe(self, request: Request, status: int, seconds: float) -> None: ...

    async def ask(level: str, status: int) -> int:
        async def answer(request: Request) -> Any:
            return _Status(status)

        caplog.clear()
        with caplog.at_level(level):
            await with_request_log(answer, Unmeasured())(Request(verb="get", wire=WireRequest("GET", "/x", {}, {})))  # type: ignore[arg-type]
        return len(caplog.records)

    assert [await ask("INFO", 200), await ask("INFO", 403), await ask("INFO", 500), await ask("DEBUG", 200)] == [0, 0, 1, 1]
