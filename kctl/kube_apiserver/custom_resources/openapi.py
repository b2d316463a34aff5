"""What OpenAPI says of custom resources: their schemas with what every object has, and their paths (apiextensions-apiserver's OpenAPI
builder). Documents are made when somebody asks, beside the loop."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from kctl.apimachinery.resources import ResourceType
from kctl.kube_apiserver.custom_resources.endpoint import CustomEndpoint
from kctl.kube_apiserver.openapi_paths import META, Paths

Document = dict[str, Any]
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#"
_META_TEXT = f"Standard object's metadata. More info: {_CONVENTIONS}metadata"
_LIST_META_TEXT = f"Standard list metadata. More info: {_CONVENTIONS}types-kinds"
_VERSION_TEXT = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the "
    f"latest internal value, and may reject unrecognized values. More info: {_CONVENTIONS}resources"
)
_KIND_TEXT = (
    "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the "
    f"client submits requests to. Cannot be updated. In CamelCase. More info: {_CONVENTIONS}types-kinds"
)
_COMBINING = ("allOf", "anyOf", "oneOf", "not")
_V2_UNKNOWN = frozenset({*_COMBINING, "nullable", "default"})
TITLE, VERSION = "Kubernetes CRD Swagger", "v0.1.0"


def type_name(resource: ResourceType) -> str:
    """com.example.full.v1.Widget"""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def of_group_version(endpoints: Iterable[object], served: Sequence[ResourceType]) -> list[CustomEndpoint]:
    """The endpoints of these resources."""
    wanted = {(entry.group, entry.version, entry.plural) for entry in served}
    return [
        each
        for each in endpoints
        if isinstance(each, CustomEndpoint) and (each.resource.group, each.resource.version, each.resource.plural) in wanted
    ]


def digest(endpoints: Sequence[CustomEndpoint]) -> str:
    """Changes with whatever the document shows."""
    facts = hashlib.sha512()
    for endpoint in endpoints:
        facts.update(repr(endpoint.resource).encode())
        facts.update(_encoded(endpoint))
    return facts.hexdigest().upper()


@lru_cache(maxsize=1024)
def _encoded(endpoint: CustomEndpoint) -> bytes:
    selectable = endpoint.version.get("selectableFields")
    return hashlib.sha256(orjson.dumps([endpoint.own_schema.openapi, selectable], option=orjson.OPT_SORT_KEYS)).digest()


def definitions(endpoints: Iterable[CustomEndpoint], *, v2: bool = False) -> dict[str, Document]:
    """By full name: each kind and its list."""
    found: dict[str, Document] = {}
    prefix = "#/definitions/" if v2 else "#/components/schemas/"
    for endpoint in endpoints:
        resource, name = endpoint.resource, type_name(endpoint.resource)
        fields = endpoint.version.get("selectableFields") or ()
        selectable = [{"fieldPath": field.get("jsonPath", "").removeprefix(".")} for field in fields]
        more = {"x-kubernetes-selectable-fields": selectable} if selectable else {}
        found[name] = {**_root(endpoint.own_schema.openapi, prefix, v2), **_kinds(resource, resource.kind), **more}
        list_name = f"{name.removesuffix(resource.kind)}{endpoint.list_kind}"
        found[list_name] = {**_list(endpoint, name, prefix, v2), **_kinds(resource, endpoint.list_kind), **more}
    return dict(sorted(found.items()))


def types(endpoints: Iterable[CustomEndpoint]) -> dict[str, str]:
    """'full.example.com/v1/Widget' to full name, as the built-in types have them."""
    found = {}
    for endpoint in endpoints:
        resource, name = endpoint.resource, type_name(endpoint.resource)
        found[f"{resource.api_version}/{resource.kind}"] = name
        found[f"{resource.api_version}/{resource.kind}List"] = f"{name.removesuffix(resource.kind)}{endpoint.list_kind}"
    return found


def paths(endpoints: Sequence[CustomEndpoint], built_in: dict[str, str], *, v2: bool = False) -> Document:
    return Paths({**built_in, **types(endpoints)}, v2=v2, strategic=False).of([endpoint.resource for endpoint in endpoints])


def _kinds(resource: ResourceType, kind: str) -> Document:
    return {"x-kubernetes-group-version-kind": [{"group": resource.group, "kind": kind, "version": resource.version}]}


def _type_fields(text: str, prefix: str, v2: bool, lower: bool = False) -> Document:
    """`lower`: of an embedded resource, whose texts begin with the names of the fields."""
    reference: Document = {"$ref": f"{prefix}{META}ObjectMeta"}
    version = f"apiVersion{_VERSION_TEXT.removeprefix('APIVersion')}" if lower else _VERSION_TEXT
    kind = f"kind{_KIND_TEXT.removeprefix('Kind')}" if lower else _KIND_TEXT
    return {
        "apiVersion": {"description": version, "type": "string"},
        "kind": {"description": kind, "type": "string"},
        "metadata": {"description": text, **(reference if v2 else {"allOf": [reference]})},
    }


def _root(schema: Document, prefix: str, v2: bool) -> Document:
    if v2 and schema.get("x-kubernetes-preserve-unknown-fields"):
        return {"type": "object"}  # whoever reads more of it forbids the rest
    made = _schema(schema, prefix, v2)
    made.setdefault("type", "object")
    made["properties"] = dict(sorted({**made.get("properties", {}), **_type_fields(_META_TEXT, prefix, v2)}.items()))
    return made


def _list(endpoint: CustomEndpoint, name: str, prefix: str, v2: bool) -> Document:
    meta: Document = {"$ref": f"{prefix}{META}ListMeta"}
    fields = _type_fields("", prefix, v2)
    plural = endpoint.resource.plural
    text = f"List of {plural}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
    return {
        "description": f"{endpoint.list_kind} is a list of {endpoint.resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": fields["apiVersion"],
            "items": {"description": text, "type": "array", "items": {"$ref": prefix + name}},
            "kind": fields["kind"],
            "metadata": {"description": _LIST_META_TEXT, **(meta if v2 else {"allOf": [meta]})},
        },
    }


def _schema(schema: Document, prefix: str, v2: bool) -> Document:
    """In the words of OpenAPI v3, or what v2 knows of them."""
    if v2:
        schema = _for_v2(schema)
    made: Document = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: _schema(part, prefix, v2) for name, part in sorted(value.items())}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, dict):
            made[key] = _schema(value, prefix, v2)
        elif key in _COMBINING:
            made[key] = [_schema(part, prefix, v2) for part in value]
        else:
            made[key] = value
    if schema.get("x-kubernetes-int-or-string") and not v2 and "anyOf" not in made:
        made["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if schema.get("x-kubernetes-embedded-resource"):
        made["required"] = list(dict.fromkeys([*made.get("required", ()), "kind", "apiVersion"]))
        made["properties"] = {**made.get("properties", {}), **_type_fields(_META_TEXT, prefix, v2, lower=True)}
    return made


def _for_v2(schema: Document) -> Document:
    """Clients of v2 take null for wrong, and know no alternatives: what they could misread says nothing."""
    kept = {key: value for key, value in schema.items() if key not in _V2_UNKNOWN}
    if schema.get("nullable"):
        for key in ("type", "items", "properties", "additionalProperties"):
            kept.pop(key, None)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        for key in ("items", "properties", "additionalProperties"):
            kept.pop(key, None)
    return kept
