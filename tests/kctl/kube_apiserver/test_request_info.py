"""What a method and a path ask, and that nobody learns what there is who may not ask."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN, ANONYMOUS
from kctl.kube_apiserver.request import Request, ResourceRequest, UnservedRequest, WireRequest
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.response import ObjectAnswer, RawAnswer
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    made = ApiServer(MemoryStore(), clock=RealClock(), randomness=random.Random(1))
    await made.start()
    yield made
    await made.stop()


SERVED = {
    ("GET", "/api/v1/pods"): ("list", "pods", "", "", ""),
    ("GET", "/api/v1/pods/"): ("list", "pods", "", "", ""),
    ("GET", "/api/v1/pods?watch=true"): ("watch", "pods", "", "", ""),
    ("GET", "/api/v1/pods?watch="): ("watch", "pods", "", "", ""),
    ("GET", "/api/v1/pods?watch=0"): ("list", "pods", "", "", ""),
    ("GET", "/api/v1/watch/pods"): ("watch", "pods", "", "", ""),
    ("GET", "/api/v1/watch/namespaces/a/pods/b"): ("watch", "pods", "a", "b", ""),
    ("GET", "/api/v1/namespaces/a/pods/b?watch=true"): ("get", "pods", "a", "b", ""),
    ("POST", "/api/v1/namespaces/a/pods"): ("create", "pods", "a", "", ""),
    ("DELETE", "/api/v1/namespaces/a/pods"): ("deletecollection", "pods", "a", "", ""),
    ("DELETE", "/api/v1/namespaces/a/pods/b"): ("delete", "pods", "a", "b", ""),
    ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale"): ("patch", "deployments", "a", "b", "scale"),
    ("POST", "/api/v1/namespaces/a/pods/b/exec"): ("connect", "pods", "a", "b", "exec"),
    ("GET", "/api/v1/namespaces/a/pods/b/proxy/some/path"): ("connect", "pods", "a", "b", "proxy"),
    ("GET", "/api/v1/namespaces/a"): ("get", "namespaces", "", "a", ""),
    ("PUT", "/api/v1/namespaces/a/finalize"): ("update", "namespaces", "", "a", "finalize"),
    ("PUT", "/api/v1/namespaces/a/status"): ("update", "namespaces", "", "a", "status"),
    ("GET", "/api/v1/namespaces/pods/pods/pods/log"): ("get", "pods", "pods", "pods", "log"),
    ("GET", "/api/v1/namespaces/a%20b/pods/c"): ("get", "pods", "a b", "c", ""),
}


def asked(server: ApiServer, method: str, target: str) -> Request:
    path, _, query = target.partition("?")
    return resolve(WireRequest(method, path, dict(part.split("=") for part in query.split("&") if part)), server.registry)


async def test_paths_of_resources(server: ApiServer) -> None:
    for (method, target), expected in SERVED.items():
        request = asked(server, method, target)
        assert isinstance(request, ResourceRequest), target
        assert (request.verb, request.resource.plural, request.namespace, request.name, request.subresource) == expected, target


UNSERVED = {
    ("GET", "/api/v1/nothings"): ("list", "", "nothings", "", "", "", 404),
    ("GET", "/apis/apps/v9/namespaces/a/deployments/b"): ("get", "apps", "deployments", "a", "b", "", 404),
    ("GET", "/apis/other.example/v1/watch/namespaces/a/things"): ("watch", "other.example", "things", "a", "", "", None),
    ("PUT", "/api/v1/namespaces/a/pods"): ("update", "", "pods", "a", "", "", 405),
    ("POST", "/api/v1/pods"): ("create", "", "pods", "", "", "", 405),
    ("DELETE", "/api/v1/pods"): ("deletecollection", "", "pods", "", "", "", 405),
    ("TRACE", "/api/v1/pods"): ("", "", "pods", "", "", "", 405),
    ("DELETE", "/api/v1/namespaces/a/pods/b/log"): ("delete", "", "pods", "a", "b", "log", 405),
    ("GET", "/api/v1/namespaces/a/pods/b/nothing"): ("get", "", "pods", "a", "b", "nothing", 404),
    ("GET", "/api/v1/namespaces/a/pods/b/log/more"): ("get", "", "pods", "a", "b", "log", 404),
    ("GET", "/api/v1/namespaces/a/nodes/b"): ("get", "", "nodes", "a", "b", "", 404),
    ("GET", "/api/v1/pods/b"): ("get", "", "pods", "", "b", "", 404),
    ("GET", "/api/v1//pods"): ("get", "", "", "", "pods", "", 404),
    ("GET", "/api/v1/namespaces/a/pods/.."): ("get", "", "pods", "a", "..", "", 400),
    ("GET", "/api/v1/namespaces/a/pods/b%2Fc"): ("get", "", "pods", "a", "b/c", "", 400),
    ("GET", "/apis/authentication.k8s.io/v1/tokenreviews"): ("list", "authentication.k8s.io", "tokenreviews", "", "", "", 405),
}


async def test_what_nothing_serves_is_told_by_name_all_the_same(server: ApiServer) -> None:
    """An authorizer asks about the names on the path before it is said that there is no such thing."""
    for (method, target), expected in UNSERVED.items():
        request = asked(server, method, target)
        assert isinstance(request, UnservedRequest), target
        code = request.error.http_status if request.error is not None else None
        told = (request.verb, request.group, request.plural, request.namespace, request.name, request.subresource, code)
        assert told == expected, target


async def test_paths_that_are_no_resources(server: ApiServer) -> None:
    for path in ("/", "/healthz", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/metrics", "/openapi/v3/api/v1", "", "*"):
        request = asked(server, "GET", path)
        assert type(request) is Request and request.verb == "get", path


@pytest.mark.parametrize("path", ["/api/v1/nothings", "/api/v1/pods", "/apis/other.example/v1/things", "/api/v1/namespaces/a/pods/.."])
async def test_without_credentials_one_does_not_learn_what_there_is(server: ApiServer, path: str) -> None:
    answer = await server.handle(resolve(WireRequest("GET", path, user=ANONYMOUS), server.registry))
    assert isinstance(answer, ObjectAnswer) and answer.status == 403
    assert 'User "system:anonymous" cannot' in answer.object["message"]


async def test_what_nothing_serves_is_answered_after_that(server: ApiServer) -> None:
    answer = await server.handle(resolve(WireRequest("GET", "/api/v1/nothings", user=ADMIN), server.registry))
    assert isinstance(answer, ObjectAnswer)
    assert answer.object["message"] == "the server could not find the requested resource"
    plain = await server.handle(resolve(WireRequest("GET", "/apis/other.example/v1/things", user=ADMIN), server.registry))
    assert isinstance(plain, RawAnswer) and (plain.status, plain.body) == (404, b"404 page not found\n")
