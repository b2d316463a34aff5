"""CustomResourceDefinitions as official conformance tests make them, and what is asked of their objects."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conformance.api import Api

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Schema = dict[str, Any]
ALLOW_ALL: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str = "v1", schema: Schema = ALLOW_ALL, *, storage: bool = True, **more: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema}, **more}


def definition(*versions: Any, plural: str = "foos", group: str = "mygroup.example.com", scope: str = "Cluster", **spec: Any) -> Any:
    """Of the kind that `plural` names."""
    singular = plural.removesuffix("s")
    kind = singular.replace("-", " ").title().replace(" ", "")
    return {
        "metadata": {"name": f"{plural}.{group}", **spec.pop("metadata", {})},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "singular": singular, "kind": kind, "listKind": f"{kind}List"},
            "versions": list(versions or (version(),)),
            **spec,
        },
    }


def objects_path(made: Any, version_name: str = "", namespace: str = "") -> str:
    """Where the objects of a definition are."""
    spec = made["spec"]
    space = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{spec['group']}/{version_name or spec['versions'][0]['name']}{space}/{spec['names']['plural']}"


def custom_object(made: Any, name: str, version_name: str = "", **parts: Any) -> Any:
    spec = made["spec"]
    api_version = f"{spec['group']}/{version_name or spec['versions'][0]['name']}"
    return {"apiVersion": api_version, "kind": spec["names"]["kind"], "metadata": {"name": name, **parts.pop("metadata", {})}, **parts}


async def until(condition: Any, turns: int = 20_000) -> Any:
    """What `condition` answers as soon as it is true, everybody else having had a turn between two questions."""
    for _ in range(turns):
        if found := await condition():
            return found
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


async def define(api: Api, made: Any) -> Any:
    """The definition, when all its served versions are."""
    created = await api.create(DEFINITIONS, made)

    async def served() -> bool:
        present = await api.get(f"{DEFINITIONS}/{made['metadata']['name']}")
        conditions = {condition["type"]: condition["status"] for condition in present["status"].get("conditions") or []}
        if conditions.get("Established") != "True":
            return False
        for each in made["spec"]["versions"]:
            if each["served"] and (await api.ask("GET", objects_path(made, each["name"])))[0] != 200:
                return False
        return True

    await until(served)
    return created


async def undefine(api: Api, made: Any) -> None:
    path = f"{DEFINITIONS}/{made['metadata']['name']}"
    await api.delete(path)

    async def gone() -> bool:
        return (await api.ask("GET", path))[0] == 404

    await until(gone)
