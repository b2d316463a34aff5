"""The official conformance tests of lists in chunks, on as many PodTemplates."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conformance.api import Api, api

pytestmark = pytest.mark.virtual_time
TEMPLATES = "/api/v1/namespaces/default/podtemplates"
TOTAL = 400


async def templates(made: Api) -> None:
    template = {"spec": {"containers": [{"name": "test", "image": "test2"}]}}
    for number in range(TOTAL):
        await made.create(TEMPLATES, {"metadata": {"name": f"template-{number:04}"}, "template": template})


def names(items: Any) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def counted(page: Any, before: int) -> None:
    """What is said to remain is all the rest; the last page says nothing of it."""
    if page["metadata"].get("continue"):
        assert page["metadata"]["remainingItemCount"] + len(page["items"]) + before == TOTAL
    else:
        assert "remainingItemCount" not in page["metadata"] and len(page["items"]) + before == TOTAL


async def test_chunks() -> None:
    """[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]"""
    randomness = random.Random(7)
    wanted = [f"template-{number:04}" for number in range(TOTAL)]
    async with api() as made:
        await templates(made)
        for _ in range(3):
            got: list[str] = []
            token, version = "", None
            while not got or token:
                limit = randomness.randint(1, TOTAL // 10)
                page = await made.get(f"{TEMPLATES}?limit={limit}&continue={token}")
                assert len(page["items"]) <= limit
                counted(page, len(got))
                version = version or page["metadata"]["resourceVersion"]
                assert page["metadata"]["resourceVersion"] == version
                got += names(page["items"])
                token = page["metadata"].get("continue", "")
            assert got == wanted
        assert names((await made.get(f"{TEMPLATES}?limit={TOTAL + 1}"))["items"]) == wanted


async def test_the_rest_after_compaction() -> None:
    """[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original
    version has been compacted away, though the list is inconsistent [Slow] [Conformance]"""
    limit = TOTAL // 10
    async with api() as made:
        await templates(made)
        first = await made.get(f"{TEMPLATES}?limit={limit}")
        counted(first, 0)
        await made.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "time-goes-on"}})
        await made.server.storage.compact(made.server.storage.revision)
        status, expired = await made.ask("GET", f"{TEMPLATES}?limit={limit}&continue={first['metadata']['continue']}")
        assert (status, expired["reason"]) == (410, "Expired")
        token, got, version = expired["metadata"]["continue"], names(first["items"]), None
        while token:
            page = await made.get(f"{TEMPLATES}?limit={limit}&continue={token}")
            assert len(page["items"]) <= limit
            counted(page, len(got))
            version = version or page["metadata"]["resourceVersion"]
            assert page["metadata"]["resourceVersion"] == version != first["metadata"]["resourceVersion"]
            got += names(page["items"])
            token = page["metadata"].get("continue", "")
        assert got == [f"template-{number:04}" for number in range(TOTAL)]
