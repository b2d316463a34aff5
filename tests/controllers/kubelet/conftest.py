from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from controllers.kubelet.node_config import NodeConfig
from tests.controllers.kubelet.cluster import Cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """One node, n1, with a pod network."""
    made = Cluster()
    await made.start([NodeConfig("n1", pod_cidr="10.244.0.0/24")])
    yield made
    await made.stop()
