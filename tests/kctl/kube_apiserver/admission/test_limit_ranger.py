"""LimitRanger: defaults, bounds and ratios of containers, pods and claims, in the API server's own words."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, built_in
from kctl.apimachinery.status import Forbidden
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from tests.kctl.kube_apiserver.admission.conftest import Api

CLAIMS = built_in("v1", "PersistentVolumeClaim")
RANGES = built_in("v1", "LimitRange")


def container(requests: Object | None = None, limits: Object | None = None, name: str = "c", **more: Any) -> Object:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "image": "i", "resources": resources, **more}


async def limit(api: Api, *limits: Object, name: str = "lr") -> None:
    await api.create("v1", "LimitRange", name, spec={"limits": list(limits)})


async def refusal(api: Api, **spec: Any) -> str:
    with pytest.raises(Forbidden) as error:
        await api.pod(**spec)
    return str(error.value).removeprefix('pods "p" is forbidden: ')


async def test_defaults_fill_what_containers_leave_out_and_say_so(api: Api) -> None:
    await limit(api, {"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}})
    made = await api.pod(
        containers=[container({"memory": "10Mi"}), container({"cpu": "1"}, {"cpu": "2"}, "d")], initContainers=[container(name="i")]
    )
    resources = [each["resources"] for field in ("containers", "initContainers") for each in objects.spec(made)[field]]
    assert resources == [
        {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "10Mi"}},
        {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
        {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "1Gi"}},
    ]
    assert objects.annotations(made) == {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu request for container c; cpu, memory limit for container c; "
        "memory request for container d; memory limit for container d; "
        "cpu, memory request for init container i; cpu, memory limit for init container i"
    }
    assert objects.status(made)["qosClass"] == "Burstable"


async def test_a_pod_that_says_everything_is_left_as_it_is(api: Api) -> None:
    await limit(api, {"type": "Container", "default": {"cpu": "500m"}})
    made = await api.pod(containers=[container({"cpu": "1"}, {"cpu": "1"})])
    assert objects.annotations(made) == {}


BOUNDS = [
    ({"min": {"cpu": "50m"}}, {"cpu": "40m"}, {"cpu": "60m"}, "minimum cpu usage per Container is 50m, but request is 40m"),
    ({"max": {"cpu": "1"}}, {"cpu": "500m"}, {"cpu": "1500m"}, "maximum cpu usage per Container is 1, but limit is 1500m"),
    (
        {"max": {"nvidia.com/gpu": "1"}, "default": {"cpu": "1"}},
        {"nvidia.com/gpu": "2"},
        {"nvidia.com/gpu": "2"},
        "maximum nvidia.com/gpu usage per Container is 1, but limit is 2",
    ),
    (
        {"maxLimitRequestRatio": {"cpu": "2"}},
        {"cpu": "300m"},
        {"cpu": "1"},
        "cpu max limit to request ratio per Container is 2, but provided ratio is 3.333333",
    ),
    (
        {"maxLimitRequestRatio": {"cpu": "2"}},
        None,
        None,
        "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
    ),
    (
        {"maxLimitRequestRatio": {"cpu": "2"}},
        {"cpu": "1"},
        None,
        "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0",
    ),
    (
        {"max": {"cpu": "1", "memory": "1Gi"}},
        {"cpu": "1"},
        {"cpu": "2", "memory": "2Gi"},
        "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi, but limit is 2Gi]",
    ),
]


@pytest.mark.parametrize(("bounds", "requests", "limits", "text"), BOUNDS)
async def test_containers_outside_the_bounds_are_refused(api: Api, bounds: Object, requests: Any, limits: Any, text: str) -> None:
    await limit(api, {"type": "Container", **bounds})
    assert await refusal(api, containers=[container(requests, limits)]) == text
    fine = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}
    assert await refusal(api, initContainers=[container(requests, limits, "i")], containers=[container(fine, fine)]) == text


async def test_a_pods_bounds_are_for_all_its_containers_together(api: Api) -> None:
    await limit(api, {"type": "Pod", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "100m"}})
    two = [container({"cpu": "1"}, {"cpu": "1500m", "memory": "1Mi"}, name) for name in "ab"]
    assert await refusal(api, containers=two) == "maximum cpu usage per Pod is 2, but limit is 3"
    bare = [container({"memory": "1Mi"}, {"memory": "1Mi"})]
    assert await refusal(api, containers=bare) == (
        "[minimum cpu usage per Pod is 100m.  No request is specified, maximum cpu usage per Pod is 2.  No limit is specified]"
    )
    greedy = [container({"cpu": "1"}, {"cpu": "4", "memory": "1Mi"}, "i")]
    assert await refusal(api, containers=two[:1], initContainers=greedy) == "maximum cpu usage per Pod is 2, but limit is 4"
    level = {"requests": {"cpu": "1"}, "limits": {"cpu": "3", "memory": "1Gi"}}
    assert await refusal(api, containers=[container()], resources=level) == "maximum cpu usage per Pod is 2, but limit is 3"


async def test_several_ranges_are_asked_in_the_order_of_their_names(api: Api) -> None:
    await limit(api, {"type": "Container", "max": {"cpu": "2"}}, name="b")
    await limit(api, {"type": "Container", "max": {"cpu": "1"}}, name="a")
    assert await refusal(api, containers=[container({"cpu": "3"}, {"cpu": "3"})]) == "maximum cpu usage per Container is 1, but limit is 3"


async def test_claims_ask_by_their_requests(api: Api) -> None:
    await limit(api, {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}})

    async def claim(name: str, size: str) -> Object:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return await api.create("v1", "PersistentVolumeClaim", name, spec=spec)

    for size, text in (
        ("500Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"),
        ("6Gi", "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi"),
    ):
        with pytest.raises(Forbidden, match=text):
            await claim("c", size)
    await claim("c", "2Gi")
    await api.client.patch(RANGES, "lr", {"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}}, "default")
    await api.client.patch(CLAIMS, "c", {"metadata": {"labels": {"a": "b"}}}, "default")  # what is stored was admitted


async def test_a_resize_is_held_to_what_it_changes(api: Api) -> None:
    await api.pod(containers=[container({"cpu": "3"}, {"cpu": "3"}), container({"cpu": "100m"}, {"cpu": "200m"}, "d")])
    await limit(api, {"type": "Container", "max": {"cpu": "1"}})
    patch = [{"name": "d", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}}}]
    with pytest.raises(Forbidden, match="maximum cpu usage per Container is 1, but limit is 2"):
        await api.resize("p", patch)
    made = await api.resize("p", [{"name": "d", "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "500m"}}}])
    assert objects.spec(made)["containers"][1]["resources"]["limits"] == {"cpu": "500m"}


async def test_pods_of_one_template_get_the_defaults_too_and_follow_a_change_of_them(api: Api) -> None:
    """They share what was admitted of the first."""
    client = Client(api.server.component_transport(ADMIN))
    spec = {"containers": [{"name": "c", "image": "i"}]}

    async def cpu(name: str) -> Any:
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
        made = await client.create(PODS, body, "default")
        marked = "kubernetes.io/limit-ranger" in objects.annotations(made)
        return objects.spec(made)["containers"][0].get("resources", {}).get("limits", {}).get("cpu"), marked

    assert await cpu("a") == (None, False)
    await limit(api, {"type": "Container", "default": {"cpu": "1"}})
    assert [await cpu("b"), await cpu("c")] == [("1", True), ("1", True)]
    await api.client.patch(RANGES, "lr", {"spec": {"limits": [{"type": "Container", "default": {"cpu": "2"}}]}}, "default")
    assert await cpu("d") == ("2", True)
    await api.client.delete(RANGES, "lr", "default")
    assert await cpu("e") == (None, False)
