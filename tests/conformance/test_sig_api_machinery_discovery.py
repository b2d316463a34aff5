"""The official conformance tests of discovery: documents of one group or of all, with and without custom resources, versions, Tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.api import Api, api
from tests.conformance.custom_resources import define, definition, undefine, until

BUILT_IN = (
    "v1/namespaces",
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "apiextensions.k8s.io/v1/customresourcedefinitions",
    "apiregistration.k8s.io/v1/apiservices",
    "apps/v1/deployments",
    "authentication.k8s.io/v1/tokenreviews",
    "authorization.k8s.io/v1/selfsubjectaccessreviews",
    "autoscaling/v1/horizontalpodautoscalers",
    "autoscaling/v2/horizontalpodautoscalers",
    "batch/v1/jobs",
    "certificates.k8s.io/v1/certificatesigningrequests",
    "coordination.k8s.io/v1/leases",
    "discovery.k8s.io/v1/endpointslices",
    "events.k8s.io/v1/events",
    "networking.k8s.io/v1/ingresses",
    "node.k8s.io/v1/runtimeclasses",
    "policy/v1/poddisruptionbudgets",
    "scheduling.k8s.io/v1/priorityclasses",
    "storage.k8s.io/v1/csinodes",
)
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BOTH = f"{AGGREGATED},application/json"
RESOURCES = {tuple(("/" + text).rsplit("/", 1)) for text in BUILT_IN}
"""(/group/version or /version, plural)"""


async def aggregated(made: Api, path: str, accept: str) -> set[tuple[str, ...]]:
    """(/group/version, plural) of all a document of one request has."""
    status, document = await made.ask("GET", path, Accept=accept)
    assert status == 200 and (document["kind"], document["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    rows = set()
    for group in document["items"]:
        name = group["metadata"].get("name", "")
        for each in group["versions"]:
            prefix = f"/{name}/{each['version']}" if name else f"/{each['version']}"
            rows |= {(prefix, resource["resource"]) for resource in each["resources"]}
    return rows


@pytest.mark.parametrize("accept", [AGGREGATED, BOTH])
async def test_aggregated_documents_have_what_is_built_in(accept: str) -> None:
    """[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers [Conformance]
    [sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface [Conformance]"""
    async with api() as made:
        named = await aggregated(made, "/apis", accept)
        legacy = await aggregated(made, "/api", accept)
        assert legacy >= {("/v1", "namespaces")} and not named & legacy
        assert named | legacy >= RESOURCES


@pytest.mark.parametrize("accept", [AGGREGATED, BOTH])
async def test_aggregated_documents_have_custom_resources(accept: str) -> None:
    """[sig-api-machinery] AggregatedDiscovery should support raw aggregated discovery request for CRDs [Conformance]
    [sig-api-machinery] AggregatedDiscovery should support aggregated discovery interface for CRDs [Conformance]"""
    async with api() as made:
        obj = definition(plural="testcrds", group="group12.example.com", scope="Namespaced")
        row = "/group12.example.com/v1", "testcrds"
        assert row not in await aggregated(made, "/apis", accept)
        await define(made, obj)

        async def shown() -> bool:
            return row in await aggregated(made, "/apis", accept)

        await until(shown)
        await undefine(made, obj)

        async def hidden() -> bool:
            return row not in await aggregated(made, "/apis", accept)

        await until(hidden)


async def test_every_group_prefers_a_version_it_has() -> None:
    """[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]"""
    async with api() as made:
        groups = (await made.get("/apis/"))["groups"]
        assert len(groups) > 10
        for listed in groups:
            group = await made.get(f"/apis/{listed['name']}/")
            assert group["versions"] == listed["versions"] != []
            assert group["preferredVersion"] in group["versions"]


async def test_every_group_has_its_resources() -> None:
    """[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]"""
    async with api() as made:
        for prefix, plural in sorted(RESOURCES):
            listed: Any = await made.get(f"/api{prefix}" if prefix == "/v1" else f"/apis{prefix}")
            assert listed["kind"] == "APIResourceList" and listed["groupVersion"] == prefix[1:]
            assert plural in [resource["name"] for resource in listed["resources"]]


async def test_definitions_are_discovered() -> None:
    """[sig-api-machinery] CustomResourceDefinition resources [Privileged:ClusterAdmin] should include custom resource definition
    resources in discovery documents [Conformance]"""
    group_version = {"groupVersion": "apiextensions.k8s.io/v1", "version": "v1"}
    async with api() as made:
        (group,) = [group for group in (await made.get("/apis"))["groups"] if group["name"] == "apiextensions.k8s.io"]
        assert group_version in group["versions"]
        group = await made.get("/apis/apiextensions.k8s.io")
        assert group["name"] == "apiextensions.k8s.io" and group_version in group["versions"]
        listed = await made.get("/apis/apiextensions.k8s.io/v1")
        assert listed["groupVersion"] == "apiextensions.k8s.io/v1"
        assert "customresourcedefinitions" in [resource["name"] for resource in listed["resources"]]


async def test_the_server_has_a_version() -> None:
    """[sig-api-machinery] server version should find the server version [Conformance]"""
    async with api() as made:
        version = await made.get("/version")
        assert version["major"].isdecimal() and version["minor"].isdecimal()


async def test_what_has_no_metadata_is_no_table() -> None:
    """[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement
    metadata [Conformance]"""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    async with api() as made:
        status, told = await made.ask("POST", path, review, Accept="application/json;as=Table;v=v1;g=meta.k8s.io")
        assert (status, told["code"], told["reason"]) == (406, 406, "NotAcceptable")
        assert (await made.ask("POST", path, review))[0] == 201
