"""What is answered with, by each way in: whole documents, streams, bodies that are encoded already."""

from __future__ import annotations

import ast
import random
from pathlib import Path
from typing import get_args

import orjson

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import APISERVER
from kctl.kube_apiserver import answer_encoding, response
from kctl.kube_apiserver.request import Request, WireRequest
from kctl.kube_apiserver.response import ObjectAnswer, RawAnswer, Response
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store

SOURCE = Path(response.__file__).parent
NOW = RealClock().now()


def test_every_way_in_deals_with_each_kind_of_answer() -> None:
    """An answer that a way in does not name would come out as something else; the type checker sees to it where `match` is used to
    its end, and this that it is."""
    kinds = {kind.__name__ for kind in get_args(Response)}
    for name in ("http.py", "in_process.py"):
        tree = ast.parse((SOURCE / name).read_text())
        named = {node.cls.id for node in ast.walk(tree) if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name)}
        assert named == kinds, name


def test_a_body_that_the_client_has_is_not_sent_again() -> None:
    answer = RawAnswer(b"document", "application/json", headers={"ETag": '"a"'})
    for tag, expected in (('"a"', (304, b"")), ('"b"', (200, b"document"))):
        request = Request(wire=WireRequest(headers={"if-none-match": tag}))
        assert answer_encoding.encode(request, answer, NOW)[::2] == expected


def test_a_status_is_shown_as_it_is_whatever_the_client_accepts() -> None:
    table = Request(accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    status, headers, body = answer_encoding.encode(table, ObjectAnswer({"kind": "Status"}, 404, headers={"Retry-After": "1"}), NOW)
    assert (status, orjson.loads(body), headers["Retry-After"]) == (404, {"kind": "Status"}, "1")


async def test_requests_for_what_cannot_be_shown_are_refused_in_the_media_type_asked_for() -> None:
    server = ApiServer(memory_store(), clock=RealClock(), randomness=random.Random(1))
    await server.start()
    headers = {"Accept": "application/yaml;as=Table;v=v1;g=meta.k8s.io"}
    query = {"includeObject": "Some"}
    answered = await server.handle_raw("GET", "/api/v1/namespaces/default", query, None, headers, APISERVER)
    assert answered.status == 400 and answered.headers["Content-Type"] == "application/yaml"
    assert b"includeObject" in answered.body
    await server.stop()
