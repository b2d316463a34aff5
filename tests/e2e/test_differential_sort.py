"""get --sort-by: equal rows and rows without the field stand where kubectl's sort leaves them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.e2e.differential import Pair, pair

__all__ = ["pair"]
pytestmark = pytest.mark.kubectl


@pytest.mark.parametrize("count", [7, 12, 13, 50, 180])
def test_the_same_order(pair: Pair, tmp_path: Path, count: int) -> None:
    randomness, space = random.Random(count), f"sort-{count}"
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}]
    for number in range(count):
        data = {} if randomness.random() < 0.4 else {"k": str(randomness.randrange(6))}
        items.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number:03d}", "namespace": space}, "data": data})
    path = tmp_path / "items.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    assert pair.kctl("create", "-f", str(path)).code == 0
    pair.agree("-n", space, "get", "cm", "--sort-by=.data.k")
    pair.agree("-n", space, "get", "cm", "--sort-by=.data.k", "-o", "name")
    pair.agree("-n", space, "get", "cm", "c000", "--sort-by=.nope")
    pair.agree("-n", space, "get", "cm,sa", "--sort-by=.nope")
