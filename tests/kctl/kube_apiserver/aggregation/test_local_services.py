"""APIServices of what the server serves itself: there when somebody asks, kept as upstream keeps them."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.aggregation.local_services import LABEL
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore
from tests.conformance.api import Api, api

PATH = "/apis/apiregistration.k8s.io/v1/apiservices"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WARDLE = {"service": {"namespace": "kube-system", "name": "wardle"}, "insecureSkipTLSVerify": True}


def definition(*versions: str) -> dict[str, Any]:
    schema = {"openAPIV3Schema": {"type": "object"}}
    made = [{"name": name, "served": True, "storage": name == versions[0], "schema": schema} for name in versions]
    names = {"plural": "crontabs", "kind": "CronTab"}
    spec = {"group": "stable.example.com", "scope": "Namespaced", "names": names, "versions": made}
    return {"metadata": {"name": "crontabs.stable.example.com"}, "spec": spec}


async def names(e2e: Api) -> dict[str, str]:
    """And how they are kept."""
    return {objects.name(each): objects.labels(each).get(LABEL, "") for each in (await e2e.get(PATH))["items"]}


async def until(e2e: Api, name: str, *, there: bool) -> dict[str, str]:
    for _ in range(1000):
        found = await names(e2e)
        if (name in found) is there:
            return found
        await asyncio.sleep(0)
    raise AssertionError(found)


async def test_each_group_version_has_one_once_somebody_asks() -> None:
    async with api() as e2e:
        cache = e2e.server.storage.cache("apiregistration.k8s.io", "apiservices", False)
        assert not cache.entries
        found = await names(e2e)
        assert {"v1.", "v1.apps", "v2.autoscaling", "v1.admissionregistration.k8s.io"} <= found.keys()
        assert set(found.values()) == {"onstart"} and "v1.apiregistration.k8s.io" not in found
        core = await e2e.get(f"{PATH}/v1.")
        assert core["spec"] == {"groupPriorityMinimum": 18000, "version": "v1", "versionPriority": 1}
        assert (await e2e.get(f"{PATH}/v2.autoscaling"))["spec"]["versionPriority"] == 30
        condition = dict((objects.condition(core, "Available") or {}), lastTransitionTime="")
        message = "Local APIServices are always available"
        assert condition == {"type": "Available", "status": "True", "reason": "Local", "message": message, "lastTransitionTime": ""}
        assert core["metadata"]["managedFields"][0]["manager"] == "kube-apiserver"


async def test_nobody_takes_over_a_group_that_is_served_by_creating_its_own() -> None:
    async with api() as e2e:
        spec = {"group": "apps", "version": "v1", "groupPriorityMinimum": 2000, "versionPriority": 15, **WARDLE}
        status, answer = await e2e.ask("POST", PATH, {"metadata": {"name": "v1.apps"}, "spec": spec})
        assert (status, answer["message"]) == (409, 'apiservices.apiregistration.k8s.io "v1.apps" already exists')
        assert (await e2e.get("/apis/apps/v1/deployments"))["items"] == []


async def test_those_of_definitions_follow_them() -> None:
    async with api() as e2e:
        await e2e.create(DEFINITIONS, definition("v1", "v1beta1"))
        found = await names(e2e)
        assert (found["v1.stable.example.com"], found["v1beta1.stable.example.com"]) == ("true", "true")
        kept = await e2e.get(f"{PATH}/v1.stable.example.com")
        expected = {"group": "stable.example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 100}
        assert kept["spec"] == expected
        await e2e.patch(f"{PATH}/v1.stable.example.com", {"spec": {"groupPriorityMinimum": 5}})
        for _ in range(1000):
            if (await e2e.get(f"{PATH}/v1.stable.example.com"))["spec"] == expected:
                break
            await asyncio.sleep(0)
        else:
            raise AssertionError("it is not put right")
        await e2e.delete(f"{PATH}/v1.stable.example.com")
        await until(e2e, "v1.stable.example.com", there=True)
        await e2e.patch(f"{DEFINITIONS}/crontabs.stable.example.com", {"spec": {"versions": definition("v1")["spec"]["versions"]}})
        await until(e2e, "v1beta1.stable.example.com", there=False)
        await e2e.delete(f"{DEFINITIONS}/crontabs.stable.example.com")
        await until(e2e, "v1.stable.example.com", there=False)


async def test_what_a_user_made_of_a_built_in_one_lasts_until_the_next_start() -> None:
    store = MemoryStore()
    await store.start()

    async def started() -> Api:
        server = ApiServer(store, clock=RealClock(), randomness=random.Random(1), config=ApiServerConfig())
        await server.start()
        return Api(server)

    e2e = await started()
    await e2e.patch(f"{PATH}/v1.batch", {"spec": {"versionPriority": 3}})
    await e2e.delete(f"{PATH}/v1.policy")
    own = {"metadata": {"name": "v9.policy"}, "spec": {"group": "policy", "version": "v9", "groupPriorityMinimum": 1, "versionPriority": 1}}
    await e2e.create(PATH, own)
    await e2e.patch(f"{PATH}/v1.apps", {"spec": WARDLE})
    assert "v1.policy" not in await names(e2e) and (await e2e.get(f"{PATH}/v1.batch"))["spec"]["versionPriority"] == 3
    for _ in range(1000):
        if (await e2e.server.handle_raw("GET", "/apis/apps/v1", {}, None, {}, ADMIN)).status == 503:
            break
        await asyncio.sleep(0.001)
    else:
        raise AssertionError("it is not asked")
    await e2e.server.stop()
    e2e = await started()
    try:
        found = await names(e2e)
        assert found["v1.policy"] == "onstart" and found["v9.policy"] == ""
        assert (await e2e.get(f"{PATH}/v1.batch"))["spec"]["versionPriority"] == 15
        assert (await e2e.get("/apis/apps/v1/deployments"))["items"] == []
    finally:
        await e2e.server.stop()
        await store.close()
