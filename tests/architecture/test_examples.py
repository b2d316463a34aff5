"""Every manifest that the project shows its users is one the API server accepts without a warning."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml

from kctl.apimachinery import objects, user
from kctl.apimachinery.clock import FakeClock
from kctl.apimachinery.resources import SERVICE_ACCOUNTS, built_in
from kctl.client.transport import ApiRequest
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "manifests" / "examples").glob("*.yaml"), *(ROOT / "manifests" / "nodes").glob("*.yaml")])

DOCUMENTS = {path: list(yaml.safe_load_all(path.read_text())) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_example_is_accepted(path: Path) -> None:
    documents = DOCUMENTS[path]
    server = ApiServer(MemoryStore(), clock=FakeClock(), randomness=random.Random(1))
    await server.start()
    try:
        transport = server.transport(user.ADMIN)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await transport.request(ApiRequest("create", SERVICE_ACCOUNTS, "default", body=account))
        for document in documents:
            resource = built_in(document["apiVersion"], document["kind"])
            space = (objects.namespace(document) or "default") if resource.namespaced else ""
            request = ApiRequest("create", resource, space, query={"fieldValidation": "Strict"}, body=document)
            assert list((await transport.request(request)).warnings) == []
    finally:
        await server.stop()
