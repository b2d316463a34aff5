"""Extenders: a real HTTP server on loopback has its say in where pods go, who is evicted, and who binds."""

from __future__ import annotations

import asyncio
import base64
import random
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controllers.kube_scheduler.assignment import Placement, Refusal
from controllers.kube_scheduler.cache import Cache
from controllers.kube_scheduler.config.load import parse
from controllers.kube_scheduler.configured import profiles
from controllers.kube_scheduler.extenders import Extenders
from controllers.kube_scheduler.framework import PluginError
from controllers.kube_scheduler.pod_info import PodInfo, Shapes
from controllers.kube_scheduler.preemption.evaluator import Evaluator
from controllers.kube_scheduler.preemption.profile import add
from controllers.kube_scheduler.profile import Profile
from kctl.daemon import pki

pytestmark = pytest.mark.real_time
Object = dict[str, Any]
NONE: Any = None
HEAD = "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n"
Answer = Callable[[Object], Any]


class Server:
    """Answers each verb with what a test says; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, Object]] = []
        self.url = ""
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.Response:
        verb, body = request.path.rpartition("/")[2], await request.json()
        self.asked.append((verb, body))
        await self.gate.wait()
        answer = self.answers[verb](body)
        return answer if isinstance(answer, web.Response) else web.json_response(answer)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    application = web.Application()
    application.router.add_post("/{tail:.*}", made.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield made
    made.gate.set()
    await runner.cleanup()


class Scene:
    """Nodes a, b and c of 2 cpu each, and one extender with some settings."""

    def __init__(self, *settings: str) -> None:
        extenders = "".join(f"- {{{each}}}\n" for each in settings)
        configuration = parse(f"{HEAD}extenders:\n{extenders}")
        self.cache = Cache()
        self.extenders = Extenders(configuration.extenders)
        (profile,) = profiles(configuration, NONE, NONE)
        self.profile: Profile = add(profile, Evaluator(self.cache, lambda: [], random.Random(1)))
        self.shapes = Shapes(self.profile.reads)
        for name in "abc":
            allocatable = {"cpu": "2", "memory": "4Gi", "pods": "9"}
            self.cache.set_node({"metadata": {"name": name}, "status": {"allocatable": allocatable}})

    def pod(self, name: str = "p", cpu: str = "1", **more: Any) -> PodInfo:
        requests = {"cpu": cpu, **more.pop("requests", {})}
        spec = {"containers": [{"name": "c", "resources": {"requests": requests}}], **more}
        return PodInfo.of({"metadata": {"name": name, "namespace": "d", "uid": name}, "spec": spec}, self.shapes)

    async def assign(self, pod: PodInfo | None = None) -> Placement | Refusal:
        return await self.extenders.assign(self.profile, self.cache, random.Random(1), pod or self.pod())

    async def node(self) -> str:
        found = await self.assign()
        assert isinstance(found, Placement)
        return found.node


@pytest.fixture
async def scenes(server: Server) -> AsyncIterator[Callable[..., Scene]]:
    made: list[Scene] = []

    def make(*settings: str) -> Scene:
        made.append(Scene(*(f"urlPrefix: '{server.url}', {each}" for each in settings)))
        return made[-1]

    yield make
    for scene in made:
        await scene.extenders.close()


async def test_whole_nodes_are_sent_and_those_that_come_back_are_left(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["filter"] = lambda body: {"nodes": {"items": [n for n in body["nodes"]["items"] if n["metadata"]["name"] == "b"]}}
    assert await scenes("filterVerb: filter").node() == "b"
    ((_, body),) = server.asked
    assert body["pod"]["metadata"]["name"] == "p" and "nodenames" not in body
    assert body["nodes"]["items"][0]["status"]["allocatable"]["cpu"] == "2"


async def test_one_that_knows_the_nodes_gets_names(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["filter"] = lambda body: {"NodeNames": ["c"], "Error": ""}
    assert await scenes("filterVerb: filter, nodeCacheCapable: true").node() == "c"
    assert server.asked[0][1]["nodenames"] == ["a", "b", "c"] and "nodes" not in server.asked[0][1]


async def test_reasons_are_counted_and_say_whether_evictions_could_help(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["filter"] = lambda body: {
        "nodenames": [],
        "failedNodes": {"a": "too warm", "b": "too warm"},
        "failedAndUnresolvableNodes": {"c": "broken"},
    }
    found = await scenes("filterVerb: filter, nodeCacheCapable: true").assign()
    assert isinstance(found, Refusal)
    assert found.message.startswith("0/3 nodes are available: 1 broken, 2 too warm.")
    assert found.message.endswith("1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.")


async def test_each_gets_what_the_one_before_has_left(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["one"] = lambda body: {"nodenames": [name for name in body["nodenames"] if name != "a"]}
    server.answers["two"] = lambda body: {"nodenames": [name for name in body["nodenames"] if name != "b"]}
    scene = scenes("filterVerb: one, nodeCacheCapable: true", "filterVerb: two, nodeCacheCapable: true")
    assert await scene.node() == "c"
    assert [body["nodenames"] for _, body in server.asked] == [["a", "b", "c"], ["b", "c"]]


async def test_priorities_are_weighed_and_added(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["one"] = lambda body: [{"host": "a", "score": 10}, {"host": "b", "score": 4}]
    server.answers["two"] = lambda body: [{"Host": "b", "Score": 7}]
    scene = scenes("prioritizeVerb: one, weight: 1, nodeCacheCapable: true", "prioritizeVerb: two, weight: 2, nodeCacheCapable: true")
    found = await scene.assign()
    assert isinstance(found, Placement) and found.node == "b"
    assert (found.merits.plugins[-1], found.merits.points[-1]) == (("extenders", 1), 40 + 140)


async def test_one_that_gives_no_priorities_does_no_harm(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["bad"] = lambda body: web.Response(status=500)
    assert await scenes("prioritizeVerb: bad, weight: 1").node() in "abc"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda body: web.Response(status=503), "failed filter with extender at URL {url}filter, code 503"),
        (lambda body: {"error": "no idea"}, "no idea"),
        (lambda body: {"nodenames": ["gone"]}, 'extender "{url}" claims a filtered node "gone" which is not found in the input node list'),
        (lambda body: web.Response(text="{"), 'Post "{url}filter": '),
    ],
    ids=["code", "error", "stranger", "not-json"],
)
async def test_failures_and_those_that_may_be_ignored(server: Server, scenes: Callable[..., Scene], answer: Answer, why: str) -> None:
    server.answers["filter"] = answer
    with pytest.raises(PluginError) as failed:
        await scenes("filterVerb: filter, nodeCacheCapable: true").assign()
    assert str(failed.value).startswith(why.format(url=server.url))
    assert await scenes("filterVerb: filter, nodeCacheCapable: true, ignorable: true").node() in "abc"


async def test_one_that_does_not_answer_in_time(server: Server, scenes: Callable[..., Scene]) -> None:
    server.gate.clear()
    with pytest.raises(PluginError, match="context deadline exceeded"):
        await scenes("filterVerb: filter, httpTimeout: 50ms").assign()


async def test_over_https_it_must_be_whom_the_authority_says(tmp_path: Path) -> None:
    keys = pki.ensure(tmp_path / "pki", now=datetime.now(UTC), hosts=["localhost"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys["apiserver.crt"], keys["apiserver.key"])
    server = Server()
    server.answers["filter"] = lambda body: {"nodenames": ["b"]}
    application = web.Application()
    application.router.add_post("/{tail:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"urlPrefix: 'https://localhost:{runner.addresses[0][1]}', filterVerb: filter, nodeCacheCapable: true"
    data = base64.b64encode(keys["ca.crt"].read_bytes()).decode()
    trusting = [
        Scene(f"{url}, enableHTTPS: true"),
        Scene(f"{url}, enableHTTPS: true, tlsConfig: {{caFile: '{keys['ca.crt']}'}}"),
        Scene(f"{url}, tlsConfig: {{caData: {data}}}"),
    ]
    strict = Scene(f"{url}, tlsConfig: {{caFile: '{keys['front-proxy-ca.crt']}'}}")
    for scene in trusting:
        assert await scene.node() == "b"
    with pytest.raises(PluginError, match="certificate verify failed"):
        await strict.node()
    for scene in (*trusting, strict):
        await scene.extenders.close()
    await runner.cleanup()


async def test_one_that_is_not_there(scenes: Callable[..., Scene]) -> None:
    scene = Scene("urlPrefix: 'http://127.0.0.1:1', filterVerb: filter")
    with pytest.raises(PluginError, match=r'Post "http://127\.0\.0\.1:1/filter": '):
        await scene.assign()
    await scene.extenders.close()


async def test_managed_resources_say_which_pods_and_are_left_to_it(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["filter"] = lambda body: {"nodenames": ["b"]}
    managed = "managedResources: [{name: example.com/x, ignoredByScheduler: true}]"
    scene = scenes(f"filterVerb: filter, nodeCacheCapable: true, {managed}")
    assert not scene.extenders.concern(scene.pod())
    wanting = scene.pod("q", requests={"example.com/x": "1"})
    assert scene.extenders.concern(wanting)
    found = await scene.assign(wanting)  # no node has any of it
    assert isinstance(found, Placement) and found.node == "b"


@pytest.mark.parametrize("cached", ["true", "false"])
async def test_it_chooses_who_is_evicted(server: Server, scenes: Callable[..., Scene], cached: str) -> None:
    field = "nodeNameToMetaVictims" if cached == "true" else "nodeNameToVictims"

    def preempt(body: Object) -> Object:
        victims = body[field]["c"]["pods"]
        uid = victims[0]["uid"] if cached == "true" else victims[0]["metadata"]["uid"]
        return {"nodeNameToMetaVictims": {"c": {"pods": [{"uid": uid}], "numPDBViolations": 0}}}

    server.answers["preempt"] = preempt
    scene = scenes(f"preemptVerb: preempt, nodeCacheCapable: {cached}")
    for name in "abc":
        scene.cache.add_pod(scene.pod(f"there-{name}", "2"), name)
    found = await scene.assign(scene.pod("vip", "2", priority=10))
    assert isinstance(found, Refusal) and found.nomination is not None
    assert (found.nomination.node, [victim.uid for victim in found.nomination.victims]) == ("c", ["there-c"])
    assert set(server.asked[0][1][field]) == {"a", "b", "c"}


async def test_it_binds(server: Server, scenes: Callable[..., Scene]) -> None:
    server.answers["bind"] = lambda body: {"error": "" if body["node"] == "a" else "not there"}
    scene = scenes("bindVerb: bind")
    assert not scene.extenders.concern(scene.pod())  # nothing to ask before
    assert await scene.extenders.bind(scene.pod(), "a")
    assert server.asked == [("bind", {"podName": "p", "podNamespace": "d", "podUID": "p", "node": "a"})]
    with pytest.raises(PluginError, match="not there"):
        await scene.extenders.bind(scene.pod(), "b")
