"""Objects to begin with: valid ones (manifests/examples, valid_objects.yaml), and made-up ones of every kind by the schema's own types."""

from __future__ import annotations

import random
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from kctl.apimachinery import yaml
from kctl.apimachinery.resources import ResourceType
from kctl.apimachinery.schema import bundle, enums, schemas

Object = dict[str, Any]
_TEXT = """
a b c web nginx:1 default kube-system example.com app.kubernetes.io/name node-1 Always IfNotPresent Never ClusterIP
NodePort LoadBalancer ExternalName TCP UDP SCTP RollingUpdate Recreate OnDelete OrderedReady Parallel Retain Delete
Filesystem Block ReadWriteOnce ReadOnlyMany Exists In NotIn DoesNotExist NoSchedule NoExecute Equal True False Unknown
Pending Running Succeeded Failed Ready Available Progressing apps/v1 v1 Deployment Pod ReplicaSet Node ServiceAccount
User Group rbac.authorization.k8s.io Role ClusterRole get list * /healthz Opaque kubernetes.io/tls
kubernetes.io/service-account-token kubernetes.io/no-provisioner WaitForFirstConsumer Immediate Allow Forbid Replace
NonIndexed Indexed cpu memory pods requests.cpu limits.memory 10.0.0.1 fd00::1 10.0.0.0/24 IPv4 IPv6 SingleStack Cluster
Local * */5 @daily 30s 5m https://example.com/hook Webhook None Fail Ignore object string integer array Namespaced
spec.x {.a[0]} foregroundDeletion
"""
_WORDS = (*_TEXT.split(), "*/5 * * * *", "", "a b")
_QUANTITIES = ("1", "100m", "1Gi", "0", "-1", "1.5", "1e3", "512Mi", "1e99999999", "0.1n")
_TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z", "1969-12-31T23:59:59+01:00", "0001-01-01T00:00:00Z")
_EXPRESSIONS = (
    "true",
    "self.size <= 10 && oldSelf.size > 1",
    "object.spec.replicas <= params.most",
    "object.l.all(c, c.x.startsWith('a')) ? [1, 2u] : {'a': -1.5}",
    "Object{spec: Object.spec{replicas: 1}}",
    "Object{",
    "size(" * 90,
    "(" * 300 + "1" + ")" * 300,
    "!" * 2000 + "true",
    "a || " * 500 + "b",
    "'",
    "1 +",
)
_EXPRESSION_FIELDS = ("expression", "rule", "messageExpression", "valueExpression", "reasonExpression")
_MAX_LEVELS = 7


@cache
def _fields(name: str) -> tuple[tuple[str, str], ...]:
    return tuple((row[0], row[1]) for row in bundle.types().entry(name))


@cache
def examples() -> tuple[Object, ...]:
    """What manifests/examples and valid_objects.yaml hold."""
    files = sorted((resources.files("manifests.examples").iterdir()), key=lambda file: file.name)
    texts = [file.read_text() for file in files if file.name.endswith(".yaml")]
    texts.append((Path(__file__).parent / "valid_objects.yaml").read_text())
    return tuple(obj for text in texts for obj in yaml.load_all(text) if isinstance(obj, dict))


class ObjectMaker:
    """Made-up objects: the right fields with values of the right types, rarely valid as a whole."""

    def __init__(self, randomness: random.Random) -> None:
        self._random = randomness

    def make(self, api_version: str, kind: str, name: str = "", namespace: str = "") -> Object:
        """An object of a kind; of nothing but its type where the schema does not know it."""
        schema = schemas.load().for_kind(api_version, kind)
        made: Object = {"apiVersion": api_version, "kind": kind}
        if schema is not None:
            made |= {key: value for key, value in self._struct(schema.type_name, 0).items() if key not in ("apiVersion", "kind")}
        if name:
            meta = made.get("metadata") if self._random.random() < 0.2 else None
            made["metadata"] = {**(meta if isinstance(meta, dict) else {}), "name": name}
            if namespace:
                made["metadata"]["namespace"] = namespace
        return made

    def example(self, resource: ResourceType) -> Object | None:
        """One of the valid ones of this kind."""
        found = [obj for obj in examples() if (obj.get("apiVersion"), obj.get("kind")) == (resource.api_version, resource.kind)]
        return self._random.choice(found) if found else None

    def value(self, code: str, level: int) -> Any:
        """A value of a type code of the schema."""
        if code.startswith("@"):
            return self._struct(code[1:], level)
        if code.startswith("["):
            return [self.value(code[1:], level + 1) for _ in range(self._random.choice((0, 1, 1, 2)))]
        if code.startswith("{"):
            return {self.word(): self.value(code[1:], level + 1) for _ in range(self._random.choice((0, 1, 1, 2)))}
        match code:
            case "i32" | "i64":
                return self._random.choice((0, 1, 2, 80, 8080, -1, 65536, 2**31 - 1))
            case "b":
                return self._random.random() < 0.5
            case "n":
                return self._random.choice((0, 1.5, -1, 1e300))
            case "y":
                return self._random.choice(("", "aGVsbG8=", "AAAA"))
            case "q":
                return self._random.choice(_QUANTITIES)
            case "t" | "T":
                return self._random.choice(_TIMES)
            case "x":
                return self._random.choice((1, "25%", "http", 0, -1, "200%"))
            case "r" | "oa" | "ob" | "os":
                return self._random.choice(({}, {"a": [1]}, "text", True, None))
        return self.word()

    def word(self) -> str:
        return self._random.choice(_WORDS)

    def _struct(self, name: str, level: int) -> Object:
        fields = _fields(name)
        if not fields or level >= _MAX_LEVELS:
            return {}
        wanted = min(len(fields), self._random.choice((1, 2, 3, 4, 8)) if level else 8)
        short = name.rpartition(".")[2]
        return {field: self._field(short, field, code, level + 1) for field, code in self._random.sample(fields, wanted)}

    def _field(self, owner: str, field: str, code: str, level: int) -> Any:
        if field in _EXPRESSION_FIELDS and code == "s":
            return self._random.choice(_EXPRESSIONS)
        allowed = enums.values(owner, field)
        return self._random.choice(allowed) if allowed and code == "s" else self.value(code, level)
