"""OpenAPI of extension API servers among this server's: v3 documents are theirs as they are, the one v2 document is merged."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from kctl.kube_apiserver.aggregation.aggregator import Aggregator
from kctl.kube_apiserver.aggregation.remote import AGGREGATOR, Unanswered
from kctl.kube_apiserver.response import RawAnswer

Document = dict[str, Any]


def index(answer: RawAnswer, aggregator: Aggregator) -> RawAnswer:
    """/openapi/v3 with theirs."""
    document = orjson.loads(answer.body)
    for remote in aggregator.remotes:
        url = aggregator.documents[remote.key].v3_url
        if url:
            document["paths"][remote.path.strip("/")] = {"serverRelativeURL": url}
    document["paths"] = dict(sorted(document["paths"].items()))
    content = orjson.dumps(document)
    return RawAnswer(content, answer.content_type, headers=_tagged(hashlib.sha512(content).hexdigest().upper()))


async def document(aggregator: Aggregator, group: str, version: str, raw_query: str, accept: str, known: str) -> RawAnswer | None:
    """/openapi/v3/apis/GROUP/VERSION of an extension server; None where it has none."""
    way = aggregator.way(group, version)
    if way is None or not aggregator.documents[group, version].v3_url:
        return None
    path = f"/openapi/v3/apis/{group}/{version}" + (f"?{raw_query}" if raw_query else "")
    try:
        answer = await way.get(path, accept or "application/json", AGGREGATOR, known=known)
    except Unanswered as error:
        return RawAnswer(f"{error}\n".encode(), "text/plain; charset=utf-8", 503)
    headers = {name.title(): answer.headers[name] for name in ("etag", "cache-control", "vary") if name in answer.headers}
    return RawAnswer(answer.body, answer.headers.get("content-type", "application/json"), answer.status, headers)


def merged_v2(answer: RawAnswer, aggregator: Aggregator) -> RawAnswer:
    """/openapi/v2 with their paths and what these need. Where a definition is called as one of this server's and differs, it gets another
    name (upstream's MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters)."""
    document = orjson.loads(answer.body)
    for remote in sorted(aggregator.remotes, key=lambda remote: remote.key):
        _merge(document, aggregator.documents[remote.key].v2, remote.path)
    content = orjson.dumps(document)
    return RawAnswer(content, answer.content_type, headers=_tagged(hashlib.sha512(content).hexdigest().upper()))


def revision(aggregator: Aggregator) -> str:
    """Another whenever a merged document is another."""
    return ",".join(f"{remote.name}:{aggregator.documents[remote.key].revision}" for remote in aggregator.remotes)


def _merge(document: Document, theirs: Document, root: str) -> None:
    paths = {path: item for path, item in (theirs.get("paths") or {}).items() if path == root or path.startswith(f"{root}/")}
    if not paths:
        return
    own, definitions = document["definitions"], theirs.get("definitions") or {}
    needed: dict[str, Document] = {}
    waiting = [name for item in paths.values() for name in _references(item)]
    while waiting:
        name = waiting.pop()
        if name not in needed and name in definitions:
            needed[name] = definitions[name]
            waiting += _references(definitions[name])
    renamed = {name: _free(name, own) for name, schema in needed.items() if name in own and own[name] != schema}
    for name, schema in needed.items():
        if name not in own or name in renamed:
            own[renamed.get(name, name)] = _with_names(schema, renamed)
    for path, item in paths.items():
        document["paths"].setdefault(path, _with_names(item, renamed))


def _free(name: str, taken: Document) -> str:
    number = 2
    while f"{name}_v{number}" in taken:
        number += 1
    return f"{name}_v{number}"


_PREFIX = "#/definitions/"


def _references(value: Any) -> list[str]:
    found: list[str] = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            reference = each.get("$ref")
            if isinstance(reference, str) and reference.startswith(_PREFIX):
                found.append(reference.removeprefix(_PREFIX))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found


def _with_names(value: Any, renamed: dict[str, str]) -> Any:
    if not renamed:
        return value
    if isinstance(value, dict):
        return {
            key: _PREFIX + renamed.get(item.removeprefix(_PREFIX), item.removeprefix(_PREFIX))
            if key == "$ref" and isinstance(item, str) and item.startswith(_PREFIX)
            else _with_names(item, renamed)
            for key, item in value.items()
        }
    return [_with_names(item, renamed) for item in value] if isinstance(value, list) else value


def _tagged(digest: str) -> dict[str, str]:
    return {"ETag": f'"{digest}"', "Vary": "Accept"}
