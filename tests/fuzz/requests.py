"""Requests: valid ones for every resource and verb that the API serves, each then changed a little or a lot."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import yaml as plain_yaml

from kctl.apimachinery.resources import ResourceTable, ResourceType
from tests.fuzz import protobuf_writer
from tests.fuzz.exchange import request_bytes
from tests.fuzz.mutations import Mutator
from tests.fuzz.objects import Object, ObjectMaker
from tests.fuzz.server import TOKEN

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_KINDS = (JSON, YAML, PROTOBUF, *PATCHES, "application/cbor", "text/plain", ";", "json; charset=x")
_ACCEPTS = (
    "",
    JSON,
    YAML,
    PROTOBUF,
    "*/*",
    "application/cbor",
    "text/html",
    *(
        f"{kind};as={form};v=v1;g=meta.k8s.io"
        for kind in (JSON, YAML)
        for form in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
    ),
    "application/json;as=Table;v=v9;g=meta.k8s.io,application/json;q=x",
)
_PATHS = (
    "/",
    "/api",
    "/apis",
    "/apis/apps",
    "/api/v1",
    "/apis/apps/v1",
    "/version",
    "/healthz",
    "/readyz?verbose",
    "/livez/ping",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/api/v1",
    "/nothing",
)
_NAMES = ("there", "there", "there", "fresh", "other")
_PARAMETERS = """
limit continue resourceVersion resourceVersionMatch timeoutSeconds timeout labelSelector fieldSelector watch dryRun
fieldManager force fieldValidation pretty includeObject sendInitialEvents allowWatchBookmarks gracePeriodSeconds
propagationPolicy orphanDependents container follow tailLines sinceSeconds sinceTime limitBytes previous timestamps
verbose path
"""
_PLAUSIBLE = {
    "fieldSelector": (
        "metadata.name=there",
        "metadata.namespace!=default,metadata.name=there",
        "spec.nodeName=",
        "status.phase=Running",
        "a=b",
    ),
    "labelSelector": ("a", "!a", "a in (b,c),d notin (e)", "a==b,c!=d", "app.kubernetes.io/name=web", "a>1", "a in ()"),
    "limit": ("1", "2", "0", "-1", "9223372036854775807"),
    "continue": ("eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0", "eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ", "e30", "bnVsbA", "%"),
    "resourceVersion": ("0", "1", "40", "1000000", "18446744073709551615", "-1", "x"),
    "resourceVersionMatch": ("Exact", "NotOlderThan", "Other"),
    "timeoutSeconds": ("1", "0", "-1"),
    "dryRun": ("All", "", "None"),
    "fieldManager": ("fuzz", "a" * 128, "a" * 129, "\u0007"),
    "force": ("true", "false", "1"),
    "fieldValidation": ("Strict", "Warn", "Ignore", "Other"),
    "propagationPolicy": ("Foreground", "Background", "Orphan", "Other"),
    "gracePeriodSeconds": ("0", "30", "-1"),
    "orphanDependents": ("true", "false"),
    "pretty": ("true", "false", "1"),
    "watch": ("true", "1", "false"),
    "sendInitialEvents": ("true", "false"),
    "allowWatchBookmarks": ("true", "false"),
}
"""What clients send, right and wrong."""
_CUSTOM = "/apis/fuzz.example.com/v1/namespaces/default/widgets"
_CUSTOM_PATHS = (_CUSTOM, f"{_CUSTOM}/there", f"{_CUSTOM}/there/status", f"{_CUSTOM}/there/scale")
_HEADERS = """
Accept Content-Type Content-Encoding Authorization Impersonate-User Impersonate-Group Impersonate-Uid
Impersonate-Extra-a%20b If-None-Match User-Agent Accept-Encoding Expect X-Forwarded-For Connection Transfer-Encoding
Upgrade Cookie Warning Range
"""
_SUBRESOURCE_VERBS = {"get": "GET", "update": "PUT", "patch": "PATCH", "create": "POST", "delete": "DELETE"}


@dataclass(slots=True)
class Case:
    """One request. `value` is the body before it is encoded."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str = ""
    value: Any = None
    body: bytes | None = None
    target: str = ""

    def encode(self) -> None:
        """`value` as `content_type` has it, and path and query as a target."""
        if self.value is not None and self.body is None:
            self.body = _encoded(self.value, self.content_type)
        query = "&".join(f"{quote(name)}={quote(value, errors='replace')}" for name, value in self.query)
        self.target = self.path + (f"?{query}" if query else "")

    def raw(self) -> bytes:
        headers = [("Authorization", f"Bearer {TOKEN}"), *self.headers]
        if self.content_type:
            headers.append(("Content-Type", self.content_type))
        safe = [(name, _without_ends(value).encode("utf-8", "replace")) for name, value in headers]
        return request_bytes(self.method, quote(self.target, safe="/?&=%;+,.:@*!$'()~-_[]#"), [*safe], self.body)


