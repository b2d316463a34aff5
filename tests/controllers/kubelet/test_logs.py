"""What `kubectl logs` gets from a simulated container."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from kctl.apimachinery.status import BadRequest
from tests.controllers.kubelet.cluster import Cluster, container, pod


async def read(cluster: Cluster, name: str = "c", **options: str) -> str:
    assert cluster.fleet is not None
    stream = await cluster.fleet.logs("n1", "default", "p", name, options)
    return b"".join([chunk async for chunk in stream]).decode()


LINES = {"log-lines": "unlimited", "log-interval": "2s", "log-message": "{pod}/{container} {n}"}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param({}, "p/c 1\np/c 2\np/c 3\np/c 4\np/c 5\np/c 6\n", id="all"),
        pytest.param({"tailLines": "2"}, "p/c 5\np/c 6\n", id="tail"),
        pytest.param({"tailLines": "0"}, "", id="tail-none"),
        pytest.param({"sinceSeconds": "3"}, "p/c 6\n", id="since"),
        pytest.param({"sinceTime": "2026-01-01T00:00:08Z"}, "p/c 5\np/c 6\n", id="since-time"),
        pytest.param({"limitBytes": "9"}, "p/c 1\np/c", id="limit"),
        pytest.param({"timestamps": "true", "tailLines": "1"}, "2026-01-01T00:00:10.000000000Z p/c 6\n", id="timestamps"),
    ],
)
async def test_options(cluster: Cluster, options: Mapping[str, str], wanted: str) -> None:
    await cluster.create(pod(annotations=LINES))
    await cluster.step(11.5)
    assert await read(cluster, **options) == wanted


async def test_plain_pod_says_something(cluster: Cluster) -> None:
    await cluster.create(pod())
    assert await read(cluster) == "simulated container c of pod p, image nginx:1.27, line 1\n"


async def test_follow_ends_with_the_container(cluster: Cluster) -> None:
    await cluster.create(pod(annotations={**LINES, "run-duration": "5s"}, restartPolicy="Never"))
    reading = asyncio.create_task(read(cluster, follow="true"))
    await cluster.step(3)
    assert not reading.done()
    await cluster.step(4)
    assert await reading == "p/c 1\np/c 2\np/c 3\n"


async def test_previous_run(cluster: Cluster) -> None:
    crash = {"run-duration": "1s,forever", "exit-code": "1", "log-message": "run {attempt}"}
    await cluster.create(pod(annotations=crash))
    with pytest.raises(BadRequest, match='previous terminated container "c" in pod "p" not found'):
        await read(cluster, previous="true")
    await cluster.step(2.5)
    assert await read(cluster, previous="true") == "run 0\n"
    assert await read(cluster) == "run 1\n"


@pytest.mark.parametrize(
    ("annotations", "why"),
    [({"image-pull": "fail"}, "image can't be pulled"), ({"start-delay": "1m"}, "ContainerCreating")],
)
async def test_not_started(cluster: Cluster, annotations: dict[str, str], why: str) -> None:
    await cluster.create(pod(annotations=annotations))
    with pytest.raises(BadRequest, match=f'container "c" in pod "p" is waiting to start: {why}'):
        await read(cluster)


async def test_through_the_api(cluster: Cluster) -> None:
    await cluster.create(pod(containers=[container("a"), container("b")]))
    chunks = [chunk async for chunk in await cluster.client.logs("p", "default", container="b")]
    assert b"container b" in b"".join(chunks)
