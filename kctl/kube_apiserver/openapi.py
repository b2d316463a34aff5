"""OpenAPI: /openapi/v3 (an index, and one document for each group version) and /openapi/v2 (everything).

Documents are made of the published definitions when somebody asks; only their compressed bytes are kept. The hashes in
the index are those of what a document is made of, so that the index costs nothing.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.schema import bundle, enums
from kctl.apimachinery.status import NotAcceptable
from kctl.kube_apiserver import openapi_protobuf
from kctl.kube_apiserver.openapi_paths import META, Paths
from kctl.kube_apiserver.response import RawAnswer, has_tag

Document = dict[str, Any]
_JSON = "application/json"
_ALSO = ("DeleteOptions", "Patch", "Status", "APIResourceList", "WatchEvent")
_IMMUTABLE = {"Cache-Control": "public, immutable"}


def answer(
    table: Sequence[ResourceType],
    path: str,
    accept: str,
    query: Mapping[str, str],
    custom: Sequence[object] = (),
    known: str = "",
) -> RawAnswer | None:
    """GET of /openapi/...; None where nothing is there. `custom`: the endpoints of the custom resources in `table`. `known`: the tags the
    client has documents of, from its If-None-Match; for them no document is made. Raises NotAcceptable for clients that take protobuf
    only."""
    rest = path.removeprefix("/openapi").strip("/")
    if rest == "v3":
        content = orjson.dumps(index(table, custom))
        return RawAnswer(content, "text/plain; charset=utf-8", headers=_tagged(hashlib.sha512(content).hexdigest().upper()))
    if rest == "v2":
        return _version_2(table, accept, custom, known)
    name = rest.removeprefix("v3/")
    served = _group_versions(table).get(name)
    if not rest.startswith("v3/"):
        return None
    if served is None:
        return RawAnswer(b"", "", 404)
    _json_acceptable(accept)
    digest = _digest(name, served, custom)
    headers = _tagged(digest) | (_IMMUTABLE if query.get("hash") == digest else {})
    if has_tag(known, headers["ETag"]):
        return RawAnswer(b"", _JSON, headers=headers)
    if served[0].storage_version:
        return RawAnswer(_custom_document(custom, served), _JSON, headers=headers)
    return RawAnswer(zlib.decompress(_document(name, tuple(served))), _JSON, headers=headers)


def _version_2(table: Sequence[ResourceType], accept: str, custom: Sequence[object], known: str) -> RawAnswer:
    protobuf = any(offer.split(";")[0].strip() in openapi_protobuf.MEDIA_TYPES for offer in accept.split(","))
    if not protobuf:
        _json_acceptable(accept)
    content_type = openapi_protobuf.CONTENT_TYPE if protobuf else _JSON
    digests = "".join(_digest(name, served, custom) for name, served in sorted(_group_versions(table).items()))
    headers = _tagged(hashlib.sha512(digests.encode()).hexdigest().upper())
    if has_tag(known, headers["ETag"]):
        return RawAnswer(b"", content_type, headers=headers)
    content = document_v2(table, custom)
    return RawAnswer(openapi_protobuf.document(orjson.loads(content)) if protobuf else content, content_type, headers=headers)


def _tagged(digest: str) -> dict[str, str]:
    return {"ETag": f'"{digest}"', "Vary": "Accept"}


def _json_acceptable(accept: str) -> None:
    media = [offer.split(";")[0].strip() for offer in accept.split(",")]
    if accept.strip() and not any(name in (_JSON, "application/*", "*/*") for name in media):
        raise NotAcceptable("406: Not Acceptable\n\nAvailable representations: application/json", details={})


def _group_versions(table: Iterable[ResourceType]) -> dict[str, list[ResourceType]]:
    """'api/v1', 'apis/apps/v1' -> the resources there."""
    found: dict[str, list[ResourceType]] = {}
    for entry in table:
        found.setdefault(entry.root_path.strip("/"), []).append(entry)
    return found


def index(table: Iterable[ResourceType], custom: Sequence[object] = ()) -> Document:
    """The body of GET /openapi/v3."""
    found = sorted(_group_versions(table).items())
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={_digest(name, served, custom)}"} for name, served in found}}


def _digest(name: str, served: Sequence[ResourceType], custom: Sequence[object] = ()) -> str:
    if served[0].storage_version:
        from kctl.kube_apiserver.custom_resources import openapi

        return openapi.digest(openapi.of_group_version(custom, served))
    facts = repr((KUBERNETES_VERSION, name, *served))
    return hashlib.sha512(facts.encode()).hexdigest().upper()


@lru_cache(maxsize=64)
def _document(name: str, served: tuple[ResourceType, ...]) -> bytes:
    """A v3 document, compressed."""
    definitions = bundle.descriptions()
    types: dict[str, str] = bundle.types().header["kinds"]
    wanted = [types.get(f"{entry.api_version}/{entry.kind}") for entry in served]
    wanted += [types.get(f"{entry.api_version}/{entry.kind}List") for entry in served]
    for entry in served:
        for sub in entry.subresources:
            version = f"{sub.group}/{sub.version}".lstrip("/") if sub.version else entry.api_version
            wanted.append(types.get(f"{version}/{sub.kind}"))
    schemas = closure(definitions, [*(name for name in wanted if name), *(META + kind for kind in _ALSO)])
    body = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": Paths(types).of(served),
        "components": {"schemas": {key: convert(schema, key) for key, schema in sorted(schemas.items())}},
    }
    return zlib.compress(orjson.dumps(body), 3)


def _custom_document(custom: Sequence[object], served: Sequence[ResourceType]) -> bytes:
    from kctl.kube_apiserver.custom_resources import openapi

    endpoints = openapi.of_group_version(custom, served)
    types: dict[str, str] = bundle.types().header["kinds"]
    wanted = [META + kind for kind in ("ObjectMeta", "ListMeta", "DeleteOptions", "Patch", "Status")]
    if any(entry.subresource("scale") for entry in served):
        wanted.append(types["autoscaling/v1/Scale"])
    shared = {key: convert(schema, key) for key, schema in closure(bundle.descriptions(), wanted).items()}
    body = {
        "openapi": "3.0.0",
        "info": {"title": openapi.TITLE, "version": openapi.VERSION},
        "paths": openapi.paths(endpoints, types),
        "components": {"schemas": dict(sorted({**shared, **openapi.definitions(endpoints)}.items()))},
    }
    return orjson.dumps(body)


def document_v2(table: Sequence[ResourceType], custom: Sequence[object] = ()) -> bytes:
    """The body of GET /openapi/v2. Large and seldom asked for: made anew each time."""
    definitions = bundle.descriptions()
    types: dict[str, str] = bundle.types().header["kinds"]
    body: Document = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": Paths(types, v2=True).of(entry for entry in table if not entry.storage_version),
        "definitions": {name: convert(definitions.entry(name), name, v2=True) for name in sorted(definitions.names())},
    }
    if custom:
        from kctl.kube_apiserver.custom_resources import openapi

        endpoints = openapi.of_group_version(custom, table)
        body["paths"] |= openapi.paths(endpoints, types, v2=True)
        body["definitions"] |= openapi.definitions(endpoints, v2=True)
    return orjson.dumps(body)


def closure(definitions: bundle.Bundle, wanted: Iterable[str]) -> dict[str, Document]:
    """The definitions named, and all they refer to."""
    found: dict[str, Document] = {}
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in found or name not in definitions:
            continue
        found[name] = definitions.entry(name)
        waiting += references(found[name])
    return found


def references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix("#/$defs/")
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def convert(schema: Document, name: str = "", *, v2: bool = False) -> Document:
    """A definition as the bundle has it, in the words of OpenAPI: no null types, references into the document.
    `name` is the type's, for its enumerations."""
    out: Document = {}
    for key, value in schema.items():
        if key == "$ref":
            continue
        if key == "type" and isinstance(value, list):
            out[key] = next(kind for kind in value if kind != "null")
        elif key == "properties":
            out[key] = {field: _property(name, field, item, v2) for field, item in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            out[key] = convert(value, v2=v2)
        elif key == "oneOf":
            if not v2:
                out[key] = [convert(item) for item in value]
            else:
                out["type"] = "string"
        else:
            out[key] = value
    reference = schema.get("$ref")
    if reference:
        target = ("#/definitions/" if v2 else "#/components/schemas/") + str(reference).removeprefix("#/$defs/")
        if v2 or not out:
            out["$ref"] = target
        else:
            out["allOf"] = [{"$ref": target}]
    return out


def _property(owner: str, name: str, schema: Document, v2: bool) -> Document:
    if name in ("kind", "apiVersion") and "enum" in schema:
        schema = {key: value for key, value in schema.items() if key != "enum"}
    out = convert(schema, v2=v2)
    short = owner.rpartition(".")[2]
    if not v2 and (values := enums.values(short, name)):
        out["enum"] = values
    if not v2 and (values := enums.item_values(short, name)):
        out["items"] = {**out["items"], "enum": values}
    return out
