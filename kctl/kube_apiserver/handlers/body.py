"""Request bodies into objects: media type, syntax, kind, fields; each failure with the API server's words.

In-process components hand over canonical objects, which pass untouched (caller.Body).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.diagnose import json_kind
from kctl.apimachinery.schema.schemas import DecodeError
from kctl.apimachinery.status import BadRequest, UnsupportedMediaType
from kctl.kube_apiserver.handlers import go_json
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.request import ResourceRequest

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
SCHEME = "pkg/api/legacyscheme/scheme.go:30"
META_SCHEME = "pkg/apis/meta/internalversion/scheme/register.go:27"
_ACCEPTED = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json, application/yaml, application/vnd.kubernetes.protobuf"
)
_TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


def media_type(content_type: str) -> str:
    """`application/json; charset=utf-8` is application/json; none at all means JSON."""
    return content_type.partition(";")[0].strip().lower() or JSON


def decode(request: ResourceRequest, endpoint: Endpoint, subresource: str = "") -> Object:
    """The body as a private canonical object of the endpoint's (or its subresource's) kind."""
    if request.is_canonical:
        return request.body  # type: ignore[no-any-return]
    resource = endpoint.resource
    api_version, kind = resource.api_version, resource.kind
    entry = resource.subresource(subresource) if subresource else None
    if entry is not None:
        kind = entry.kind
        if entry.version:
            api_version = f"{entry.group}/{entry.version}" if entry.group else entry.version
    custom = endpoint.custom and (entry is None or not entry.version)
    if custom and media_type(request.content_type) == PROTOBUF:
        raise UnsupportedMediaType(_ACCEPTED.removesuffix(f", {PROTOBUF}"))
    value, duplicates = _parse(request, kind)
    if custom:
        from kctl.kube_apiserver.custom_resources import bodies

        return bodies.decoded(request, endpoint, value, duplicates, strict_problems)
    own = _check_kind(value, api_version, kind, acceptable=entry is not None)
    if own != api_version:
        schema = schemas.load().for_kind(own, kind) or endpoint.schema(subresource)
        value = {**value, "apiVersion": own}
    else:
        schema = endpoint.schema(subresource)
    typed = {**value, "apiVersion": own, "kind": kind}
    try:
        decoded = schema.decode(typed)
    except DecodeError as error:
        raise BadRequest(schemas.cannot_be_handled(kind, own, str(error))) from None
    unknown = decoded.unknown_fields
    if duplicates and unknown and media_type(request.content_type) == JSON:
        found = go_json.strict_problems(request.raw_body or b"", unknown)
        problems = [schemas.duplicate_field(path) if again else schemas.unknown_field(path) for path, again in found]
    else:
        problems = [*duplicates, *map(schemas.unknown_field, unknown)]
    strict_problems(request, kind, own, problems)
    keep_reset(value, decoded.object)
    return decoded.object


def keep_reset(given: Object, decoded: Object) -> None:
    """An empty list of managedFields, which decoding drops like any other, says that all owners are to be forgotten."""
    if (given.get("metadata") or {}).get("managedFields") == []:
        decoded["metadata"]["managedFields"] = []


def strict_problems(request: ResourceRequest, kind: str, api_version: str, problems: Sequence[str]) -> None:
    """Unknown and repeated fields: an error, warnings, or nothing, by fieldValidation (default Warn)."""
    if not problems:
        return
    wanted = request.query.get("fieldValidation") or "Warn"
    if wanted == "Strict":
        raise BadRequest(schemas.strict_error(kind, api_version, list(dict.fromkeys(problems))))
    if wanted == "Warn":
        request.warnings += problems


def _parse(request: ResourceRequest, kind: str) -> tuple[Any, list[str]]:
    """The parsed body and the problems a strict reader has with it."""
    if request.raw_body is None:
        return _typed(request.body, kind, b""), []
    raw, given = request.raw_body, media_type(request.content_type)
    if given == PROTOBUF:
        from kctl.kube_apiserver import protobuf

        try:
            return protobuf.decode(raw), []
        except ValueError as error:
            raise _unrecognized(kind, str(error), raw) from None
    if given == YAML:
        return _parse_yaml(raw, kind)
    if given != JSON:
        raise UnsupportedMediaType(_ACCEPTED)
    try:
        value, repeated = go_json.loads(raw)
    except go_json.JsonError as error:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {error}", raw) from None
    return _typed(value, kind, raw), [schemas.duplicate_field(path) for path in repeated]


def _typed(value: Any, kind: str, raw: bytes) -> Any:
    """A map whose apiVersion and kind, where it has them, are texts. Raises BadRequest."""
    if value is None:
        return {}
    why = ""
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {json_kind(value)} into Go value of type {_TYPE_META}"
    else:
        for field in ("apiVersion", "kind"):
            if not isinstance(value.get(field, ""), str | None):
                why = why or f"json: cannot unmarshal {json_kind(value[field])} into Go struct field .{field} of type string"
    if why:
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {why}", raw)
    if (value.get("apiVersion") or "").count("/") > 1:
        raise _unrecognized(kind, f"unexpected GroupVersion string: {value['apiVersion']}", raw)
    return value


def _parse_yaml(raw: bytes, kind: str) -> tuple[Any, list[str]]:
    from kctl.apimachinery import yaml

    try:
        value, problems = yaml.parse(raw)
    except yaml.YamlError as error:
        raise _unrecognized(kind, str(error), raw) from None
    return _sorted(_typed(value, kind, raw)), [yaml.duplicate_error(problems)] if problems else []


def _sorted(value: Any) -> Any:
    """Keys in alphabetical order, as the conversion of YAML to JSON leaves them; errors come in that order."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _unrecognized(kind: str, why: str, raw: bytes) -> BadRequest:
    return BadRequest(f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(raw)})")


