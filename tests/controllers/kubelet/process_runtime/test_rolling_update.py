"""A Deployment of processes gets another template while its Service is used: no request fails. (`python -m bench process-rolling-update`
sends a hundred thousand.)"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from bench.process_scenes import SERVER
from controllers.kubelet.node_config import NodeConfig
from controllers.kubelet.process_runtime import service_names
from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import DEPLOYMENTS, SERVICES
from kctl.client.client import Client
from kctl.daemon.components import API_SERVER_ALONE, KubeControllerManagerComponent, KubeletComponent, KubeSchedulerComponent, Processes
from kctl.daemon.control_plane import ControlPlane
from store.memory import MemoryStore
from tests.controllers.kubelet.process_runtime.cluster import DEADLINE_SECONDS, eventually, processes_left

pytestmark = [pytest.mark.real_time, pytest.mark.process]
PORT, REPLICAS, AT_ONCE = 18_095, 2, 4


def deployment(marked: str) -> Object:
    container: Object = {
        "name": "web",
        "image": "python",
        "command": ["python3", "-c", SERVER],
        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "KCTL_TEST", "value": marked}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        # as in every cluster: without it a connection that was made a moment before the endpoint went may meet a server that has ended
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"automountServiceAccountToken": False, "containers": [container]}}
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}, "spec": spec}


async def rolled(client: Client) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = await client.get(DEPLOYMENTS, "web", "default")
            status = objects.status(found)
            whole = all(status.get(name) == REPLICAS for name in ("replicas", "updatedReplicas", "availableReplicas"))
            if whole and status.get("observedGeneration") == found["metadata"]["generation"]:
                return
            await asyncio.sleep(0.02)


async def answer(address: str) -> bytes:
    reader, writer = await asyncio.open_connection(address, PORT)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()


async def test_no_request_fails_while_pods_are_exchanged(tmp_path: Path) -> None:
    kubelet = partial(KubeletComponent, processes=Processes(tmp_path, default="process"))
    parts = (*API_SERVER_ALONE, KubeControllerManagerComponent, KubeSchedulerComponent, kubelet)
    plane = ControlPlane(MemoryStore(), RealClock(), None, [NodeConfig("n1")], parts)
    await plane.start()
    try:
        await _exchange(plane.client(), tmp_path)
    finally:
        await plane.stop()
        await eventually(lambda: not processes_left(tmp_path))


async def _exchange(client: Client, folder: Path) -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": PORT, "targetPort": 8080}]}
    made = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    address = service_names.address_of(str(folder), await client.create(SERVICES, made))
    await client.create(DEPLOYMENTS, deployment(str(folder)))
    await rolled(client)
    wrong: list[bytes] = []
    answered = 0
    over = asyncio.Event()

    async def ask() -> None:
        nonlocal answered
        while not over.is_set():
            found = await answer(address)
            answered += 1
            if not found.endswith(b"ok\n"):
                wrong.append(found)

    async with asyncio.TaskGroup() as clients:
        for _ in range(AT_ONCE):
            clients.create_task(ask())
        patch = {"spec": {"template": {"metadata": {"annotations": {"turn": "2"}}}}}
        await client.patch(DEPLOYMENTS, "web", patch, "default")
        await rolled(client)
        over.set()
    assert not wrong and answered > 20
