"""SIGKILL of the whole daemon at random moments under load: after a restart everything acknowledged is there, and goes on.

Clients write through HTTPS while controllers, scheduler and kubelets work on a Deployment in the same process. What a client was told
is compared with what the restarted cluster says; then the Deployment must come to rest with all its pods.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from kctl.apimachinery.status import ApiError
from kctl.client import kubeconfig
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.https_transport import HttpsTransport
from kctl.client.tls import context_for

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3
WRITERS = 8


class Daemon:
    """`kctl run-cluster` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        environment = {**os.environ, "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kctl", "run-cluster", "--name", "crash", "--nodes", "3", "--port", "0"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = ""
        while "is ready" not in said:
            line = self.process.stdout.readline()
            assert line, f"the cluster did not start: {said}"
            said += line

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """As Ctrl-C does; kills what does not stop."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def client(self) -> Client:
        path = self.home / "data" / "kctl" / "crash" / "kubeconfig"
        config = kubeconfig.resolve(kubeconfig.load(path), kubeconfig.Overrides())
        return Client(HttpsTransport(config.server, context_for(config)))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    try:
        yield made
    finally:
        made.stop()


class Ledger:
    """What clients were told: the newest acknowledged data of each ConfigMap, and what was sent but not answered."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, str]] = {}
        self.sent: dict[str, dict[str, str]] = {}
        self.newest = 0
        self.writes = 0

    def answered(self, obj: Object) -> None:
        self.data[objects.name(obj)] = obj["data"]
        self.newest = max(self.newest, int(objects.resource_version(obj)))
        self.writes += 1


def _config_map(name: str, value: str) -> Object:
    data = dict.fromkeys(("first", "second", "third"), value)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def _write(client: Client, ledger: Ledger, number: int, round_number: int) -> None:
    for step in itertools.count():
        name = f"map-{round_number}-{number}-{step // 20}"
        wanted = _config_map(name, f"{round_number}.{number}.{step}")
        ledger.sent[name] = wanted["data"]
        if name in ledger.data:
            answer = await client.patch(CONFIG_MAPS, name, {"data": wanted["data"]}, "default")
        else:
            answer = await client.create(CONFIG_MAPS, wanted, "default")
        ledger.answered(answer)


async def _scale(client: Client, randomness: random.Random) -> None:
    while True:
        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": randomness.randint(1, 30)}}, "default")
        await asyncio.sleep(0.02)


async def _load_until_killed(daemon: Daemon, ledger: Ledger, round_number: int, randomness: random.Random) -> None:
    client = daemon.client()
    writers = [_write(client, ledger, number, round_number) for number in range(WRITERS)]
    tasks = [asyncio.create_task(work) for work in (*writers, _scale(client, randomness))]
    moment = ledger.writes + randomness.randint(40, 400)  # a number of answers, not of seconds: a busy machine answers few in one
    async with asyncio.timeout(60):
        while True:
            if ledger.writes >= moment or any(task.done() for task in tasks):
                break
            await asyncio.sleep(0.002)
    await asyncio.to_thread(daemon.kill)
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, (ConnectionFailed, ApiError)), result
    with contextlib.suppress(ConnectionFailed):
        await client.close()


async def _check(client: Client, ledger: Ledger) -> None:
    answer = await client.list(CONFIG_MAPS, "default")
    assert int(answer["metadata"]["resourceVersion"]) >= ledger.newest
    found = {objects.name(each): each for each in answer["items"] if objects.name(each).startswith("map-")}
    assert set(ledger.data) <= set(found)
    for name, obj in found.items():
        assert len(set(obj["data"].values())) == 1, "a write was half applied"
        assert obj["data"] in (ledger.data.get(name), ledger.sent[name])


async def _comes_to_rest(client: Client, replicas: int) -> None:
    await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": replicas}}, "default")
    async with asyncio.timeout(30):
        while True:
            status = (await client.get(DEPLOYMENTS, "web", "default")).get("status") or {}
            pods = (await client.list(PODS, "default", label_selector="app=web"))["items"]
            if status.get("availableReplicas") == replicas == len(pods):
                break
            await asyncio.sleep(0.05)
    assert all(objects.is_condition_true(pod, "Ready") for pod in pods)
    assert len({pod["status"]["podIP"] for pod in pods}) == replicas


DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "web:1"}]},
        },
    },
}


@pytest.mark.process
async def test_a_killed_cluster_goes_on_where_it_was(daemon: Daemon) -> None:
    randomness, ledger = random.Random(), Ledger()
    await asyncio.to_thread(daemon.start)
    client = daemon.client()
    await client.create(DEPLOYMENTS, DEPLOYMENT, "default")
    await client.close()
    for round_number in range(ROUNDS):
        await _load_until_killed(daemon, ledger, round_number, randomness)
        await asyncio.to_thread(daemon.start)
        client = daemon.client()
        await _check(client, ledger)
        later = await client.create(CONFIG_MAPS, _config_map(f"after-{round_number}", ""), "default")
        assert int(objects.resource_version(later)) > ledger.newest
        await client.close()
    assert ledger.writes > 100
    client = daemon.client()
    await _comes_to_rest(client, 10)
    await client.close()
