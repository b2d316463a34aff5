"""One API server for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.serving import Api, serving


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as started:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        assert started("POST", "/api/v1/namespaces/default/serviceaccounts", account).status == 201
        yield started
