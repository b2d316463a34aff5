"""Objects of megabytes: how large one may be and become, and that watches from before they came are told everything."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from kctl.kube_apiserver import storage, watch_cache
from kctl.kube_apiserver.registry import workload_validation
from tests.fuzz import server as fuzz_server
from tests.fuzz.exchange import Connection as FuzzConnection
from tests.fuzz.exchange import request_bytes
from tests.fuzz.server import TOKEN
from tests.kctl.kube_apiserver.served import Served, served

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as found:
        connection = await found.connect()
        await connection.ask("/api/v1/namespaces", "POST", b'{"metadata":{"name":"default"}}', content_type="application/json")
        yield found


def config_map(name: str, keys: int) -> bytes:
    return orjson.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {f"k{i:06}": "x" for i in range(keys)}}
    )


async def test_an_object_that_etcd_would_not_take_is_refused(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that grows: by who owns what of it, each manager of 2,000 fields."""
    monkeypatch.setattr(storage, "LARGEST_VALUE", 200_000)
    connection = await api.connect()
    answer = await connection.ask(MAPS, "POST", config_map("large", 10_000), content_type="application/json")
    assert (answer.status, answer.json()["message"]) == (500, "etcdserver: request is too large")
    assert (await connection.ask(f"{MAPS}/large")).status == 404
    kind, statuses = "application/apply-patch+yaml", list[int]()
    for number in range(10):
        path = f"{MAPS}/grows?fieldManager=m{number}"
        statuses.append((await connection.ask(path, "PATCH", config_map("grows", 2000), content_type=kind)).status)
    assert statuses[0] == 201 and statuses[-1] == 500, statuses
    assert len((await connection.ask(f"{MAPS}/grows")).body) <= 200_000 + 100


async def test_a_watch_from_before_large_changes_is_told_all_of_them(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_cache, "WINDOW_BYTES", 200_000)
    connection = await api.connect()
    first = (await connection.ask(MAPS)).json()["metadata"]["resourceVersion"]
    for number in range(6):
        assert (await connection.ask(MAPS, "POST", config_map(f"m{number}", 2000), content_type="application/json")).status == 201
    assert (await connection.ask(f"{MAPS}/m3", "DELETE")).status == 200
    cache = api.server.storage.cache("", "configmaps", True)
    assert cache.since(int(first)) is None  # they are not kept
    answer = await connection.ask(f"{MAPS}?watch=1&resourceVersion={first}&timeoutSeconds=1")
    told = [orjson.loads(line) for line in answer.body.splitlines()]
    names = [(change["type"], change["object"]["metadata"]["name"]) for change in told]
    assert names == [*(("ADDED", f"m{number}") for number in range(6)), ("DELETED", "m3")]


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("POST", "application/json"),
        ("PATCH", "application/merge-patch+json"),
        ("PATCH", "application/strategic-merge-patch+json"),
        ("PATCH", "application/apply-patch+yaml"),
    ],
)
def test_who_owns_many_fields_is_found_beside_the_loop(method: str, kind: str) -> None:
    """60,000 of them: what the loop's own thread does of it all is the smaller part by far."""
    with fuzz_server.running() as server:
        head = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", kind)]
        connection = FuzzConnection(server.port)
        small = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
        assert connection.exchange(request_bytes("POST", MAPS, small, config_map("there", 1))).status == 201
        force = "&force=true" if "apply" in kind else ""
        path = MAPS if method == "POST" else f"{MAPS}/there?fieldManager=m{force}"
        raw = request_bytes(method, path, head, config_map("new" if method == "POST" else "there", 60_000))
        loop, process = server.cpu_seconds(), time.process_time()
        assert connection.exchange(raw).status in (200, 201)
        assert server.cpu_seconds() - loop < (time.process_time() - process) / 4
        connection.close()


def test_what_a_large_object_is_warned_about_is_found_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    found = workload_validation.template_warnings

    def watched(*arguments: Any) -> list[str]:
        threads.append(threading.current_thread())
        return found(*arguments)

    monkeypatch.setattr(workload_validation, "template_warnings", watched)
    env = [{"name": f"E{number}", "value": "v"} for number in range(5000)]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x", "env": [*env, env[0]]}]}}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    raw = orjson.dumps({**obj, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}})
    path = "/apis/apps/v1/namespaces/default/deployments"
    with fuzz_server.running() as server:
        connection = FuzzConnection(server.port)
        head = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
        answer = connection.exchange(request_bytes("POST", path, head, raw))
        assert answer.status == 201 and any("hides previous definition" in warning for warning in answer.warnings), answer.warnings
        patch = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/strategic-merge-patch+json")]
        change = b'{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"y"}]}}}}'
        assert connection.exchange(request_bytes("PATCH", f"{path}/d", patch, change)).status == 200
        connection.close()
        assert len(threads) == 2 and server.thread not in threads