def _summary(raw: bytes, length: int = 30) -> str:
    if not raw:
        return "<empty>"
    cut = " ..." if len(raw) > length else ""
    if raw[:1] == b"{":
        return raw[:length].decode("utf-8", "replace") + cut
    return raw[:length].hex() + cut


def _check_kind(value: Object, api_version: str, kind: str, *, acceptable: bool) -> str:
    """The version the body is in. Raises BadRequest where it is of another kind or version."""
    own_version, own_kind = value.get("apiVersion") or api_version, value.get("kind") or kind
    if own_version == api_version and own_kind == kind:
        return api_version
    group = api_version.rpartition("/")[0]
    if acceptable and own_kind == kind and own_version.rpartition("/")[0] == group:
        return own_version
    known = schemas.load().for_kind(own_version, own_kind) is not None
    listed = own_kind.endswith("List") and schemas.load().for_kind(own_version, own_kind.removesuffix("List")) is not None
    if not known and not listed and (own_version, own_kind) not in _OTHER_KINDS:
        why = f'no kind "{own_kind}" is registered for version "{own_version}" in scheme "{SCHEME}"'
        raise BadRequest(schemas.cannot_be_handled(own_kind, own_version, why, kind))
    if own_kind == kind and own_version.rpartition("/")[0] == group:
        why = f"the API version in the data ({own_version}) does not match the expected API version ({api_version})"
        raise BadRequest(why)
    why = f"converting ({_go(own_version)}.{own_kind}) to ({group.partition('.')[0] or 'core'}.{kind}): unknown conversion"
    raise BadRequest(schemas.cannot_be_handled(own_kind, own_version, why, kind))


_OTHER_KINDS = {("v1", "List"), ("v1", "Status"), ("v1", "DeleteOptions")}


def _go(api_version: str) -> str:
    return api_version.rpartition("/")[2]


def decode_patched(request: ResourceRequest, endpoint: Endpoint, patched: Object, patcher: Any) -> Object:
    """The outcome of a patch as a private canonical object."""
    kind, api_version = endpoint.resource.kind, endpoint.resource.api_version
    try:
        decoded = endpoint.schema().decode(patched)
    except DecodeError as error:
        raise patcher.undecodable(str(error), kind, api_version) from None
    problems = [*patcher.problems, *(schemas.unknown_field(path) for path in decoded.unknown_fields)]
    patcher.strict_problems(request, kind, api_version, problems)
    return decoded.object


def decode_delete_options(request: ResourceRequest) -> Object | None:
    """None where there is no body."""
    if request.raw_body is None:
        return request.body or None
    if not request.raw_body:
        return None
    if media_type(request.content_type) == PROTOBUF:
        return _parse(request, "DeleteOptions")[0]  # type: ignore[no-any-return]
    if media_type(request.content_type) == YAML:
        value = _parse_yaml(request.raw_body, "DeleteOptions")[0]
    else:
        try:
            value, _ = go_json.loads(request.raw_body)
        except go_json.JsonError as error:
            raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from None
        value = _typed(value, "DeleteOptions", request.raw_body)
    kind = value.get("kind") or "DeleteOptions"
    if kind != "DeleteOptions":
        version = value.get("apiVersion") or "v1"
        raise BadRequest(f'no kind "{kind}" is registered for version "{version}" in scheme "{META_SCHEME}"')
    schema = schemas.load().for_kind("v1", "DeleteOptions")
    assert schema is not None
    try:
        return schema.decode(value).object
    except DecodeError as error:
        raise BadRequest(str(error)) from None


def check_name(request: ResourceRequest, obj: Object) -> None:
    """The name in the body must be the URL's."""
    name = (obj.get("metadata") or {}).get("name") or ""
    if not name:
        raise BadRequest(f"the name of the object ({request.name} based on URL) was undeterminable: name must be provided")
    if name != request.name:
        raise BadRequest(f"the name of the object ({name}) does not match the name on the URL ({request.name})")


def check_namespace(request: ResourceRequest, obj: Object) -> None:
    space = (obj.get("metadata") or {}).get("namespace") or ""
    if space and request.namespace and space != request.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
