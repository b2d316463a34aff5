"""nodes/NAME/proxy: what a simulated kubelet serves on its own port, asked through the API server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import orjson
import pytest

from kctl.apimachinery.resources import NODES
from kctl.apimachinery.user import ADMIN, User
from kctl.client.transport import RawResponse
from tests.integration.whole_cluster import Cluster, whole_cluster

NODE = "/api/v1/nodes/node-0"


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with whole_cluster(1) as made:
        await made.pod("web", containers=[{"name": "c", "image": "i", "resources": {"requests": {"cpu": "1", "memory": "100Mi"}}}])
        await made.settle(30)
        yield made


async def ask(cluster: Cluster, path: str, method: str = "GET", who: User = ADMIN) -> RawResponse:
    return await cluster.plane.server.handle_raw(method, path, {}, None, {}, who)


@pytest.mark.parametrize("node", [NODE, f"{NODE}:10250"])
async def test_health_with_and_without_the_port(cluster: Cluster, node: str) -> None:
    answer = await ask(cluster, f"{node}/proxy/healthz")
    assert (answer.status, answer.body) == (200, b"ok")


async def test_the_root_is_redirected_and_holds_nothing(cluster: Cluster) -> None:
    answer = await ask(cluster, f"{NODE}/proxy")
    assert (answer.status, answer.headers["Location"]) == (301, f"{NODE}/proxy/")
    assert (await ask(cluster, f"{NODE}/proxy/")).body == b"404 page not found\n"


async def test_pods_of_the_node(cluster: Cluster) -> None:
    listed = orjson.loads((await ask(cluster, f"{NODE}/proxy/pods")).body)
    assert (listed["kind"], [pod["metadata"]["name"] for pod in listed["items"]]) == ("PodList", ["web"])
    running = orjson.loads((await ask(cluster, f"{NODE}/proxy/runningpods/")).body)
    assert running["items"][0]["spec"]["containers"][0]["name"] == "c"


async def test_resource_metrics_count_up(cluster: Cluster) -> None:
    async def seconds() -> float:
        text = (await ask(cluster, f"{NODE}/proxy/metrics/resource")).body.decode()
        found = re.search(r'container_cpu_usage_seconds_total\{container="c",namespace="default",pod="web"\} (\S+) \d+', text)
        assert found is not None, text
        return float(found[1])

    first = await seconds()
    await cluster.settle(60)
    assert await seconds() == pytest.approx(first + 60 * 0.2)  # a fifth of what it requests


async def test_the_summary_agrees_with_the_metrics_api(cluster: Cluster) -> None:
    summary = orjson.loads((await ask(cluster, f"{NODE}/proxy/stats/summary")).body)
    container = summary["pods"][0]["containers"][0]
    assert (summary["node"]["nodeName"], container["name"], container["cpu"]["usageNanoCores"]) == ("node-0", "c", 200_000_000)
    metrics = orjson.loads((await ask(cluster, "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/web")).body)
    assert metrics["containers"][0]["usage"]["cpu"] == "200000000n"


async def test_other_metrics_and_the_configuration(cluster: Cluster) -> None:
    assert b"kubelet_running_pods 1\n" in (await ask(cluster, f"{NODE}/proxy/metrics")).body
    assert b'container="c"' in (await ask(cluster, f"{NODE}/proxy/metrics/cadvisor")).body
    config = orjson.loads((await ask(cluster, f"{NODE}/proxy/configz")).body)
    assert config["kubeletconfig"]["kind"] == "KubeletConfiguration"


async def test_logs_by_container_and_by_file(cluster: Cluster) -> None:
    log = await ask(cluster, "/api/v1/namespaces/default/pods/web/log?tailLines=1")
    assert (await ask(cluster, f"{NODE}/proxy/containerLogs/default/web/c?tailLines=1")).body == log.body
    assert b'<a href="containers/">containers/</a>' in (await ask(cluster, f"{NODE}/proxy/logs/")).body
    page = (await ask(cluster, f"{NODE}/proxy/logs/containers/")).body.decode()
    found = re.search(r'<a href="(web_default_c-\w+\.log)">', page)
    assert found is not None, page
    lines = (await ask(cluster, f"{NODE}/proxy/logs/containers/{found[1]}")).body.splitlines()
    assert all(re.match(rb"\S+Z stdout F ", line) for line in lines)
    assert (await ask(cluster, f"{NODE}/proxy/logs/nothing")).status == 404
    assert b"not found" in (await ask(cluster, f"{NODE}/proxy/containerLogs/default/none/c")).body


@pytest.mark.parametrize("path", ["exec/default/web/c", "run/default/web/c", "attach/default/web/c", "portForward/default/web"])
async def test_commands_are_refused_by_name(cluster: Cluster, path: str) -> None:
    answer = await ask(cluster, f"{NODE}/proxy/{path}", "POST")
    assert answer.status == 501 and f"/{path.split('/')[0]} is not served by simulated kubelets".encode() in answer.body


async def test_a_node_that_is_not_there_or_does_not_answer(cluster: Cluster) -> None:
    assert orjson.loads((await ask(cluster, "/api/v1/nodes/none/proxy/healthz")).body)["message"] == 'nodes "none" not found'
    await cluster.merge(NODES, "node-0", {"metadata": {"annotations": {"kctl.dev/kubelet": "stopped"}}})
    await cluster.settle(1)
    answer = await ask(cluster, f"{NODE}/proxy/healthz")
    assert answer.status == 503
    assert re.fullmatch(
        r"error trying to reach service: dial tcp 10\.\S+:10250: connect: connection refused", orjson.loads(answer.body)["message"]
    )
    answer = await ask(cluster, f"{NODE}:80/proxy/")
    assert answer.status == 503
    assert re.fullmatch(
        r"error trying to reach service: dial tcp 10\.\S+:80: connect: connection refused", orjson.loads(answer.body)["message"]
    )


async def test_whose_permission_is_asked(cluster: Cluster) -> None:
    answer = await ask(cluster, f"{NODE}/proxy/pods", who=User("jane"))
    assert answer.status == 403
    assert 'cannot get resource "nodes/proxy" in API group "" at the cluster scope' in orjson.loads(answer.body)["message"]
