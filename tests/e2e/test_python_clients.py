"""Client libraries that people write operators with, unchanged, against a whole cluster: kubernetes_asyncio, kr8s and lightkube."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.live import LivePair, live

__all__ = ["live"]
pytestmark = [pytest.mark.process, pytest.mark.kubectl]


def _deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


async def test_kubernetes_asyncio(live: LivePair) -> None:
    library = pytest.importorskip("kubernetes_asyncio")
    configuration = library.client.Configuration()
    await library.config.load_kube_config(str(live.kubeconfig), client_configuration=configuration)
    async with library.client.ApiClient(configuration) as api:
        core = library.client.CoreV1Api(api)
        since = (await core.list_namespaced_config_map("default")).metadata.resource_version
        await core.create_namespaced_config_map("default", {"metadata": {"name": "aio"}, "data": {"a": "1"}})
        await core.patch_namespaced_config_map("aio", "default", {"data": {"a": "2"}})
        await core.delete_namespaced_config_map("aio", "default")
        seen = []
        async with library.watch.Watch().stream(
            core.list_namespaced_config_map, "default", resource_version=since, timeout_seconds=30
        ) as events:
            async for event in events:
                if event["object"].metadata.name == "aio":
                    seen.append((event["type"], event["object"].data["a"]))
                if len(seen) == 3:
                    break
        assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]
        with pytest.raises(library.client.ApiException) as missing:
            await core.read_namespaced_pod("nope", "default")
        assert missing.value.status == 404


async def test_kr8s(live: LivePair) -> None:
    kr8s = pytest.importorskip("kr8s")
    from kr8s.asyncio.objects import Deployment

    api = await kr8s.asyncio.api(kubeconfig=str(live.kubeconfig))
    assert len([node async for node in api.get("nodes")]) == 3
    made = await Deployment(_deployment("kr8s"), api=api)
    await made.create()
    await made.wait("condition=Available", timeout=60)
    assert len([pod async for pod in api.get("pods", namespace="default", label_selector="app=kr8s")]) == 2
    await made.scale(1)
    await made.patch({"metadata": {"labels": {"more": "x"}}})
    await made.refresh()
    assert (made.replicas, made.labels["more"]) == (1, "x")
    await made.delete()
    with pytest.raises(kr8s.NotFoundError):
        await Deployment.get("kr8s-nope", namespace="default", api=api)


def test_lightkube(live: LivePair) -> None:
    lightkube = pytest.importorskip("lightkube")
    from lightkube.models.meta_v1 import ObjectMeta
    from lightkube.resources.apps_v1 import Deployment
    from lightkube.resources.core_v1 import ConfigMap

    client = lightkube.Client(config=lightkube.KubeConfig.from_file(str(live.kubeconfig)), namespace="default", field_manager="lightkube")
    made = client.apply(ConfigMap(metadata=ObjectMeta(name="light", namespace="default"), data={"a": "1"}))
    assert made.metadata.managedFields[0].manager == "lightkube"
    client.apply(ConfigMap(metadata=ObjectMeta(name="light", namespace="default"), data={"a": "2"}))
    for kind, seen in client.watch(ConfigMap, fields={"metadata.name": "light"}, resource_version=made.metadata.resourceVersion):
        assert (kind, seen.data) == ("MODIFIED", {"a": "2"})
        break
    client.create(Deployment.from_dict(_deployment("light")))
    client.wait(Deployment, "light", for_conditions=["Available"])
    assert client.get(Deployment.Scale, "light").spec.replicas == 2
    client.delete(Deployment, "light")
    with pytest.raises(lightkube.ApiError) as missing:
        client.get(ConfigMap, "nope")
    assert missing.value.status.code == 404
