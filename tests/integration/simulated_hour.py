"""A churning cluster in simulated time, and every write to its store: `python -m tests.integration.simulated_hour SEED STORE SECONDS`.

STORE is `memory`, or a path for SQLite. Deployments come, scale, roll, crash and go, a namespace is deleted with all it contains,
nodes fall silent and come back. Containers run their scripts: they read and write volumes of all sorts, look names up, ask a server
behind a Service, and write what they found where it ends in their pod's status. Standard output gets one line for each write: revision,
type, key, value.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from kctl.apimachinery import virtual_time
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, DEPLOYMENTS, JOBS, NAMESPACES, NODES, PODS, SERVICES, built_in
from kctl.apimachinery.status import AlreadyExists, Forbidden, NotFound
from kctl.client.client import Client
from kctl.daemon.config import ClusterConfig
from kctl.daemon.control_plane import ControlPlane
from kctl.daemon.nodes import simulated_nodes
from store.etcd import Etcd
from store.memory import MemoryStore
from store.sqlite import SqliteStore
from store.types import Event

CLAIMS = built_in("v1", "PersistentVolumeClaim")
NAMES = ("api", "batch", "cache", "web")
NAMESPACES_IN_USE = ("default", "shop")
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.59"
BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"
SCRIPT = """
{
  for file in $(ls /settings | sort -r); do echo "$file=$(cat /settings/$file)"; done
  env | grep _SERVICE_
  echo $RANDOM | sha256sum | cut -c 1-4
  date; nslookup echo.default.svc.cluster.local; nslookup $(hostname -i)
  for number in 1 2 3; do wget -q -T 2 -O - http://echo/hostname || echo refused; echo; done
  echo "$HOSTNAME $(date +%s)" >> /kept/visitors; tail -n 3 /kept/visitors | tee /scratch/last; ls -l /scratch /kept /settings
} > /dev/termination-log 2>&1
test $(($(date +%s) % 5)) -gt 0
"""
"""It fails now and then, and is tried again."""


class Churn:
    """What users of the cluster do, one thing after the other."""

    def __init__(self, client: Client, clock: VirtualClock, randomness: random.Random) -> None:
        self._client = client
        self._clock = clock
        self._randomness = randomness
        self._image = 0

    async def run(self, seconds: float) -> None:
        deeds = [self._create] * 3 + [self._scale] * 3 + [self._roll] * 3 + [self._delete, self._delete_pod, self._job, self._space]
        deeds += [self._program] * 2 + [self._settings]
        end = self._clock.monotonic() + seconds
        await self._services()
        await self._server()
        failing = asyncio.create_task(self._nodes_fail(end))
        while (left := end - self._clock.monotonic()) > 0:
            with contextlib.suppress(NotFound, AlreadyExists, Forbidden):
                await self._randomness.choice(deeds)()
            await self._clock.sleep(min(left, self._randomness.uniform(0, 30)))
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)

    def _which(self) -> tuple[str, str]:
        return self._randomness.choice(NAMES), self._randomness.choice(NAMESPACES_IN_USE)

    async def _services(self) -> None:
        for name in NAMES:
            spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
            await self._client.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, "default")

    async def _server(self) -> None:
        """What the programs ask, and what they mount."""
        labels = {"app": "echo"}
        probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 20}
        container = {"name": "echo", "image": AGNHOST, "args": ["netexec", "--http-port=8080"], "readinessProbe": probe}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 3, "selector": {"matchLabels": labels}, "template": template}
        await self._client.create(DEPLOYMENTS, {"metadata": {"name": "echo"}, "spec": spec}, "default")
        ports = [{"port": 80, "targetPort": 8080}]
        await self._client.create(SERVICES, {"metadata": {"name": "echo"}, "spec": {"selector": labels, "ports": ports}}, "default")
        await self._client.create(CONFIG_MAPS, {"metadata": {"name": "settings"}, "data": {"colour": "red", "size": "0"}}, "default")
        claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        await self._client.create(CLAIMS, {"metadata": {"name": "kept"}, "spec": claim}, "default")

    async def _settings(self) -> None:
        await self._client.patch(CONFIG_MAPS, "settings", {"data": {"size": str(self._randomness.randint(1, 99))}}, "default")

    async def _program(self) -> None:
        """A pod whose container runs a script to its end."""
        sources: dict[str, Object] = {
            "settings": {"configMap": {"name": "settings"}},
            "kept": {"persistentVolumeClaim": {"claimName": "kept"}},
            "scratch": {"emptyDir": {}},
        }
        mounts = [{"name": name, "mountPath": f"/{name}"} for name in sources]
        container = {"name": "program", "image": BUSYBOX, "command": ["sh", "-c", SCRIPT], "volumeMounts": mounts}
        volumes = [{"name": name, **source} for name, source in sources.items()]
        spec = {"restartPolicy": "OnFailure", "containers": [container], "volumes": volumes}
        await self._client.create(PODS, {"metadata": {"generateName": "program-"}, "spec": spec}, "default")

    async def _create(self) -> None:
        name, space = self._which()
        template = {"metadata": {"labels": {"app": name}, "annotations": self._behaviour()}, "spec": self._pod_spec()}
        spec = {"replicas": self._randomness.randint(1, 8), "selector": {"matchLabels": {"app": name}}, "template": template}
        await self._client.create(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec}, space)

    def _behaviour(self) -> dict[str, str]:
        steady = {"kctl.dev/readiness-delay": "1s-5s", "kctl.dev/stop-duration": "0s-8s"}
        crashing = {**steady, "kctl.dev/run-duration": "20s-90s", "kctl.dev/exit-code": "1"}
        return self._randomness.choice((steady, steady, steady, crashing))

    def _pod_spec(self) -> Object:
        self._image += 1
        return {"containers": [{"name": "c", "image": f"example/{self._image}", "resources": {"requests": {"cpu": "100m"}}}]}

    async def _scale(self) -> None:
        await self._patch({"spec": {"replicas": self._randomness.randint(0, 12)}})

    async def _roll(self) -> None:
        await self._patch({"spec": {"template": {"spec": self._pod_spec()}}})

    async def _patch(self, patch: dict[str, Any]) -> None:
        name, space = self._which()
        await self._client.patch(DEPLOYMENTS, name, patch, space)

    async def _delete(self) -> None:
        name, space = self._which()
        await self._client.delete(DEPLOYMENTS, name, space)

    async def _delete_pod(self) -> None:
        pods = (await self._client.list(PODS, "default"))["items"]
        if pods:
            await self._client.delete(PODS, self._randomness.choice(pods)["metadata"]["name"], "default")

    async def _job(self) -> None:
        name = f"job-{self._randomness.getrandbits(32):08x}"
        meta = {"annotations": {"kctl.dev/run-duration": "5s-60s", "kctl.dev/exit-code": self._randomness.choice(("0", "1,0"))}}
        spec = {"completions": 4, "parallelism": 2, "template": {"metadata": meta, "spec": {**self._pod_spec(), "restartPolicy": "Never"}}}
        await self._client.create(JOBS, {"metadata": {"name": name}, "spec": spec}, "default")

    async def _nodes_fail(self, end: float) -> None:
        """A kubelet falls silent, now and then long enough for its pods to be evicted, and comes back."""
        while self._clock.monotonic() < end:
            await self._clock.sleep(self._randomness.uniform(60, 300))
            name = self._randomness.choice((await self._client.list(NODES))["items"])["metadata"]["name"]
            for state, seconds in (("stopped", self._randomness.uniform(20, 500)), (None, 0.0)):
                await self._client.patch(NODES, name, {"metadata": {"annotations": {"kctl.dev/kubelet": state}}})
                await self._clock.sleep(seconds)

    async def _space(self) -> None:
        try:
            await self._client.create(NAMESPACES, {"metadata": {"name": "shop"}})
        except AlreadyExists:
            await self._client.delete(NAMESPACES, "shop")


def write_log(output: BinaryIO, store: Etcd) -> None:
    def listen(events: Sequence[Event]) -> None:
        for event in events:
            value = event.key_value
            output.write(b"%d %s %s %s\n" % (value.mod_revision, event.type.encode(), value.key.encode(), value.value))

    store.listen("", listen)


async def simulate(seed: str, store: Etcd, output: BinaryIO, seconds: float) -> None:
    clock = VirtualClock()
    write_log(output, store)
    async with ControlPlane(store, clock, seed, simulated_nodes(ClusterConfig("hour", nodes=5))) as plane:
        await Churn(plane.client(), clock, random.Random(f"{seed}/churn")).run(seconds)
        await clock.step()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def main() -> None:
    seed, where, seconds = sys.argv[1:]
    store: Etcd = MemoryStore() if where == "memory" else SqliteStore(Path(where), synchronous=True)
    virtual_time.run(simulate(seed, store, sys.stdout.buffer, float(seconds)), limit_seconds=2 * float(seconds))


if __name__ == "__main__":
    main()
