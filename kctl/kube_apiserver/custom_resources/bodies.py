"""Request bodies that are custom resources: objects without a Go type, so that a wrong kind is an invalid field and unknown fields come
in alphabetical order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from kctl.apimachinery.field_errors import invalid
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.schemas import DecodeError
from kctl.apimachinery.status import BadRequest
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.custom_resources.endpoint import CustomEndpoint
from kctl.kube_apiserver.custom_resources.schema import CustomSchema
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.request import ResourceRequest

Strict = Callable[[ResourceRequest, str, str, Sequence[str]], None]


def decoded(request: ResourceRequest, endpoint: Endpoint, value: Object, duplicates: list[str], strict: Strict) -> Object:
    """The body as a private canonical object of the endpoint's kind and version. `strict` deals with unknown and repeated fields. Raises
    BadRequest, Invalid."""
    resource = endpoint.resource
    version, kind = value.get("apiVersion") or resource.api_version, value.get("kind") or resource.kind
    typed = {**value, "apiVersion": version, "kind": kind}
    own_group = version.rpartition("/")[0] == resource.group
    problems, obj = list(duplicates), typed
    if own_group and kind == resource.kind:
        schema = cast(CustomEndpoint, endpoint).schema_of_version(version) or CustomSchema(kind, {"type": "object"})
        obj, unknown = _decode(schema, typed, version)
        problems += [schemas.unknown_field(path) for path in unknown]
    strict(request, kind, version, problems)
    if version != resource.api_version:
        why = f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        raise BadRequest(why)
    if kind != resource.kind:
        name = (value.get("metadata") or {}).get("name") or ""
        raise invalid_status(resource.group, kind, name, [invalid("kind", kind, f"must be {resource.kind}")])
    if not resource.namespaced:
        obj["metadata"].pop("namespace", None)
    return obj


def _decode(schema: CustomSchema, typed: Object, version: str) -> tuple[Any, list[str]]:
    try:
        found = schema.decode(typed)
    except DecodeError as error:
        raise BadRequest(schemas.cannot_be_handled(typed["kind"], version, str(error))) from None
    return found.object, found.unknown_fields
