"""Random objects of a kind, valid and invalid, made from the schema: the same for the same seed, on every machine.

Each field's choices hang on the seed and the field's path alone, so a field that is added to the API leaves the others as they were.
How wrong an object is varies: some have a mistake or two in many fields, some nothing but mistakes.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from kctl.apimachinery.schema import bundle

MAX_DEPTH = 9
MAX_FIELDS = 250
WORDS: dict[str, Sequence[Any]] = {
    "s": (
        *("", "a", "b", "a-b", "a.b", "A_b", "-x", "x" * 64, "y" * 260, "a/b", "a/b/c", "example.com/foo", "Example.com/Foo", "*", "*/x"),
        *(
            "/",
            "/a/b",
            "/a/../b",
            "//x",
            "a b",
            "é",
            "1.2.3.4",
            "01.2.3.4",
            "::1",
            "::ffff:1.2.3.4",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "fd00::/64",
        ),
        *(
            "https://a.b/c",
            "http://x",
            "50%",
            "101%",
            "1",
            "0",
            "true",
            "*.a.b",
            "a:b",
            "*.",
            "a,b",
            "1-3",
            "@every 5m",
            "*/5 * * * *",
            "UTC",
        ),
    ),
    "i32": (-1, 0, 1, 2, 3, 5, 30, 80, 443, 600, 1000, 65535, 65536, 2**31 - 1),
    "i64": (-1, 0, 1, 2, 3, 5, 30, 80, 443, 600, 1000, 65535, 65536, 2**31, 2**40),
    "n": (-1, 0, 0.5, 1, 100),
    "b": (True, False),
    "y": ("", "YQ==", "YWJj"),
    "q": ("0", "1", "-1", "100m", "1500m", "1Gi", "3", "10"),
    "t": ("2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
    "T": ("2026-01-01T00:00:00.000000Z",),
    "x": (0, 1, -1, 5, 80, 70000, "25%", "101%", "x", "http", "0%", ""),
    "r": ({}, {"a": 1}, {"replicas": 2}),
}
LABELS = ("a", "b", "app", "example.com/x", "-bad-", "kubernetes.io/os", "x" * 64)
HINTS: dict[str, Sequence[Any]] = {
    "operator": ("In", "NotIn", "Exists", "DoesNotExist", "Equal", "Gt", "Lt"),
    "effect": ("NoSchedule", "NoExecute", "PreferNoSchedule", "None"),
    "protocol": ("TCP", "UDP", "SCTP"),
    "pathType": ("Exact", "Prefix", "ImplementationSpecific"),
    "verbs": ("*", "get", "list", "create"),
    "scope": ("*", "Cluster", "Namespaced", "Namespace"),
    "restartPolicy": ("Always", "OnFailure", "Never"),
    "operations": ("*", "CREATE", "UPDATE"),
    "metadata": (),
    "policyTypes": ("Ingress", "Egress"),
    "subresources": ({},),
}


class Generator:
    """`hints` are values of string fields by `Type.field` or `field`; `literals` the words that validation of the group knows."""

    def __init__(self, hints: dict[str, Sequence[Any]], literals: Sequence[str]) -> None:
        self.hints = {**HINTS, **hints}
        self.literals = list(literals)
        self._budget = 0

    def object(self, type_name: str, seed: str) -> dict[str, Any]:
        wrong = _random(seed).choice((0.0, 0.03, 0.1, 0.3, 0.7))
        self._budget = MAX_FIELDS
        made = self._struct(type_name, seed, wrong, 0)
        made.pop("metadata", None)
        return {key: value for key, value in made.items() if key not in ("apiVersion", "kind")}

    def mutated(self, obj: Any, type_name: str, seed: str) -> dict[str, Any]:
        """A few fields of the object's fields exchanged for those of another random object."""
        other = self.object(type_name, f"{seed}/other")
        mixed = self._mix(obj, other, _random(f"{seed}/mix"), 0)
        assert isinstance(mixed, dict)
        return mixed

    def _mix(self, one: Any, other: Any, choice: random.Random, depth: int) -> Any:
        if not isinstance(one, dict) or not isinstance(other, dict) or depth > 3:
            return other if choice.random() < 0.15 else one
        mixed = {}
        for key in sorted({*one, *other}):
            if choice.random() < 0.85 and key in one:
                mixed[key] = self._mix(one[key], other.get(key, one[key]), choice, depth + 1)
            elif key in other and choice.random() < 0.5:
                mixed[key] = other[key]
        return mixed

    def _struct(self, type_name: str, path: str, wrong: float, depth: int) -> dict[str, Any]:
        rows = _rows(type_name)
        # of the members of a large union few are wanted at a time
        share = 0.95 if len(rows) < 4 else 0.75 if len(rows) < 12 else 8 / len(rows)
        made = {}
        for name, code, flags, *_ in rows:
            choice = _random(f"{path}.{name}")
            always = "a" in flags or name in ("spec", "rules", "name", "key", "type", "operator")
            if self._budget > 0 and choice.random() < (1 - wrong / 2 if always else share * (0.4 if depth > 4 else 1)):
                self._budget -= 1
                made[name] = self._value(code, f"{type_name.rpartition('.')[2]}.{name}", f"{path}.{name}", wrong, depth + 1)
        return made

    def _value(self, code: str, field: str, path: str, wrong: float, depth: int) -> Any:
        choice = _random(path + "=")
        if code.startswith("@"):
            return self._struct(code[1:], path, wrong, depth) if depth < MAX_DEPTH else {}
        if code.startswith("["):
            count = choice.choice((0, 1, 1, 1, 2, 2, 3) if depth < 5 else (0, 1, 1))
            if depth < 4 and code[1:2] != "@" and choice.random() < wrong / 20:
                count = 34
            return [self._value(code[1:], field, f"{path}[{index}]", wrong, depth) for index in range(count)]
        if code.startswith("{"):
            keys = sorted({str(choice.choice(self.hints.get(field + "{", LABELS))) for _ in range(choice.randrange(3))})
            return {key: self._value(code[1:], field + "}", f"{path}.{key}", wrong, depth) for key in keys}
        return self._scalar(code, field, choice, wrong)

    def _scalar(self, code: str, field: str, choice: random.Random, wrong: float) -> Any:
        if code == "s" and choice.random() < wrong * 0.3:
            return ""
        name = field.rpartition(".")[2]
        hint = self.hints.get(field, self.hints.get(name))
        if hint and choice.random() > wrong:
            return choice.choice(list(hint))
        if code == "s":
            if self.literals and choice.random() < 0.4:
                return choice.choice(self.literals)
            if choice.random() > wrong:
                return choice.choice(("a", "b", "a-b", "web", "example.com"))
        return choice.choice(list(WORDS.get(code, WORDS["r"])))


@cache
def _rows(type_name: str) -> list[Any]:
    return list(bundle.types().entry(type_name))


def _random(seed: str) -> random.Random:
    return random.Random(zlib.crc32(seed.encode()))
