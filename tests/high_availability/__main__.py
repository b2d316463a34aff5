"""python -m tests.high_availability --seconds 300 --pods 2000: three etcd members, two API servers behind a balancer, two controller
managers, two schedulers, all processes; while pods churn the leader of one kind after the other is killed. Exit code 1 where something that
was acknowledged is lost, or the cluster does not come to rest as it was told to."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from kctl.apimachinery import objects
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from kctl.apimachinery.status import AlreadyExists, ApiError
from kctl.client import kubeconfig
from kctl.client.client import Client
from kctl.client.errors import ConnectionFailed
from kctl.client.https_transport import HttpsTransport
from kctl.client.tls import context_for
from tests.contract.etcd_server import members
from tests.high_availability.balancer import Balancer
from tests.high_availability.processes import Process, Processes

T = TypeVar("T")
REPLICAS = 100
_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.05


class Run:
    def __init__(self, processes: Processes, client: Client, seed: int) -> None:
        self._processes, self._client = processes, client
        self._randomness = random.Random(seed)
        self.kills = 0
        self.requests = 0
        self.retried = 0
        self.longest = 0.0
        self.longest_without_leader = 0.0
        self.ledger: dict[str, str] = {}
        self.wanted: dict[str, int] = {}
        self._following: list[asyncio.Task[None]] = []

    async def _sure(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Asked until it is answered, as clients with retries do; what takes longest is how long the API was away."""
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(10):
                    answer = await ask()
                break
            except AlreadyExists:
                raise
            except (ConnectionFailed, TimeoutError, ApiError) as error:
                if isinstance(error, ApiError) and error.code < 500 and error.code != 429:
                    raise
                self.retried += 1
                await asyncio.sleep(_PAUSE_SECONDS)
        self.requests += 1
        self.longest = max(self.longest, time.monotonic() - began)
        return answer

    async def write(self, until: float) -> None:
        """A ledger: what is in it was acknowledged."""
        number = 0
        while time.monotonic() < until:
            name, value = f"entry-{number % 200}", str(number)
            body = {"metadata": {"name": name, "namespace": "default"}, "data": {"value": value}}
            if name in self.ledger:
                await self._sure(partial(self._client.update, CONFIG_MAPS, body))
            else:
                with contextlib.suppress(AlreadyExists):  # the answer to the first attempt was lost
                    await self._sure(partial(self._client.create, CONFIG_MAPS, body, "default"))
            self.ledger[name] = value
            seen = await self._sure(partial(self._client.get, CONFIG_MAPS, name, "default"))
            assert seen["data"]["value"] == value, f"{name} was read as {seen['data']['value']} after {value} had been acknowledged"
            number += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    async def deploy(self, pods: int) -> None:
        for number in range(max(pods // REPLICAS, 1)):
            name, labels = f"d{number}", {"app": f"d{number}"}
            template = {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "c", "image": "nginx"}]},
            }
            self.wanted[name] = min(REPLICAS, pods)
            spec = {"replicas": self.wanted[name], "selector": {"matchLabels": labels}, "template": template}
            await self._sure(partial(self._client.create, DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec}, "default"))

    async def churn(self, until: float) -> None:
        while time.monotonic() < until:
            name = self._randomness.choice(sorted(self.wanted))
            replicas = self._randomness.randrange(self.wanted[name] // 2, REPLICAS + 1)
            await self._sure(partial(self._client.patch, DEPLOYMENTS, name, {"spec": {"replicas": replicas}}, "default"))
            self.wanted[name] = replicas
            await asyncio.sleep(1)

    async def kill(self, until: float, every: float, *, spare_etcd: bool) -> None:
        kinds: list[list[Process] | None] = [self._processes.api_servers, self._processes.schedulers, self._processes.controller_managers]
        kinds += [] if spare_etcd else [None]
        while time.monotonic() + every < until:
            await asyncio.sleep(every)
            kind = kinds[self.kills % len(kinds)]
            self.kills += 1
            if kind is None:
                member = self._processes.members[self.kills % 3]
                member.kill()
                await asyncio.sleep(2)
                member.start()
                continue
            leader = next((process for process in kind if process.is_ready), kind[0])
            if kind is self._processes.api_servers:
                leader = kind[self.kills // len(kinds) % 2]
            leader.kill()
            leader.start()
            self._following.append(asyncio.create_task(self._followed(kind)))
        await asyncio.gather(*self._following)

    async def _followed(self, kind: Sequence[Process]) -> None:
        began = time.monotonic()
        await _until(partial(_one_acts, kind), "one acts")
        self.longest_without_leader = max(self.longest_without_leader, time.monotonic() - began)

    def figures(self) -> str:
        pods = sum(self.wanted.values())
        return (
            f"{self.kills} kills; {self.requests} requests, {self.retried} attempts in vain; {len(self.ledger)} entries and {pods} pods "
            f"at the end; the API was away for {self.longest:.1f} s at most, a leader for {self.longest_without_leader:.1f} s"
        )

    async def at_rest(self) -> str:
        """'' once everything is as it was told to be, else what is not."""
        problem, deadline = "?", time.monotonic() + _PATIENCE_SECONDS
        while problem and time.monotonic() < deadline:
            await asyncio.sleep(1)
            problem = await self._difference()
        return problem

    async def _difference(self) -> str:
        found = (await self._sure(partial(self._client.list, CONFIG_MAPS, "default")))["items"]
        there = {objects.name(obj): obj["data"].get("value") for obj in found}
        if lost := {name: value for name, value in self.ledger.items() if there.get(name) != value}:
            return f"acknowledged and lost: {lost}"
        ready: dict[str, int] = {}
        count = 0
        for pod in (await self._sure(partial(self._client.list, PODS, "default")))["items"]:
            count += 1
            if objects.is_condition_true(pod, "Ready") and not objects.deletion_timestamp(pod):
                name = objects.labels(pod)["app"]
                ready[name] = ready.get(name, 0) + 1
        if ready != {name: replicas for name, replicas in self.wanted.items() if replicas} or count != sum(self.wanted.values()):
            return f"{count} pods, ready {ready}, wanted {self.wanted}"
        return ""


def _one_acts(processes: Sequence[Process]) -> bool:
    return any(process.is_ready for process in processes)


async def _until(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come true that {what}")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _started(*processes: Process) -> None:
    for process in processes:
        process.start()
    await _until(partial(_one_acts, processes), f"{processes[0].name} is ready")


async def run(folder: Path, seconds: float, pods: int, every: float, seed: int, *, spare_etcd: bool) -> int:
    balancer = Balancer()
    url = await balancer.start()
    with members(3) as etcds:
        processes = Processes(folder, etcds, max(pods // 100, 3), url)
        balancer.ports = processes.ports
        try:
            for api_server in processes.api_servers:
                await _started(api_server)
            await _started(*processes.controller_managers)
            await _started(*processes.schedulers)
            await _started(processes.kubelets)
            config = kubeconfig.resolve(kubeconfig.load(processes.kubeconfig), kubeconfig.Overrides())
            client = Client(HttpsTransport(url, context_for(config)))
            run = Run(processes, client, seed)
            await run.deploy(pods)
            until = time.monotonic() + seconds
            await asyncio.gather(run.write(until), run.churn(until), run.kill(until, every, spare_etcd=spare_etcd))
            problem = await run.at_rest()
            print(run.figures())
            print(problem or "nothing was lost, and all came to rest as told")
            if problem:
                print(processes.why())
            await client.close()
            return 1 if problem else 0
        finally:
            for process in processes.everything():
                process.kill()
            await balancer.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.high_availability", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--spare-etcd", action="store_true", help="kill no member of etcd")
    parser.add_argument("--seed", type=int, default=None, help="of what is scaled; a random one where none is given")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(10**9)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="kctl-ha-") as folder:
        return asyncio.run(run(Path(folder), arguments.seconds, arguments.pods, arguments.every, seed, spare_etcd=arguments.spare_etcd))


if __name__ == "__main__":
    sys.exit(main())
