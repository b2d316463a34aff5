"""The options of lists and watches: read once, refused in upstream's order."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import CONFIG_MAPS, PODS
from kctl.apimachinery.status import ApiError, BadRequest, Invalid
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.registry.list_options import parse
from kctl.kube_apiserver.registry.selection import select
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    made = ApiServer(MemoryStore(), clock=RealClock(), randomness=random.Random(1), config=ApiServerConfig(bootstrap=False))
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("query", "expected", "message"),
    [
        (
            {"limit": "x", "labelSelector": "a=", "resourceVersionMatch": "Exact"},
            BadRequest,
            'strconv.ParseInt: parsing "x": invalid syntax',
        ),
        ({"labelSelector": "a in", "fieldSelector": "b", "resourceVersionMatch": "Exact"}, BadRequest, "unable to parse requirement"),
        ({"fieldSelector": "b", "resourceVersionMatch": "Exact"}, BadRequest, "invalid selector: 'b'; can't understand 'b'"),
        ({"fieldSelector": "status.nothing=b", "resourceVersionMatch": "Exact"}, Invalid, "resourceVersionMatch is forbidden"),
    ],
)
def test_the_first_thing_wrong_is_answered(query: dict[str, str], expected: type[ApiError], message: str) -> None:
    with pytest.raises(expected, match=message):
        parse(query, watch=False)


async def test_selectors_are_options(server: ApiServer) -> None:
    pods = server.registry.endpoint(PODS)
    options = parse({"labelSelector": "app in (a, b)", "fieldSelector": "spec.nodeName=n,metadata.name!=x"}, watch=True)
    assert options.label_selector is not None and options.field_selector is not None
    selection = select(pods, "default", options)
    pod = {"metadata": {"name": "p", "labels": {"app": "a"}}, "spec": {"nodeName": "n"}}
    assert selection.matches is not None and selection.matches(pod)
    assert not selection.matches({**pod, "metadata": {"name": "x", "labels": {"app": "a"}}})
    assert not selection.matches({**pod, "metadata": {"name": "p", "labels": {"app": "c"}}})
    with pytest.raises(BadRequest, match=r"field label not supported: status\.nothing"):
        select(pods, "default", parse({"fieldSelector": "status.nothing=b"}, watch=False))


async def test_a_watch_of_one_object_selects_no_other(server: ApiServer) -> None:
    """The old path /api/v1/watch/namespaces/NAMESPACE/configmaps/NAME: the name stands for a field selector."""
    maps = server.registry.endpoint(CONFIG_MAPS)
    assert select(maps, "default", parse({"fieldSelector": "metadata.name=a"}, watch=True), "a").name == "a"
    assert select(maps, "default", parse({"fieldSelector": ","}, watch=True), "a").name == "a"
    for selector in ("metadata.name=b", "metadata.name!=a", "metadata.namespace=default"):
        with pytest.raises(BadRequest, match=r"fieldSelector metadata\.name doesn't match requested name"):
            select(maps, "default", parse({"fieldSelector": selector}, watch=True), "a")
    answer = await Client(server.transport(ADMIN)).transport.raw(
        "GET", "/api/v1/watch/namespaces/default/configmaps/a", query={"fieldSelector": "metadata.name=b"}
    )
    assert answer.status == 400
