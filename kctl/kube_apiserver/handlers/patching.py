"""The four patch formats behind one interface, with the API server's errors for patches that do not parse or do not fit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import json_patch, merge_patch, strategic_merge
from kctl.apimachinery.field_errors import invalid
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema import schemas
from kctl.apimachinery.schema.diagnose import json_kind
from kctl.apimachinery.schema.patch_meta import PatchMeta
from kctl.apimachinery.status import ApiError, BadRequest, Invalid, RequestEntityTooLarge, UnsupportedMediaType
from kctl.apimachinery.status import invalid as invalid_status
from kctl.client.transport import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from kctl.kube_apiserver.handlers import go_json
from kctl.kube_apiserver.handlers.body import media_type
from kctl.kube_apiserver.registry.endpoint import Endpoint
from kctl.kube_apiserver.request import ResourceRequest

_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, APPLY_PATCH)
_TYPES_OF_CUSTOM = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH)
"""A strategic merge needs the tags of Go types."""


class Patcher:
    """`apply` gives the patched object, a new value sharing what did not change."""

    def __init__(self, kind: str, document: Any, text: str, meta: PatchMeta, problems: Sequence[str]) -> None:
        self._kind = kind
        self._document = document
        self._text = text
        self._meta = meta
        self.problems = list(problems)

    @property
    def is_apply(self) -> bool:
        return self._kind == APPLY_PATCH

    @property
    def may_grow(self) -> bool:
        """Whether applying it may be a longer work than its size tells."""
        return self._kind == "application/json-patch+json" and json_patch.may_grow(self._document)

    @property
    def document(self) -> Any:
        """The patch, or the configuration that is applied."""
        return self._document

    @property
    def names_owners(self) -> bool:
        """Whether the patch looks at or changes metadata.managedFields."""
        if isinstance(self._document, list):
            places = [operation.get(name) for operation in self._document if isinstance(operation, dict) for name in ("path", "from")]
            return any(place in ("", "/metadata") or str(place).startswith("/metadata/managedFields") for place in places)
        meta = self._document.get("metadata") if isinstance(self._document, dict) else None
        return meta is not None and (not isinstance(meta, dict) or "managedFields" in meta or "$patch" in meta or "$retainKeys" in meta)

    def apply(self, old: Object) -> Object:
        match self._kind:
            case "application/json-patch+json":
                return self._apply_json(old)
            case "application/merge-patch+json":
                return merge_patch.apply(old, self._document)  # type: ignore[no-any-return]
        try:
            return strategic_merge.apply(old, self._document, self._meta)
        except strategic_merge.StrategicMergeError as error:
            raise ApiError(error.message, code=500) from None

    def _apply_json(self, old: Object) -> Object:
        try:
            patched = json_patch.apply(old, self._document)
        except json_patch.MalformedPatch as error:
            raise BadRequest(error.message) from None
        except json_patch.TooManyOperations as error:
            raise RequestEntityTooLarge(error.message) from None
        except json_patch.JsonPatchError:
            refused = Invalid("the server rejected our request due to an error in our request")
            code = refused.status.pop("code")
            refused.status |= {"details": {}, "code": code}
            raise refused from None
        if not isinstance(patched, dict):
            raise self.undecodable("json: cannot unmarshal into Go value", "", "")
        return patched

    def undecodable(self, why: str, kind: str, api_version: str) -> ApiError:
        """The patched object is not one of its kind."""
        if self.is_apply:
            return BadRequest(why)
        if self._kind == STRATEGIC_MERGE_PATCH:
            why = _unstructured_words(why)
        return invalid_status("", "", "", [invalid("patch", self._shown(), why)])

    def _shown(self) -> str:
        return strategic_merge.go_text(self._document) if self._kind == STRATEGIC_MERGE_PATCH else self._text

    def strict_problems(self, request: ResourceRequest, kind: str, api_version: str, problems: Sequence[str]) -> None:
        """Unknown fields: an error, warnings, or nothing, by fieldValidation (default Warn)."""
        if not problems:
            return
        wanted = request.query.get("fieldValidation") or "Warn"
        listed = list(dict.fromkeys(problems))
        if wanted == "Strict":
            if self.is_apply:
                raise BadRequest(schemas.strict_error(kind, api_version, listed))
            why = f"strict decoding error: {', '.join(listed)}"
            raise invalid_status("", "", "", [invalid("patch", self._shown(), why)])
        if wanted == "Warn":
            request.warnings += [text for text in listed if text not in request.warnings]


_GO_ERROR = re.compile(r"json: cannot unmarshal (\w+)\S* .*of type (\S+)$")
_GO_KINDS = {"array": "slice", "object": "map", "number": "int64"}


def _unstructured_words(why: str) -> str:
    """What the converter from unstructured objects says where the JSON decoder says `why`."""
    found = _GO_ERROR.match(why)
    if found is None:
        return why
    source, target = _GO_KINDS.get(found.group(1), found.group(1)), found.group(2)
    if target.startswith("[]"):
        return f"cannot restore slice from {source}"
    if target.startswith("map["):
        return f"cannot restore map from {source}"
    if "." in target:
        return f"cannot restore struct from: {source}"
    return f"unrecognized type: {target}"


def patcher(request: ResourceRequest, endpoint: Endpoint, meta: PatchMeta | None = None) -> Patcher:
    """The patch a request carries. Raises UnsupportedMediaType, BadRequest."""
    kind = media_type(request.content_type)
    types = _TYPES_OF_CUSTOM if endpoint.custom else _TYPES
    if kind not in types:
        if not endpoint.custom:  # the routes of built-in types say what they take
            refused = UnsupportedMediaType("415: Unsupported Media Type")
            refused.status["details"] = {}
            raise refused
        raise UnsupportedMediaType(f"the body of the request was in an unknown format - accepted media types include: {', '.join(types)}")
    wanted = meta if meta is not None else _meta(endpoint)
    if request.raw_body is None:
        return Patcher(kind, request.body, "", wanted, ())
    document, problems = _parse(kind, request.raw_body)
    return Patcher(kind, document, request.raw_body.decode("utf-8", "replace"), wanted, problems)


def _meta(endpoint: Endpoint) -> PatchMeta:
    return schemas.load().patch_meta(endpoint.resource.api_version, endpoint.resource.kind)


def _parse(kind: str, raw: bytes) -> tuple[Any, list[str]]:
    if kind == APPLY_PATCH:
        return _parse_apply(raw)
    try:
        document, repeated = go_json.loads(raw)
    except go_json.JsonError as error:
        raise BadRequest(f"error decoding patch: {error}" if kind == MERGE_PATCH else str(error)) from None
    if kind == JSON_PATCH:
        if not isinstance(document, list):
            raise BadRequest(f"json: cannot unmarshal {json_kind(document)} into Go value of type jsonpatch.Patch")
        return document, []
    if not isinstance(document, dict):
        name = json_kind(document)
        prefix = "error decoding patch: " if kind == MERGE_PATCH else ""
        raise BadRequest(f"{prefix}json: cannot unmarshal {name} into Go value of type map[string]interface {{}}")
    return document, [schemas.duplicate_field(path) for path in repeated]


def _parse_apply(raw: bytes) -> tuple[Any, list[str]]:
    from kctl.apimachinery import yaml

    try:
        document, problems = yaml.parse(raw)
    except yaml.YamlError as error:
        raise BadRequest(f"error decoding YAML: {error}") from None
    if not isinstance(document, dict):
        raise BadRequest("error decoding YAML: yaml: unmarshal errors: cannot unmarshal into map[string]interface {}")
    return document, problems
