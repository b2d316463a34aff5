"""ResourceQuota admission: what does not fit is refused in the API server's own words, what fits is counted at once, together or alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS, SERVICES, built_in
from kctl.apimachinery.status import ApiError, Forbidden
from tests.kctl.kube_apiserver.admission.conftest import Api, UnhurriedStore

QUOTAS = built_in("v1", "ResourceQuota")
CLAIMS = built_in("v1", "PersistentVolumeClaim")


async def quota(api: Api, hard: Object, used: Object | None = None, name: str = "q", **spec: Any) -> None:
    """One whose usage the controller has counted."""
    made = await api.create("v1", "ResourceQuota", name, spec={"hard": hard, **spec})
    status = {"hard": hard, "used": {**dict.fromkeys(hard, "0"), **(used or {})}}
    await api.client.update_status(QUOTAS, objects.replace(made, status=status))


async def used(api: Api, name: str = "q") -> Any:
    return objects.status(await api.get(QUOTAS, name))["used"]


async def refusal(making: Any) -> str:
    with pytest.raises(Forbidden) as error:
        await making
    return str(error.value)


def container(requests: Object | None = None, limits: Object | None = None, name: str = "c") -> Object:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "image": "i", "resources": resources}


async def test_what_fits_is_counted_and_what_does_not_is_refused(api: Api) -> None:
    await quota(api, {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi", "count/pods": "5"})
    await api.pod("a", containers=[container({"cpu": "600m", "memory": "1Mi"}, {"memory": "512Mi"})])
    assert await used(api) == {"pods": "1", "requests.cpu": "600m", "limits.memory": "512Mi", "count/pods": "1"}
    text = await refusal(api.pod("b", containers=[container({"cpu": "500m"}, {"memory": "600Mi"})]))
    assert text == (
        'pods "b" is forbidden: exceeded quota: q, requested: limits.memory=600Mi,requests.cpu=500m, '
        "used: limits.memory=512Mi,requests.cpu=600m, limited: limits.memory=1Gi,requests.cpu=1"
    )
    assert (await used(api))["pods"] == "1"
    await api.pod("b", containers=[container({"cpu": "0"}, {"memory": "1"})])
    text = await refusal(api.pod("c", containers=[container({"cpu": "0"}, {"memory": "1"})]))
    assert text == 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'


async def test_a_quota_of_cpu_wants_every_container_to_say_what_it_asks_for(api: Api) -> None:
    await quota(api, {"requests.cpu": "1", "limits.memory": "1Gi", "ephemeral-storage": "1Gi"})
    containers = [container(name="b"), container(name="a"), container({"cpu": "1"}, name="d")]
    assert await refusal(api.pod(containers=containers)) == (
        'pods "p" is forbidden: failed quota: q: must specify limits.memory for: a,b,d; requests.cpu for: a,b'
    )
    own = {"requests": {"cpu": "100m"}, "limits": {"memory": "1Mi"}}
    await api.pod("level", containers=[container()], resources=own)
    assert await used(api) == {"requests.cpu": "100m", "limits.memory": "1Mi", "ephemeral-storage": "0"}


async def test_before_usage_is_known_nothing_that_would_count_is_admitted(api: Api) -> None:
    made = await api.create("v1", "ResourceQuota", "q", spec={"hard": {"pods": "1", "cpu": "1", "services": "1"}})
    await api.pod("early")  # the controller has not even seen it
    await api.client.update_status(QUOTAS, objects.replace(made, status={"hard": {"pods": "1", "cpu": "1"}}))
    text = await refusal(api.pod(containers=[container({"cpu": "1"})]))
    assert text == 'pods "p" is forbidden: status unknown for quota: q, resources: cpu,pods'
    await api.create("v1", "ConfigMap", "c")


KINDS = [
    ({"configmaps": "1", "count/configmaps": "5"}, ("v1", "ConfigMap"), {}, {"configmaps": "1", "count/configmaps": "1"}),
    ({"count/deployments.apps": "3"}, ("apps/v1", "Deployment"), "deployment", {"count/deployments.apps": "1"}),
    ({"count/leases.coordination.k8s.io": "1"}, ("coordination.k8s.io/v1", "Lease"), {}, {"count/leases.coordination.k8s.io": "1"}),
    ({"services": "2", "services.nodeports": "5"}, ("v1", "Service"), "NodePort", {"services": "1", "services.nodeports": "2"}),
    (
        {"services.loadbalancers": "2", "services.nodeports": "5"},
        ("v1", "Service"),
        "LoadBalancer",
        {"services.loadbalancers": "1", "services.nodeports": "2"},
    ),
    (
        {
            "requests.storage": "10Gi",
            "persistentvolumeclaims": "3",
            "gold.storageclass.storage.k8s.io/requests.storage": "5Gi",
            "iron.storageclass.storage.k8s.io/requests.storage": "5Gi",
            "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        },
        ("v1", "PersistentVolumeClaim"),
        "claim",
        {
            "requests.storage": "2Gi",
            "persistentvolumeclaims": "1",
            "gold.storageclass.storage.k8s.io/requests.storage": "2Gi",
            "iron.storageclass.storage.k8s.io/requests.storage": "0",
            "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        },
    ),
]


def spec_of(what: Any) -> Object:
    if what == "deployment":
        labels = {"a": "b"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        return {"spec": {"selector": {"matchLabels": labels}, "template": template}}
    if what == "claim":
        requests = {"requests": {"storage": "2Gi"}}
        return {"spec": {"accessModes": ["ReadWriteOnce"], "resources": requests, "storageClassName": "gold"}}
    if what:
        return {"spec": {"type": what, "ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}}
    return {}


@pytest.mark.parametrize(("hard", "kind", "what", "counted"), KINDS)
async def test_every_kind_counts(api: Api, hard: Object, kind: tuple[str, str], what: Any, counted: Object) -> None:
    await quota(api, hard)
    await api.create(*kind, "a", **spec_of(what))
    assert await used(api) == counted
    full = {name: amount for name, amount in hard.items() if counted[name] != "0"}
    made = await api.get(QUOTAS, "q")
    await api.client.update_status(QUOTAS, objects.with_status(made, used={**counted, **full}))
    assert "exceeded quota: q, requested: " in await refusal(api.create(*kind, "b", **spec_of(what)))


async def test_extended_resources_count_by_their_requests(api: Api) -> None:
    await quota(api, {"requests.nvidia.com/gpu": "2", "hugepages-2Mi": "4Mi"})
    gpus = {"nvidia.com/gpu": "1", "hugepages-2Mi": "2Mi", "cpu": "1"}
    await api.pod(containers=[container(gpus, gpus)])
    assert await used(api) == {"requests.nvidia.com/gpu": "1", "hugepages-2Mi": "2Mi"}


SCOPES = [
    ({"scopes": ["BestEffort"]}, {}, {"containers": [container({"cpu": "1"})]}),
    ({"scopes": ["NotBestEffort"]}, {"containers": [container({"cpu": "1"})]}, {}),
    ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 9}, {}),
    ({"scopes": ["NotTerminating"]}, {}, {"activeDeadlineSeconds": 9}),
    (
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}},
        {"priorityClassName": "high"},
        {},
    ),
    (
        {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]}},
        {},
        {"priorityClassName": "high"},
    ),
    (
        {"scopes": ["CrossNamespacePodAffinity"]},
        {
            "affinity": {
                "podAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"topologyKey": "zone", "namespaceSelector": {}, "labelSelector": {"matchLabels": {"a": "b"}}}
                    ]
                }
            }
        },
        {},
    ),
]


@pytest.mark.parametrize(("scope", "inside", "outside"), SCOPES, ids=[str(scope)[:60] for scope, _, _ in SCOPES])
async def test_a_quota_with_scopes_is_about_their_pods_only(api: Api, scope: Object, inside: Object, outside: Object) -> None:
    await api.create("scheduling.k8s.io/v1", "PriorityClass", "high", value=10)
    await quota(api, {"pods": "1"}, **scope)
    await api.pod("o1", **outside)
    await api.pod("i1", **inside)
    assert await used(api) == {"pods": "1"}
    await api.pod("o2", **outside)
    assert await refusal(api.pod("i2", **inside)) == (
        'pods "i2" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
    )


async def test_claims_by_their_attributes_class(api: Api) -> None:
    selector = {"matchExpressions": [{"scopeName": "VolumeAttributesClass", "operator": "In", "values": ["fast"]}]}
    await quota(api, {"requests.storage": "3Gi"}, scopeSelector=selector)
    claim = spec_of("claim")["spec"]
    await api.create("v1", "PersistentVolumeClaim", "slow", spec=claim)
    await api.create("v1", "PersistentVolumeClaim", "a", spec={**claim, "volumeAttributesClassName": "fast"})
    assert await used(api) == {"requests.storage": "2Gi"}


async def test_updates_count_for_what_they_add(api: Api) -> None:
    await quota(api, {"services.nodeports": "1", "services": "5"})
    await api.create("v1", "Service", "s", spec={"ports": [{"port": 1}]})
    await api.client.patch(SERVICES, "s", {"spec": {"type": "NodePort"}}, "default")
    assert await used(api) == {"services.nodeports": "1", "services": "1"}
    text = await refusal(api.client.patch(SERVICES, "s", {"spec": {"ports": [{"name": c, "port": 1 + ord(c)} for c in "ab"]}}, "default"))
    assert text == (
        'services "s" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=1, '
        "limited: services.nodeports=1"
    )
    await api.client.patch(SERVICES, "s", {"metadata": {"labels": {"a": "b"}}}, "default")


async def test_a_resize_counts_for_what_it_adds(api: Api) -> None:
    await quota(api, {"requests.cpu": "1"})
    await api.pod(containers=[container({"cpu": "400m"}, {"cpu": "2"})])
    await api.resize("p", [{"name": "c", "resources": {"requests": {"cpu": "700m"}, "limits": {"cpu": "2"}}}])
    assert await used(api) == {"requests.cpu": "700m"}
    text = await refusal(api.resize("p", [{"name": "c", "resources": {"requests": {"cpu": "1100m"}, "limits": {"cpu": "2"}}}]))
    assert (
        text == 'pods "p" is forbidden: exceeded quota: q, requested: requests.cpu=400m, used: requests.cpu=700m, limited: requests.cpu=1'
    )


async def test_a_dry_run_is_checked_and_not_counted(api: Api) -> None:
    await quota(api, {"pods": "1"})
    body = {"metadata": {"name": "d"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.client.create(PODS, body, "default", dry_run=True)
    assert await used(api) == {"pods": "0"}
    await api.pod()
    with pytest.raises(Forbidden, match="exceeded quota"):
        await api.client.create(PODS, body, "default", dry_run=True)


async def test_another_namespace_is_not_concerned(api: Api) -> None:
    await quota(api, {"pods": "0"})
    await api.namespace("other")
    await api.pod(namespace="other")


async def test_all_at_once_get_no_more_than_there_is(unhurried_api: Api) -> None:
    api = unhurried_api
    await quota(api, {"pods": "7", "requests.cpu": "10"})
    await quota(api, {"count/pods": "100"}, name="r")
    assert isinstance(api.store, UnhurriedStore)
    api.store.updated.clear()
    makings = [api.pod(f"p{number}", containers=[container({"cpu": "1"})]) for number in range(30)]
    answers = await asyncio.gather(*makings, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, ApiError)]
    assert len(refused) == 23 and all("exceeded quota: q, requested: pods=1, used: pods=7, limited: pods=7" in str(one) for one in refused)
    assert await used(api) == {"pods": "7", "requests.cpu": "7"}
    assert await used(api, "r") == {"count/pods": "7"}
    # Who come together are counted together: far fewer than 14 writes of the quotas. (The server writes other things of its own meanwhile.)
    assert len([key for key in api.store.updated if "/resourcequotas/" in key]) < 8


async def test_a_race_with_the_controller_is_decided_anew(unhurried_api: Api) -> None:
    api = unhurried_api
    await quota(api, {"pods": "4"})

    async def count_again() -> None:
        for _ in range(20):
            present = await api.get(QUOTAS, "q")
            try:
                await api.client.update_status(QUOTAS, objects.with_status(present, used={"pods": (await used(api))["pods"]}))
            except ApiError:
                continue

    makings = [api.pod(f"p{number}") for number in range(10)]
    answers = await asyncio.gather(count_again(), *makings, return_exceptions=True)
    assert sum(isinstance(answer, dict) for answer in answers) == 4
    assert await used(api) == {"pods": "4"}


async def test_who_gives_up_does_not_keep_others_waiting(unhurried_api: Api) -> None:
    api = unhurried_api
    await quota(api, {"pods": "5"})
    tasks = [asyncio.create_task(api.pod(f"p{number}")) for number in range(4)]
    for _ in range(6):
        await asyncio.sleep(0)
    tasks[0].cancel()
    tasks[2].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, dict) for answer in answers] == [False, True, False, True]
