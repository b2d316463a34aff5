"""Discovery documents against those of a real 1.36 API server (1.37 serves some more)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kctl.apimachinery.resources import ResourceTable
from kctl.kube_apiserver import discovery, version

SCENARIO = Path(__file__).parents[4] / "shared" / "oracle" / "conversations" / "discovery.yaml"


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    if not SCENARIO.exists():
        pytest.skip("no recorded answers at ../shared/oracle")
    steps = yaml.load(SCENARIO.read_bytes(), yaml.CSafeLoader)["steps"]
    return {step["name"]: step["response"].get("body") for step in steps}


def by_name(rows: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


NEW_IN_1_37 = {"bindings/status"}


@pytest.mark.oracle
def test_resource_lists_agree(recorded: dict[str, Any]) -> None:
    table = ResourceTable()
    checked = 0
    for body in recorded.values():
        if not isinstance(body, dict) or body.get("kind") != "APIResourceList":
            continue
        group, _, served = body["groupVersion"].rpartition("/")
        ours = discovery.api_resource_list(table, group, served)
        assert ours is not None, body["groupVersion"]
        rows = by_name(ours["resources"], "name")
        for row in body["resources"]:
            assert rows[row["name"]] == row
        assert [row["name"] for row in ours["resources"] if row["name"] in by_name(body["resources"], "name")] == [
            row["name"] for row in body["resources"]
        ]
        assert {key: ours.get(key) for key in body if key != "resources"} == {k: v for k, v in body.items() if k != "resources"}
        checked += 1
    assert checked > 15


@pytest.mark.oracle
@pytest.mark.parametrize("core", [True, False])
def test_aggregated_documents_agree(recorded: dict[str, Any], core: bool) -> None:
    theirs = recorded["aggregated /api" if core else "aggregated /apis"]
    ours = discovery.aggregated(ResourceTable(), core=core)
    mine = {item["metadata"].get("name", ""): item for item in ours["items"]}
    for item in theirs["items"]:
        versions = by_name(mine[item["metadata"].get("name", "")]["versions"], "version")
        for entry in item["versions"]:
            rows = by_name(versions[entry["version"]]["resources"], "resource")
            for row in entry["resources"]:
                assert rows[row["resource"]] == row


@pytest.mark.oracle
def test_groups_come_in_the_same_order(recorded: dict[str, Any]) -> None:
    theirs = [group["name"] for group in recorded["/apis"]["groups"]]
    ours = [group["name"] for group in discovery.api_group_list(ResourceTable())["groups"]]
    assert [name for name in ours if name in theirs] == theirs


@pytest.mark.parametrize(
    ("accept", "aggregated"),
    [
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", True),
        ("application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", True),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_accept_chooses_the_form(accept: str, aggregated: bool) -> None:
    assert bool(discovery.wants_aggregated(accept)) is aggregated


def test_unknown_group_and_version() -> None:
    table = ResourceTable()
    assert discovery.api_group(table, "nope.io") is None
    assert discovery.api_resource_list(table, "apps", "v1beta1") is None


def test_version_is_one_kubectl_takes() -> None:
    info = version.info()
    assert (info["major"], info["minor"]) == ("1", "37")
    assert info["gitVersion"].startswith("v1.37.")
