"""Pods that look at their volumes and say in their logs what they see, as the official storage tests make them."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import ADMIN
from tests.conformance.suite import CORE, PODS, Suite, container, is_ready

BUSYBOX = "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"
CONFIG_MAPS, SECRETS = f"{CORE}/configmaps", f"{CORE}/secrets"
ENDED = ("Succeeded", "Failed")
IN_LOOP = ("--break_on_expected_content=false", "--retry_time=300")
"""Of mounttest: look again and again, whatever there is."""


def mount(volume: str, path: str, **more: Any) -> Object:
    return {"name": volume, "mountPath": path, **more}


def mounttest(name: str, mounts: list[Object], *arguments: str, **more: Any) -> Object:
    """A container that looks at files once, or in a loop."""
    return container(name, args=["mounttest", *arguments], volumeMounts=mounts, **more)


def pod(name: str, volumes: list[Object], *containers: Object, **spec: Any) -> Object:
    return {"metadata": {"name": name}, "spec": {"volumes": volumes, "containers": list(containers), "restartPolicy": "Never", **spec}}


async def logs(e2e: Suite, name: str, of: str = "", namespace: str = "") -> str:
    """What a container has written until now; '' before it runs."""
    path = f"{PODS}/{name}/log" if not namespace else f"/api/v1/namespaces/{namespace}/pods/{name}/log"
    answer = await e2e.server.handle_raw("GET", path, {"container": of} if of else {}, None, {}, ADMIN)
    if answer.status != 200:
        assert answer.status == 400, answer.body  # it waits to start
        return ""
    return answer.body.decode("utf-8", "backslashreplace")


async def output(e2e: Suite, made: Object, of: str = "") -> str:
    """Of a pod that runs to its end, which must be a good one. It is gone afterwards."""
    name = objects.name(made)
    await e2e.create(PODS, made)
    ended = await e2e.until(f"{PODS}/{name}", lambda seen: objects.status(seen).get("phase") in ENDED)
    said = await logs(e2e, name, of or ended["spec"]["containers"][0]["name"])
    assert ended["status"]["phase"] == "Succeeded", (ended["status"], said)
    await e2e.delete(f"{PODS}/{name}", gracePeriodSeconds=0)
    await e2e.gone(f"{PODS}/{name}")
    return said


async def runs(e2e: Suite, made: Object) -> Object:
    """A pod, as soon as it runs and is ready."""
    await e2e.create(PODS, made)
    seen: Object = await e2e.until(f"{PODS}/{objects.name(made)}", is_ready)
    return seen


async def says(e2e: Suite, name: str, of: str, text: str, seconds: float = 240.0) -> None:
    """The container's log has the text, at once or within the time in which a kubelet brings volumes up to date."""
    for _ in range(int(seconds)):
        if text in await logs(e2e, name, of):
            return
        await e2e.settle(1)
    raise AssertionError(f"{name}/{of} does not say {text!r}: {await logs(e2e, name, of)}")


def content(path: str, text: str) -> str:
    return f'content of file "{path}": {text}'


def mode(path: str, bits: str) -> str:
    return f'mode of file "{path}": {bits}'
