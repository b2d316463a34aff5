"""The official conformance tests of in-place resizes, step by step as far as the API shows them; and what becomes of a size that the
node has no room for."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import PODS, STRATEGIC, Suite, container, is_ready, pod, suite

pytestmark = pytest.mark.virtual_time
Sizes = dict[str, Object]
"""Resources of containers by their names."""


def size(cpu: str = "", memory: str = "", cpu_limit: str = "", memory_limit: str = "") -> Object:
    sides = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu_limit, "memory": memory_limit}}
    kept = {side: {name: amount for name, amount in amounts.items() if amount} for side, amounts in sides.items()}
    return {side: amounts for side, amounts in kept.items() if amounts}


def guaranteed(cpu: str, memory: str) -> Object:
    return size(cpu, memory, cpu, memory)


def resizable(sizes: Sizes, **more: Any) -> Object:
    return pod("resize", containers=[container(name, resources=resources, **more) for name, resources in sizes.items()])


async def resize(e2e: Suite, sizes: Sizes) -> Object:
    """By a patch of the subresource."""
    change = {"spec": {"containers": [{"name": name, "resources": resources} for name, resources in sizes.items()]}}
    patched: Object = await e2e.patch(f"{PODS}/resize/resize", change, STRATEGIC)
    return patched


def has(sizes: Sizes, restarts: int = 0) -> Any:
    """Whether a pod is as it should be after the resize: spec, statuses, conditions, restarts."""

    def holds(made: Object) -> bool:
        conditions = [each["type"] for each in made["status"]["conditions"]]
        statuses = {each["name"]: each for each in made["status"]["containerStatuses"]}
        shown = {name: statuses[name].get("resources") for name in sizes}
        allocated = {name: statuses[name].get("allocatedResources") for name in sizes}
        return (
            not {"PodResizePending", "PodResizeInProgress"} & set(conditions)
            and made["status"]["observedGeneration"] == made["metadata"]["generation"]
            and {each["name"]: each["resources"] for each in made["spec"]["containers"]} == shown == sizes
            and allocated == {name: resources.get("requests") for name, resources in sizes.items()}
            and sum(each["restartCount"] for each in statuses.values()) == restarts
        )

    return holds


async def there_and_back(before: Sizes, after: Sizes) -> None:
    async with suite() as e2e:
        await e2e.create(PODS, resizable(before))
        made = await e2e.until(f"{PODS}/resize", is_ready)
        assert has(before)(made)
        for number, sizes in enumerate((after, before), 2):
            patched = await resize(e2e, sizes)
            assert patched["metadata"]["generation"] == number
            resized = await e2e.until(f"{PODS}/resize", lambda made, sizes=sizes: is_ready(made) and has(sizes)(made))  # type: ignore[misc]
            assert resized["status"]["qosClass"] == made["status"]["qosClass"]
        happened = [reason for reason, _ in await e2e.events_of("resize") if reason.startswith("Resize")]
        assert happened == ["ResizeStarted", "ResizeCompleted"] * 2


THREE = {"c1": guaranteed("100m", "100Mi"), "c2": guaranteed("200m", "200Mi"), "c3": guaranteed("300m", "300Mi")}


async def test_net_increase() -> None:
    """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, c2, decrease cpu & mem on c3 - net increase [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    after = {"c1": guaranteed("140m", "150Mi"), "c2": guaranteed("250m", "250Mi"), "c3": guaranteed("240m", "250Mi")}
    await there_and_back(THREE, after)


async def test_net_decrease() -> None:
    """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase cpu & mem on c1, decrease cpu & mem on c2, c3 - net decrease [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    after = {"c1": guaranteed("150m", "150Mi"), "c2": guaranteed("120m", "140Mi"), "c3": guaranteed("200m", "210Mi")}
    await there_and_back(THREE, after)


async def test_various() -> None:
    """[sig-node] Pod InPlace Resize Container guaranteed pods with multiple containers 3 containers - increase: CPU (c1,c3), memory (c2, c3) ; decrease: CPU (c2) [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    after = {"c1": guaranteed("150m", "100Mi"), "c2": guaranteed("130m", "250Mi"), "c3": guaranteed("360m", "350Mi")}
    await there_and_back(THREE, after)


async def test_six_containers() -> None:
    """[sig-node] Pod InPlace Resize Container burstable pods - extended 6 containers - various operations performed (including adding limits and requests) [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    before = {
        "c1": size("100m", "100Mi", "200m", "200Mi"),
        "c2": size("100m", "100Mi"),
        "c3": size(cpu="100m"),
        "c4": size(memory="100Mi"),
        "c5": size(cpu="100m", cpu_limit="200m"),
        "c6": {},
    }
    after = {
        "c1": size("150m", "120Mi", "250m", "220Mi"),
        "c2": size("120m", "120Mi", "240m", "240Mi"),
        "c3": size(cpu="120m", cpu_limit="240m"),
        "c4": size("50m", "90Mi"),
        "c5": size(cpu="80m", cpu_limit="160m", memory="50Mi"),
        "c6": size("10m", "10Mi", "20m", "20Mi"),
    }
    async with suite() as e2e:  # what is added cannot be taken away again
        await e2e.create(PODS, resizable(before))
        await e2e.until(f"{PODS}/resize", is_ready)
        await resize(e2e, after)
        await e2e.until(f"{PODS}/resize", lambda made: is_ready(made) and has(after)(made))


async def test_equivalents() -> None:
    """[sig-node] Pod InPlace Resize Container burstable pods - extended resize with equivalents [MinimumKubeletVersion:1.34] [Conformance]"""  # noqa: E501
    await there_and_back(
        {"c1": size(cpu="2m", cpu_limit="10m"), "c2": size(cpu="5m", cpu_limit="10m")},
        {"c1": size(cpu="1m", cpu_limit="5m"), "c2": size(cpu="4m", cpu_limit="8m")},
    )


async def test_replace() -> None:
    """[sig-node] Pod InPlace Resize Container resize pod via the replace endpoint [MinimumKubeletVersion:1.34] [Conformance]"""
    after = {"c1": guaranteed("150m", "150Mi")}
    async with suite() as e2e:
        await e2e.create(PODS, resizable({"c1": guaranteed("100m", "100Mi")}))
        made = await e2e.until(f"{PODS}/resize", is_ready)
        made["spec"]["containers"][0]["resources"] = after["c1"]
        await e2e.update(f"{PODS}/resize/resize", made)
        resized = await e2e.until(f"{PODS}/resize", lambda made: is_ready(made) and has(after)(made))
        assert await e2e.get(f"{PODS}/resize/resize") == resized


async def test_a_restart_where_the_policy_asks_for_one() -> None:
    after = {"c1": guaranteed("100m", "150Mi")}
    policy = [{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    async with suite() as e2e:
        await e2e.create(PODS, resizable({"c1": guaranteed("100m", "100Mi")}, resizePolicy=policy))
        await e2e.until(f"{PODS}/resize", is_ready)
        since = await resize(e2e, after)
        going = await e2e.seen(PODS, since, "MODIFIED", lambda made: objects.condition(made, "PodResizeInProgress") is not None)
        (status,) = going["status"]["containerStatuses"]
        assert (status["resources"]["requests"]["memory"], status["allocatedResources"]["memory"]) == ("100Mi", "150Mi")
        await e2e.until(f"{PODS}/resize", lambda made: is_ready(made) and has(after, restarts=1)(made))
        happened = await e2e.events_of("resize")
        assert ("Killing", "Container c1 resize requires restart") in happened
        amounts = '{"cpu":"100m","memory":"150Mi"}'
        resources = f'{{"limits":{amounts},"requests":{amounts}}}'
        assert (
            "ResizeCompleted",
            f'Pod resize completed: {{"containers":[{{"name":"c1","resources":{resources}}}],"generation":2}}',
        ) in happened


async def test_a_size_without_room() -> None:
    async with suite(1) as e2e:
        (node,) = await e2e.items("/api/v1/nodes")
        cores = int(node["status"]["allocatable"]["cpu"])
        half, whole, more = cores // 2 * 1000, cores * 1000, str(cores // 2 + 1)
        await e2e.create(PODS, pod("other", containers=[container(resources=size(cpu=str(cores // 2)))]))
        await e2e.create(PODS, resizable({"c1": size(cpu="100m")}))
        await e2e.until(f"{PODS}/other", is_ready)
        await e2e.until(f"{PODS}/resize", is_ready)

        def pending(reason: str) -> Any:
            return lambda made: (objects.condition(made, "PodResizePending") or {}).get("reason") == reason

        await resize(e2e, {"c1": size(cpu=str(cores + 1))})
        made = await e2e.until(f"{PODS}/resize", pending("Infeasible"))
        why = f"Node didn't have enough capacity: cpu, requested: {whole + 1000}, capacity: {whole}"
        assert (objects.condition(made, "PodResizePending") or {})["message"] == why
        (status,) = made["status"]["containerStatuses"]
        assert status["resources"] == size(cpu="100m") and status["allocatedResources"] == {"cpu": "100m"}

        await resize(e2e, {"c1": size(cpu=more)})
        made = await e2e.until(f"{PODS}/resize", pending("Deferred"))
        why = f"Node didn't have enough resource: cpu, requested: {half + 1000}, used: {half}, capacity: {whole}"
        assert (objects.condition(made, "PodResizePending") or {})["message"] == why
        reasons = [reason for reason, _ in await e2e.events_of("resize")]
        assert reasons[-2:] == ["ResizeInfeasible", "ResizeDeferred"]
        await e2e.delete(f"{PODS}/other")
        await e2e.until(f"{PODS}/resize", has({"c1": size(cpu=more)}))
        await e2e.delete(f"{PODS}/resize")
        await e2e.gone(f"{PODS}/resize")
        await e2e.create(PODS, pod("last", containers=[container(resources=size(cpu=str(cores)))]))
        await e2e.until(f"{PODS}/last", is_ready)  # all of the node is free again
