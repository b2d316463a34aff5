"""The official conformance test of sig-architecture."""

from __future__ import annotations

import pytest

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import suite

pytestmark = pytest.mark.virtual_time


async def test_two_nodes_take_pods() -> None:
    """[sig-architecture] Conformance Tests should have at least two untainted nodes [Conformance]"""

    def takes_pods(node: Object) -> bool:
        return objects.is_condition_true(node, "Ready") and not node["spec"].get("unschedulable") and not node["spec"].get("taints")

    async with suite() as e2e:
        nodes = await e2e.items("/api/v1/nodes")
        assert len([node for node in nodes if takes_pods(node)]) >= 2
