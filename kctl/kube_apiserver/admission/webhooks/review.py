"""AdmissionReview, v1 and v1beta1: the question that a webhook is asked, and its answer read and checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.user import User
from kctl.kube_apiserver.admission.plugin import Operation
from kctl.kube_apiserver.registry.strategy import Context

_GROUP = "admission.k8s.io"
VERSIONS = ("v1", "v1beta1")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class BadReview(ValueError):
    """The answer is none; the message is upstream's."""


@dataclass(slots=True)
class Answer:
    allowed: bool
    result: Mapping[str, Any] | None = None
    patch: list[Any] = field(default_factory=list)
    audit_annotations: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def version_for(accepted: Sequence[str]) -> str:
    """The first that both sides know. Raises BadReview."""
    for version in accepted:
        if version in VERSIONS:
            return version
    raise BadReview("webhook does not accept known AdmissionReview versions (v1, v1beta1)")


def request(
    version: str,
    uid: str,
    context: Context,
    operation: Operation,
    seen_as: ResourceType,
    obj: Object | None,
    old: Object | None,
) -> dict[str, Any]:
    """`seen_as`: the resource that the webhook's rules name, in whose version the objects are."""
    asked = operation.resource
    body: dict[str, Any] = {
        "uid": uid,
        "kind": _kind(seen_as, operation.subresource),
        "resource": _resource(seen_as),
        "requestKind": _kind(asked, operation.subresource),
        "requestResource": _resource(asked),
        "operation": operation.operation,
        "userInfo": _user(context.user),
        "object": obj,
        "oldObject": old,
        "dryRun": context.dry_run,
        "options": _options(context, operation),
    }
    if operation.subresource:
        body["subResource"] = body["requestSubResource"] = operation.subresource
    if operation.name:
        body["name"] = operation.name
    namespace = operation.name if asked.plural == "namespaces" and not asked.group else operation.namespace
    if namespace:
        body["namespace"] = namespace
    return {"kind": "AdmissionReview", "apiVersion": f"{_GROUP}/{version}", "request": body}


def _kind(resource: ResourceType, subresource: str) -> dict[str, str]:
    found = resource.subresource(subresource) if subresource else None
    if found is None:
        return {"group": resource.group, "version": resource.version, "kind": resource.kind}
    inherits = not found.version
    return {
        "group": resource.group if inherits else found.group,
        "version": resource.version if inherits else found.version,
        "kind": found.kind or resource.kind,
    }


def _resource(resource: ResourceType) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _user(user: User) -> dict[str, Any]:
    found: dict[str, Any] = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def _options(context: Context, operation: Operation) -> dict[str, Any] | None:
    kind = _OPTIONS.get(operation.operation)
    if kind is None:
        return None
    options: dict[str, Any] = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if context.dry_run:
        options["dryRun"] = ["All"]
    given = operation.options
    if operation.operation == "DELETE" and given is not None:
        if given.grace_period_seconds is not None:
            options["gracePeriodSeconds"] = given.grace_period_seconds
        if given.propagation_policy:
            options["propagationPolicy"] = given.propagation_policy
        conditions = {"uid": given.uid, "resourceVersion": given.resource_version}
        if any(conditions.values()):
            options["preconditions"] = {key: value for key, value in conditions.items() if value}
    return options


def read(raw: bytes, version: str, uid: str, *, mutating: bool) -> Answer:
    """Raises BadReview for what is no valid answer, ValueError for what is no JSON."""
    review = orjson.loads(raw)
    if not isinstance(review, dict):
        raise BadReview("webhook response was absent")
    _check_kind(review, version)
    response = review.get("response")
    if not isinstance(response, dict):
        raise BadReview("webhook response was absent")
    if version == "v1" and response.get("uid") != uid:
        raise BadReview(f'expected response.uid="{uid}", got "{response.get("uid") or ""}"')
    annotations = response.get("auditAnnotations")
    warnings = response.get("warnings")
    return Answer(
        response.get("allowed") is True,
        response.get("status") if isinstance(response.get("status"), dict) else None,
        _patch(response, version, mutating=mutating),
        {str(key): str(value) for key, value in annotations.items()} if isinstance(annotations, dict) else {},
        [str(warning) for warning in warnings] if isinstance(warnings, list) else (),
    )


def _check_kind(review: Mapping[str, Any], version: str) -> None:
    """v1beta1 webhooks may leave out which version they speak."""
    kind, api_version = str(review.get("kind") or ""), str(review.get("apiVersion") or "")
    if version == "v1beta1" and not kind and not api_version:
        return
    if (kind, api_version) != ("AdmissionReview", f"{_GROUP}/{version}"):
        shown = f"{api_version if '/' in api_version else '/' + api_version}, Kind={kind}"
        raise BadReview(f"expected webhook response of {_GROUP}/{version}, Kind=AdmissionReview, got {shown}")


def _patch(response: Mapping[str, Any], version: str, *, mutating: bool) -> list[Any]:
    encoded, kind = response.get("patch"), response.get("patchType")
    if not mutating and version == "v1":
        if encoded:
            raise BadReview("validating webhook may not return response.patch")
        if kind is not None:
            raise BadReview("validating webhook may not return response.patchType")
    if not mutating:
        return []
    if version == "v1":
        if encoded and kind is None:
            raise BadReview("webhook returned response.patch but not response.patchType")
        if not encoded and kind is not None:
            raise BadReview("webhook returned response.patchType but not response.patch")
    if not encoded:
        return []
    if kind not in (None, "JSONPatch"):
        raise BadReview(f'invalid response.patchType: unknown patch type "{kind}"')
    try:
        patch = orjson.loads(base64.b64decode(encoded, validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadReview(f"response.patch is no JSON patch: {error}") from None
    return patch if isinstance(patch, list) else [patch]
