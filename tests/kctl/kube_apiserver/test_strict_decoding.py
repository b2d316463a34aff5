"""What strict reading finds in a body, in the order in which Go's decoder meets it."""

from __future__ import annotations

import orjson
import pytest

from kctl.apimachinery.user import ADMIN
from tests.conformance.api import api

POD = '{"name": "c", "image": "i"}'
CASES = [
    ('"x": 1, "containers": [POD], "nodeName": "a", "nodeName": "b"', 'unknown field "spec.x", duplicate field "spec.nodeName"'),
    ('"containers": [POD], "nodeName": "a", "nodeName": "b", "x": 1', 'duplicate field "spec.nodeName", unknown field "spec.x"'),
    ('"containers": [POD], "x": 1, "x": 2', 'unknown field "spec.x"'),
    (
        '"containers": [POD], "x": {"a": 1, "a": 2}, "nodeName": "a", "nodeName": "a"',
        'unknown field "spec.x", duplicate field "spec.nodeName"',
    ),
    (
        '"containers": [{"name": "a", "name": "c", "image": "i"}], "nodeName": "a", "nodeName": "b"',
        'duplicate field "spec.containers[0].name", duplicate field "spec.nodeName"',
    ),
]


@pytest.mark.parametrize(("spec", "told"), CASES)
async def test_problems_come_in_document_order(spec: str, told: str) -> None:
    text = f'{{"metadata": {{"name": "p"}}, "spec": {{{spec.replace("POD", POD)}}}}}'
    async with api() as made:
        await made.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        path = "/api/v1/namespaces/default/pods?fieldValidation=Strict"
        answer = await made.server.handle_raw("POST", path, {}, text.encode(), {"Content-Type": "application/json"}, ADMIN)
        assert answer.status == 400
        assert orjson.loads(answer.body)["message"].endswith(f"strict decoding error: {told}")
