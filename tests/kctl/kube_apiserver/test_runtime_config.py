"""--runtime-config: what is served, and what kube-apiserver says to values it does not take."""

from __future__ import annotations

import pytest

from kctl.apimachinery.resources import BUILT_IN, STABLE
from kctl.apimachinery.user import ADMIN
from kctl.kube_apiserver.http import wire_request
from kctl.kube_apiserver.request_info import resolve
from kctl.kube_apiserver.runtime_config import InvalidRuntimeConfig, parse, served
from tests.conformance.api import api


def versions(text: str, group: str) -> list[str]:
    return list(dict.fromkeys(entry.version for entry in served(parse(text)) if entry.group == group))


def test_the_narrower_key_decides() -> None:
    assert served(parse("")) == STABLE and served(parse("api/all=true")) == BUILT_IN
    assert versions("api/beta=true", "coordination.k8s.io") == ["v1", "v1beta1"]
    assert versions("api/all=true,api/beta=false", "coordination.k8s.io") == ["v1", "v1alpha2"]
    assert versions("api/all=false,api/v1", "") == ["v1"] and versions("api/all=false,/v1=true", "apps") == []
    assert versions("apps/v1=false,apps/v1/deployments=true", "apps") == ["v1"]
    assert [entry.plural for entry in served(parse("apps/v1=false, apps/v1/deployments = true")) if entry.group == "apps"] == [
        "deployments"
    ]
    assert "deployments" not in [entry.plural for entry in served(parse("apps/v1/deployments=0"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("api/all=false", "invalid key with only api/all=false"),
        ("api/all=yes", "invalid value api/all=yes"),
        ("v1=true", "runtime-config invalid key v1"),
        ("a/b/c/d=true", "runtime-config invalid key a/b/c/d"),
        ("api/legacy=true,foo/v1=true", "unknown api groups api,foo"),
        ("apps/v9=true", "group version apps/v9 that has not been registered"),
        ("apps/v1=maybe", 'invalid value of apps/v1: maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax'),
        (
            "apps/v1/Deployments=true",
            'invalid key apps/v1/Deployments: group/version/resource and resource is always lowercase plural, not "Deployments"',
        ),
    ],
)
def test_wrong_values_are_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(InvalidRuntimeConfig) as refused:
        served(parse(text))
    assert str(refused.value) == message


async def test_what_is_not_served_is_nowhere() -> None:
    async with api(runtime_config=parse("apps/v1/daemonsets=false,scheduling.k8s.io/v1beta1=true,batch/v1=false")) as e2e:
        resources = [each["name"] for each in (await e2e.get("/apis/apps/v1"))["resources"]]
        assert "deployments" in resources and "daemonsets" not in resources
        assert (await e2e.ask("GET", "/apis/apps/v1/daemonsets"))[0] == 404
        groups = {each["name"]: [version["version"] for version in each["versions"]] for each in (await e2e.get("/apis"))["groups"]}
        assert groups["scheduling.k8s.io"] == ["v1", "v1beta1"] and "batch" not in groups
        assert (await e2e.get("/apis/scheduling.k8s.io/v1beta1/workloads"))["items"] == []
        documents = (await e2e.get("/openapi/v3"))["paths"]
        assert "apis/scheduling.k8s.io/v1beta1" in documents and "apis/batch/v1" not in documents
        services = [each["metadata"]["name"] for each in (await e2e.get("/apis/apiregistration.k8s.io/v1/apiservices"))["items"]]
        assert "v1beta1.scheduling.k8s.io" in services and "v1.batch" not in services


async def test_deprecated_versions_say_so_and_are_counted() -> None:
    async with api(runtime_config={"api/all": "true"}) as e2e:
        answer = await e2e.server.handle_raw("GET", "/apis/resource.k8s.io/v1beta1/deviceclasses", {}, None, {}, ADMIN)
        assert answer.status == 200
        wire = wire_request("GET", "/apis/resource.k8s.io/v1beta1/deviceclasses/x", {})
        wire.user = ADMIN
        request = resolve(wire, e2e.server.registry)
        await e2e.server.handle(request)
        assert request.warnings == ["resource.k8s.io/v1beta1 DeviceClass is deprecated in v1.35+, unavailable in v1.38+"]
        await e2e.get("/api/v1/endpoints")
        await e2e.get("/apis/resource.k8s.io/v1/deviceclasses")
        text = (await e2e.server.handle_raw("GET", "/metrics", {}, None, {}, ADMIN)).body.decode()
        found = [line for line in text.splitlines() if line.startswith("apiserver_requested_deprecated_apis")]
        name = "apiserver_requested_deprecated_apis"
        assert found == [
            f'{name}{{group="",removed_release="",resource="endpoints",subresource="",version="v1"}} 1',
            f'{name}{{group="resource.k8s.io",removed_release="1.38",resource="deviceclasses",subresource="",version="v1beta1"}} 1',
        ]