def _without_ends(text: str) -> str:
    return text.replace("\r", "").replace("\n", "").replace("\x00", "")


def _encoded(value: Any, content_type: str) -> bytes:
    if content_type == PROTOBUF:
        encoded = protobuf_writer.encode(value) if isinstance(value, dict) else None
        return encoded if encoded is not None else protobuf_writer.protobuf.MAGIC
    if content_type in (YAML, "application/apply-patch+yaml"):
        try:
            return plain_yaml.dump(value, allow_unicode=True, Dumper=plain_yaml.CSafeDumper).encode("utf-8", "replace")
        except (UnicodeEncodeError, RecursionError):  # JSON is YAML, too
            return protobuf_writer.json_bytes(value)
    return protobuf_writer.json_bytes(value)


class RequestMaker:
    """Endless cases. The same seed makes the same cases."""

    def __init__(self, seed: int, namespace: str = "default", recorded: tuple[Case, ...] = ()) -> None:
        self.random = random.Random(seed)
        self._objects = ObjectMaker(self.random)
        self._mutator = Mutator(self.random)
        self._namespace = namespace
        self._recorded = recorded
        self.resources: list[ResourceType] = list(ResourceTable())

    def seeds(self) -> list[Case]:
        """Objects named `there`, for the others to read, change and delete: the examples, renamed."""
        made = []
        for resource in self.resources:
            obj = self._objects.example(resource) or self._objects.make(resource.api_version, resource.kind)
            if "create" in resource.verbs and resource.kind != "Namespace":
                made.append(self._write(resource, "POST", _named(obj, "there")))
        return made

    def next(self) -> Case:
        case = self._valid()
        if case.value is not None and self.random.random() < 0.6:
            for _ in range(self.random.choice((1, 1, 2, 4))):
                case.value = self._mutator.structure(case.value)
        if self.random.random() < 0.15:
            self._change_parameters(case)
        if self.random.random() < 0.1:
            self._change_headers(case)
        case.encode()
        if case.body is not None and self.random.random() < 0.15:
            case.body = self._mutator.bytes(case.body)
        if self.random.random() < 0.05:
            case.target = self._mutator.target(case.target)
        if self.random.random() < 0.03:
            case.method = self.random.choice(("HEAD", "OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"))
        return case

    def _valid(self) -> Case:
        choice = self.random.random()
        if choice < 0.03:
            return Case("GET", self.random.choice(_PATHS))
        if choice < 0.04:
            return self._custom_resource()
        if choice < 0.25 and self._recorded:
            return _copy(self.random.choice(self._recorded))
        resource = self.random.choice(self.resources)
        verb = self.random.choice(resource.verbs)
        if resource.subresources and self.random.random() < 0.3:
            return self._subresource(resource)
        return self._for_verb(resource, verb)

    def _for_verb(self, resource: ResourceType, verb: str) -> Case:
        space = self._namespace if resource.namespaced else ""
        name = self.random.choice(_NAMES)
        match verb:
            case "create":
                return self._write(resource, "POST", self._object(resource, self.random.choice((name, f"n{self.random.randrange(10**6)}"))))
            case "update":
                return self._write(resource, "PUT", self._object(resource, name), name)
            case "patch":
                return self._patch(resource, name, "")
            case "delete":
                value = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0} if self.random.random() < 0.5 else None
                return Case("DELETE", resource.path(space, self.random.choice(("fresh", "other", name))), content_type=JSON, value=value)
            case "deletecollection":
                query = [("labelSelector", "a=b"), ("dryRun", "All")]
                return Case("DELETE", resource.path(space), query)
            case "watch":
                query = [("watch", "true"), ("timeoutSeconds", "1"), ("allowWatchBookmarks", "true")]
                return Case("GET", resource.path(space), query, self._accept())
            case "get":
                return Case("GET", resource.path(space, name), [], self._accept())
        query = self.random.choice(([], [("limit", "2")], [("labelSelector", "a in (b,c),!d")], [("fieldSelector", "metadata.name=there")]))
        return Case("GET", resource.path(space), list(query), self._accept())

    def _custom_resource(self) -> Case:
        """Of the definition in valid_objects.yaml that has rules."""
        method, path = self.random.choice(("GET", "POST", "PUT", "PATCH", "DELETE")), self.random.choice(_CUSTOM_PATHS)
        if method in ("GET", "DELETE"):
            return Case(method, path, [], self._accept())
        kind = self.random.choice(PATCHES[1:] if method == "PATCH" else (JSON, YAML))
        spec = {"size": self.random.choice((1, 11, "x")), "name": self._objects.word()}
        widget = {"apiVersion": "fuzz.example.com/v1", "kind": "Widget", "metadata": {"name": "there"}, "spec": spec}
        return Case(method, path, [("fieldManager", "fuzz")], self._accept(), kind, widget)

    def _subresource(self, resource: ResourceType) -> Case:
        sub = self.random.choice(resource.subresources)
        space = self._namespace if resource.namespaced else ""
        path = resource.path(space, self.random.choice(_NAMES), sub.name)
        verb = self.random.choice(sub.verbs)
        method = _SUBRESOURCE_VERBS.get(verb, "GET")
        if method == "PATCH":
            return self._patch(resource, "there", sub.name)
        if method in ("PUT", "POST"):
            version = f"{sub.group}/{sub.version}".lstrip("/") if sub.version else resource.api_version
            obj = self._objects.make(version, sub.kind, "there", space)
            return Case(method, path, [], self._accept(), self.random.choice((JSON, JSON, YAML, PROTOBUF)), obj)
        return Case(method, path, [], self._accept())

    def _object(self, resource: ResourceType, name: str) -> Object:
        example = self._objects.example(resource) if self.random.random() < 0.5 else None
        if example is not None:
            return _named(example, name)
        return self._objects.make(resource.api_version, resource.kind, name)

    def _write(self, resource: ResourceType, method: str, obj: Object, name: str = "") -> Case:
        space = self._namespace if resource.namespaced else ""
        query = [("fieldValidation", self.random.choice(("Strict", "Warn", "Ignore")))] if self.random.random() < 0.3 else []
        kind = self.random.choice((JSON, JSON, YAML, PROTOBUF))
        return Case(method, resource.path(space, name), query, self._accept(), kind, obj)

    def _patch(self, resource: ResourceType, name: str, subresource: str) -> Case:
        kind = self.random.choice(PATCHES)
        space = self._namespace if resource.namespaced else ""
        obj: Any = self._object(resource, name)
        query = [("fieldManager", "fuzz"), ("force", "true")] if kind == PATCHES[3] else []
        if kind == PATCHES[0]:
            paths = ("/metadata/labels/a", "/spec", "/metadata", "/data/x", "/spec/template/spec/containers/0", "", "/status", "/spec/-")
            operations = ("add", "remove", "replace", "test", "copy", "move")
            obj = [
                {"op": self.random.choice(operations), "path": self.random.choice(paths), "from": self.random.choice(paths), "value": part}
                for part in (self.random.choice((*obj.values(), "x", 1, {}, [])) for _ in range(self.random.choice((1, 2, 5))))
            ]
        elif self.random.random() < 0.5:
            obj = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
        return Case("PATCH", resource.path(space, name, subresource), query, self._accept(), kind, obj)

    def _accept(self) -> list[tuple[str, str]]:
        return [("Accept", self.random.choice(_ACCEPTS))] if self.random.random() < 0.5 else []

    def _change_parameters(self, case: Case) -> None:
        names = _PARAMETERS.split()
        for _ in range(self.random.choice((1, 2, 3))):
            name = self.random.choice(names)
            if name in _PLAUSIBLE and self.random.random() < 0.7:
                case.query.append((name, self.random.choice(_PLAUSIBLE[name])))
                continue
            value = self.random.choice((self._mutator.text(), self._objects.word(), "1", "true", "All", "-1", "a=b,c!=d", "!a,b in (c"))
            case.query.append((name, value))
        if ("watch", "true") in case.query or any(name == "watch" for name, _ in case.query):
            case.query.append(("timeoutSeconds", "1"))

    def _change_headers(self, case: Case) -> None:
        names = _HEADERS.split()
        for _ in range(self.random.choice((1, 2))):
            name = self.random.choice(names)
            if name == "Content-Type":
                case.content_type = self.random.choice(
                    (JSON, YAML, PROTOBUF, *PATCHES, "application/cbor", "text/plain", ";", "json; charset=x")
                )
            elif name not in ("Transfer-Encoding", "Connection", "Expect", "Upgrade"):
                case.headers.append((name, self.random.choice((self._mutator.text(), "gzip", "a, b;q=2", "system:serviceaccount:a", "*"))))


def _named(obj: Object, name: str) -> Object:
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "namespace"}
    return {**obj, "metadata": {**meta, "name": name}}


def _copy(case: Case) -> Case:
    return Case(case.method, case.path, list(case.query), list(case.headers), case.content_type, case.value, case.body)
