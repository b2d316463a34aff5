"""One audit.k8s.io/v1 Event: a request at one stage of its way, as closely as its level says, in upstream's order of fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from kctl.apimachinery.field_ownership.managed_fields import default
from kctl.apimachinery.objects import Object
from kctl.apimachinery.user import User
from kctl.kube_apiserver.audit.policy import Rule
from kctl.kube_apiserver.authorization.attributes import Attributes

MOST_OF_USER_AGENT = 1024
_TRUNCATED = "...TRUNCATED"
_STATUS = ("status", "message", "reason", "details")
_ESCAPES = ((b"&", rb"\u0026"), (b"<", rb"\u003c"), (b">", rb"\u003e"))
"""Go's JSON is safe to stand in HTML; in JSON these stand in texts only."""


def stamp(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds')[:26]}Z"


class AuditEvent:
    """What is known of one request; `line` gives what is written at a stage. `identifier`: also in the answer's header Audit-Id."""

    def __init__(self, asked: Attributes, rule: Rule, identifier: str, received: datetime, uri: str, source: list[str], agent: str) -> None:
        self.asked = asked
        self.rule = rule
        self.identifier = identifier
        self.is_long = asked.is_long_running
        self._received = stamp(received)
        self._head: Object = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": rule.level.name,
            "auditID": identifier,
            "stage": "",
            "requestURI": uri,
            "verb": asked.verb,
            "user": _user_info(asked.user),
        }
        self._impersonated: Object = {}
        self._from: Object = {}
        if source:
            self._from["sourceIPs"] = source
        if agent:
            self._from["userAgent"] = agent if len(agent) <= MOST_OF_USER_AGENT else agent[:MOST_OF_USER_AGENT] + _TRUNCATED
        self._reference = _reference(asked) if asked.is_resource else None
        self._status: Object | None = None
        self._objects: Object = {}
        self._annotations: dict[str, str] = {}

    def impersonates(self, user: User, constraint: str) -> None:
        self._impersonated = {"impersonatedUser": _user_info(user)}
        if constraint:
            self._impersonated["authenticationMetadata"] = {"impersonationConstraint": constraint}

    def annotate(self, annotations: Mapping[str, str]) -> None:
        """What was said first stays."""
        self._annotations = {**annotations, **self._annotations}

    def sent(self, obj: Any, is_patch: bool = False) -> None:
        """The request's body. Of an object also the name is known then, which a request to create has not in its path."""
        meta = obj.get("metadata") if isinstance(obj, dict) and not is_patch else None
        if isinstance(meta, dict) and self._reference is not None:
            for field, of_object in (("namespace", "namespace"), ("name", "name"), ("uid", "uid"), ("resourceVersion", "resourceVersion")):
                if not self._reference.get(field) and isinstance(meta.get(of_object), str):
                    self._reference[field] = meta[of_object]
        if obj is not None and self.rule.level.at_least("Request"):
            self._objects["requestObject"] = obj if is_patch else self._shown(obj)

    def answered(self, code: int, answer: Any = None) -> None:
        """`answer`: the object that is sent, if it is one."""
        status: Object = {"metadata": {}}
        if isinstance(answer, dict) and answer.get("kind") == "Status":
            status |= {part: answer[part] for part in _STATUS if answer.get(part)}
        self._status = {**status, "code": code}
        if answer is not None and self.rule.level.at_least("RequestResponse"):
            self._objects["responseObject"] = self._shown(answer)

    def _shown(self, obj: Any) -> Any:
        return _without_managed_fields(obj) if self.rule.omits_managed_fields else obj

    def line(self, stage: str, now: datetime) -> bytes:
        """One line of JSON."""
        known: Object = {**self._head, "stage": stage, **self._impersonated, **self._from}
        if self._reference is not None:
            known["objectRef"] = {part: self._reference[part] for part in _PARTS if self._reference.get(part)}
        if self._status is not None:
            known["responseStatus"] = self._status
        known |= self._objects
        known["requestReceivedTimestamp"] = self._received
        known["stageTimestamp"] = self._received if stage == "RequestReceived" else stamp(now)
        if self._annotations:
            known["annotations"] = dict(sorted(self._annotations.items()))
        text = orjson.dumps(known, default=default)
        for letter, escaped in _ESCAPES:
            if letter in text:
                text = text.replace(letter, escaped)
        return text + b"\n"


def _user_info(user: User) -> Object:
    """{} for nobody."""
    info: Object = {"username": user.name} if user.name else {}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(user.extra[key]) for key in sorted(user.extra)}
    return info


_PARTS = ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource")


def _reference(asked: Attributes) -> Object:
    return {
        "resource": asked.resource,
        "namespace": asked.namespace,
        "name": asked.name,
        "apiGroup": asked.group,
        "apiVersion": asked.version,
        "subresource": asked.subresource,
    }


def _without_managed_fields(obj: Any) -> Any:
    """Of an object, of each object of a list, of each object of a Table."""
    if not isinstance(obj, dict):
        return obj
    if isinstance(obj.get("items"), list):
        return {**obj, "items": [_without_managed_fields(item) for item in obj["items"]]}
    if isinstance(obj.get("rows"), list):
        return {**obj, "rows": [_row(row) for row in obj["rows"]]}
    meta = obj.get("metadata")
    if isinstance(meta, dict) and "managedFields" in meta:
        return {**obj, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}
    return obj


def _row(row: Any) -> Any:
    return {**row, "object": _without_managed_fields(row["object"])} if isinstance(row, dict) and "object" in row else row
