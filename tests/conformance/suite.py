"""What the official conformance tests stand on: a cluster of API server, controllers, scheduler and simulated kubelets, in memory and
in simulated time, asked in JSON as over HTTPS. Each test has a namespace of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.daemon.pki import Pki
from tests.conformance.api import MERGE, Api
from tests.integration.whole_cluster import Cluster, whole_cluster

NAMESPACE = "e2e"
STRATEGIC, JSON_PATCH = "application/strategic-merge-patch+json", "application/json-patch+json"
CORE, APPS, BATCH = (f"{root}/namespaces/{NAMESPACE}" for root in ("/api/v1", "/apis/apps/v1", "/apis/batch/v1"))
PODS = f"{CORE}/pods"
Events = list[tuple[str, Object]]
Holds = Callable[[Any], Any]


class Suite(Api):
    """Methods take the paths of the API. Where one waits, the cluster's time passes."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster.plane.server)
        self.cluster = cluster

    async def items(self, path: str, labels: str = "", fields: str = "") -> list[Object]:
        """Of a collection, those the selectors choose."""
        return list((await self.get(selected(path, labels, fields)))["items"])

    async def names(self, path: str, labels: str = "", fields: str = "") -> list[str]:
        return [objects.name(each) for each in await self.items(path, labels, fields)]

    async def patch(self, path: str, body: Any, kind: str = MERGE) -> Any:
        return self._good(await self.ask("PATCH", path, body, kind=kind))

    async def delete(self, path: str, **options: Any) -> Any:
        """An object or a collection; `options` as in DeleteOptions."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options} if options else None
        status, answer = await self.ask("DELETE", path, body)
        assert status in (200, 202), answer
        return answer

    async def refused(self, method: str, path: str, body: Any = None, *, status: int, kind: str = "application/json") -> str:
        """The message of what must fail with that status."""
        answered, answer = await self.ask(method, path, body, kind=kind)
        assert answered == status, answer
        return str(answer["message"])

    async def settle(self, seconds: float = 0.0) -> None:
        await self.cluster.settle(seconds)

    async def until(self, path: str, holds: Holds, seconds: float = 300.0) -> Any:
        """The object (or list) as soon as it `holds`."""
        seen: Any = None
        for _ in range(int(seconds * 2)):
            status, seen = await self.ask("GET", path)
            if status == 200 and holds(seen):
                return seen
            await self.settle(0.5)
        raise AssertionError(f"not in time: {path}: {seen}")

    async def gone(self, path: str, seconds: float = 300.0) -> None:
        """An object that is being deleted is not there any more."""
        for _ in range(int(seconds * 2)):
            if (await self.ask("GET", path))[0] == 404:
                return
            await self.settle(0.5)
        raise AssertionError(f"still there: {path}")

    async def empty(self, path: str, labels: str = "", seconds: float = 300.0) -> None:
        await self.until(selected(path, labels), lambda listed: not listed["items"], seconds)

    async def seen(self, path: str, since: Any, kind: str, holds: Holds = lambda obj: True, seconds: float = 120.0) -> Object:
        """The object of the first event of that type that `holds`, of a watch from where `since` was."""
        for _ in range(int(seconds)):
            events = await self.watched(path, since)
            for event, obj in events:
                if event == kind and holds(obj):
                    return obj
        raise AssertionError(f"no such event: {kind} of {path}: {events}")

    async def update_until(self, path: str, change: Callable[[Object], Object]) -> Any:
        """Read, change, write, and again where another was faster."""
        for _ in range(10):
            status, answer = await self.ask("PUT", path, change(await self.get(path)))
            if status != 409:
                return self._good((status, answer))
        raise AssertionError(answer)

    async def running(self, labels: str, count: int, path: str = PODS) -> list[Object]:
        """So many pods that stay, all of them Running and Ready."""

        def staying(listed: Object) -> list[Object]:
            return [pod for pod in listed["items"] if not objects.deletion_timestamp(pod)]

        def all_run(listed: Object) -> bool:
            return len(staying(listed)) == count and all(map(is_ready, staying(listed)))

        return staying(await self.until(selected(path, labels), all_run))

    async def events_of(self, name: str) -> list[tuple[str, str]]:
        """(reason, message) of what was said of an object."""
        return [(reason, message) for _, reason, message in await self.cluster.events(name, NAMESPACE)]


def selected(path: str, labels: str = "", fields: str = "") -> str:
    query = "&".join(f"{key}={quote(value)}" for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value)
    return f"{path}?{query}" if query else path


def is_ready(pod: Object) -> bool:
    return objects.status(pod).get("phase") == "Running" and objects.is_condition_true(pod, "Ready")


def container(name: str = "c", image: str = "registry.k8s.io/e2e-test-images/agnhost:2.59", **more: Any) -> Object:
    return {"name": name, "image": image, **more}


def pod(name: str, labels: Object | None = None, annotations: Object | None = None, **spec: Any) -> Object:
    meta = {"name": name, "labels": labels or {}, "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"containers": [container()], **spec}}


def template(labels: Object, image: str = "", annotations: Object | None = None, **spec: Any) -> Object:
    """Of pods with one container."""
    meta = {"labels": labels, "annotations": annotations or {}}
    return {"metadata": meta, "spec": {"containers": [container(**({"image": image} if image else {}))], **spec}}


@asynccontextmanager
async def suite(nodes: int = 3, keys: Pki | None = None) -> AsyncIterator[Suite]:
    """`keys` as in whole_cluster."""
    async with whole_cluster(nodes, keys=keys) as cluster:
        made = Suite(cluster)
        await made.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        await made.until(f"{CORE}/serviceaccounts/default", lambda account: True)
        yield made
