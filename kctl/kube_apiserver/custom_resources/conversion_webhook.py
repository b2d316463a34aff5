"""Conversion by webhook: custom resources sent to somebody who knows both versions, and what comes back checked (upstream's
webhookConverter, with its words)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import orjson

from kctl.apimachinery.field_errors import FieldError, aggregate
from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.schema.diagnose import json_kind
from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.admission.webhooks.transport import CannotReach, WebhookTransport
from kctl.kube_apiserver.handlers import go_json
from kctl.kube_apiserver.registry import metadata

TIMEOUT_SECONDS = 30.0
_GROUP = "apiextensions.k8s.io"
_VERSIONS = ("v1", "v1beta1")
_AT_ONCE = 100
"""Objects in one review."""
_GO_TYPES = {
    "string": "string",
    "number": "float64",
    "bool": "bool",
    "array": "[]interface {}",
    "null": "<nil>",
    "object": "map[string]interface {}",
}


class BadAnswer(Exception):
    """The message is what stands behind the kind of the object."""


class ConversionWebhook:
    """That of one definition."""

    def __init__(self, transport: WebhookTransport, webhook: dict[str, Any], randomness: random.Random) -> None:
        """`webhook`: spec.conversion.webhook."""
        self._transport = transport
        self._config: dict[str, Any] = webhook.get("clientConfig") or {}
        self._accepted: Sequence[str] = webhook.get("conversionReviewVersions") or ()
        self._randomness = randomness

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """The objects in `api_version`, in their order; those that are in it already as they are. Raises ApiError."""
        waiting = [obj for obj in objects if obj.get("apiVersion") != api_version]
        converted: list[Object] = []
        for start in range(0, len(waiting), _AT_ONCE):
            converted += await self._ask(waiting[start : start + _AT_ONCE], api_version)
        answers = iter(converted)
        return [obj if obj.get("apiVersion") == api_version else next(answers) for obj in objects]

    async def _ask(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        kind = f"{objects[0].get('apiVersion')}, Kind={objects[0].get('kind')}"
        version = next((version for version in self._accepted if version in _VERSIONS), None)
        if version is None:
            raise ApiError("no supported conversion review versions", code=500)
        uid = metadata.new_uid(self._randomness)
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{_GROUP}/{version}",
            "request": {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)},
        }
        try:
            raw = await self._transport.post(self._config, orjson.dumps(review, managed_fields.default), TIMEOUT_SECONDS)
            answers = _read(raw, version, uid)
        except (CannotReach, BadAnswer) as error:
            raise ApiError(f"conversion webhook for {kind} failed: {error}", code=500) from None
        if len(answers) != len(objects):
            why = f"returned {len(answers)} objects, expected {len(objects)}"
            raise ApiError(f"conversion webhook for {kind} {why}", code=500)
        try:
            return [_checked(original, answer, api_version) for original, answer in zip(objects, answers, strict=True)]
        except BadAnswer as error:
            raise ApiError(f"conversion webhook for {kind} returned {error}", code=500) from None


def _read(raw: bytes, version: str, uid: str) -> list[Any]:
    """The converted objects. Raises BadAnswer."""
    try:
        review, _ = go_json.loads(raw)
    except go_json.JsonError as error:
        raise BadAnswer(f"couldn't get version/kind; json parse error: {error}") from None
    review = review if isinstance(review, dict) else {}
    given = f"{review.get('apiVersion') or '/'}, Kind={review.get('kind') or ''}"
    wanted = f"{_GROUP}/{version}, Kind=ConversionReview"
    if version == "v1" and given != wanted:
        raise BadAnswer(f"expected webhook response of {wanted}, got {given}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise BadAnswer("no response provided")
    if version == "v1" and (response.get("uid") or "") != uid:
        raise BadAnswer(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    result = response.get("result")
    result = result if isinstance(result, dict) else {}
    if result.get("status") != "Success":
        raise BadAnswer(str(result.get("message") or f"response.result.status was '{result.get('status') or ''}', not 'Success'"))
    converted = response.get("convertedObjects")
    return converted if isinstance(converted, list) else []


def _checked(original: Object, answer: Any, api_version: str) -> Object:
    """The converted object with all of the original's metadata but labels and annotations. Raises BadAnswer."""
    if not isinstance(answer, dict) or not answer.get("kind"):
        raise BadAnswer(f"invalid object at index 0: Object 'Kind' is missing in '{orjson.dumps(answer).decode()}'")
    if answer.get("apiVersion") != api_version:
        why = f"invalid groupVersion (expected {api_version}, received {answer.get('apiVersion') or ''})"
        raise BadAnswer(f"invalid object at index 0: {why}")
    if answer["kind"] != original["kind"]:
        raise BadAnswer(f"invalid object at index 0: invalid kind (expected {original['kind']}, received {answer['kind']})")
    given, before = answer.get("metadata"), original["metadata"]
    for field, name in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        old, new = before.get(field) or "", (given.get(field) or "" if isinstance(given, dict) else "")
        if old != new:
            raise BadAnswer(f"invalid object: must have the same {name}: {old} != {new}")
    if "metadata" not in answer:
        raise BadAnswer("invalid metadata: missing metadata in converted object")
    if not isinstance(given, dict):
        raise BadAnswer(f"invalid metadata: invalid metadata of type {_go_type(given)} in converted object")
    meta = {key: value for key, value in before.items() if key not in ("labels", "annotations")}
    for field in ("labels", "annotations"):
        if given.get(field) is not None:
            meta[field] = _texts(field, given[field], before.get(field))
    return {**answer, "metadata": meta}


def _texts(field: str, given: Any, before: Any) -> dict[str, str]:
    """Labels or annotations as the webhook has them. Raises BadAnswer."""
    if not isinstance(given, dict):
        raise BadAnswer(f"invalid metadata: invalid metadata.{field} of type {_go_type(given)} in converted object")
    for key, value in given.items():
        if not isinstance(value, str):
            why = f"metadata.{field}[{key}] must be a string, but is {_go_type(value)} in converted object"
            raise BadAnswer(f"invalid metadata: {why}")
    if given != before:
        errors: list[FieldError] = (
            metadata.label_errors("metadata.labels", given)
            if field == "labels"
            else metadata.annotation_errors("metadata.annotation", given)
        )
        if errors:
            raise BadAnswer(f"invalid metadata: {aggregate(errors)}")
    return given


def _go_type(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "int64"
    return _GO_TYPES.get(json_kind(value), "string")
