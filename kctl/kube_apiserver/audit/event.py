"""One audit.k8s.io/v1 Event: a request at one stage of its way, as closely as its level says."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from kctl.apimachinery import yaml
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import User
from kctl.kube_apiserver.audit.policy import Rule
from kctl.kube_apiserver.authorization.attributes import Attributes
from kctl.kube_apiserver.request import Request, ResourceRequest
from kctl.kube_apiserver.response import ListAnswer, ObjectAnswer, Response

MOST_ITEMS = 1000
"""Of a list that are logged."""


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class AuditEvent:
    """What is known of one request; `at` gives what is written at a stage."""

    def __init__(self, request: Request, asked: Attributes, rule: Rule, identifier: str, received: datetime) -> None:
        self.rule = rule
        self._asked = asked
        self._known: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": rule.level.name,
            "auditID": identifier,
            "stage": "",
            "requestURI": _uri(request),
            "verb": asked.verb,
            "user": _user_info(request.user),
        }
        self._received = received
        if request.wire is not None and request.wire.source:
            self._known["sourceIPs"] = [request.wire.source]
        if request.program:
            self._known["userAgent"] = request.program
        if asked.is_resource:
            self._known["objectRef"] = _reference(asked)
        if rule.level.at_least("Request"):
            self._add("requestObject", _request_object(request))

    def impersonates(self, user: User) -> None:
        self._known["impersonatedUser"] = _user_info(user)

    def authorized(self, allowed: bool, reason: str) -> None:
        decision = "allow" if allowed else "forbid"
        self._known["annotations"] = {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}

    def answered(self, status: int, answer: Response | None, failure: Object | None) -> None:
        """`failure`: the Status of what was refused."""
        told: Object = {"metadata": {}}
        if failure is not None:
            told |= {part: failure[part] for part in ("status", "message", "reason") if failure.get(part)}
        self._known["responseStatus"] = {**told, "code": status}
        if isinstance(answer, ObjectAnswer):
            self._name(answer.object.get("metadata") or {})
        if self.rule.level.at_least("RequestResponse"):
            self._add("responseObject", failure if failure is not None else _response_object(answer))

    def _name(self, meta: Object) -> None:
        """A created object's name is known from the answer."""
        reference = self._known.get("objectRef")
        if reference is not None and self._asked.verb == "create" and not reference.get("name") and meta.get("name"):
            reference["name"] = meta["name"]

    def _add(self, part: str, obj: Any) -> None:
        if obj is None:
            return
        self._known[part] = _without_managed_fields(obj) if self.rule.omits_managed_fields else obj

    def at(self, stage: str, now: datetime) -> bytes:
        """One line of JSON."""
        times = {"requestReceivedTimestamp": stamp(self._received), "stageTimestamp": stamp(now)}
        return orjson.dumps({**self._known, "stage": stage, **times}, default=str) + b"\n"


def _uri(request: Request) -> str:
    return f"{request.path}?{urlencode(request.query)}" if request.query else request.path


def _user_info(user: User) -> Object:
    info: Object = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


def _reference(asked: Attributes) -> Object:
    texts = {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "subresource": asked.subresource,
    }
    return {key: text for key, text in texts.items() if text}


def _request_object(request: Request) -> Any:
    """None where there is no body, or it is neither JSON nor YAML."""
    if isinstance(request, ResourceRequest) and request.wire is None:
        return request.body
    raw = request.raw_body
    if not raw:
        return None
    try:
        return yaml.load(raw) if "yaml" in request.content_type else orjson.loads(raw)
    except ValueError:
        return None


def _response_object(answer: Response | None) -> Any:
    match answer:
        case ObjectAnswer():
            return answer.object
        case ListAnswer():
            shown = ListAnswer(answer.endpoint, answer.entries[:MOST_ITEMS], answer.revision, answer.continue_token, answer.remaining)
            return shown.object()
    return None


def _without_managed_fields(obj: Any) -> Any:
    if not isinstance(obj, dict):
        return obj
    if isinstance(obj.get("items"), list):
        return {**obj, "items": [_without_managed_fields(item) for item in obj["items"]]}
    meta = obj.get("metadata")
    if isinstance(meta, dict) and "managedFields" in meta:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}
    return obj
