"""Field selectors: `spec.nodeName=n1,status.phase!=Running`. Wording follows k8s.io/apimachinery/pkg/fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest

_OPERATOR = re.compile("!=|==|=")
_MARK = re.compile(r"\\.|,", re.DOTALL)
"""A letter after a backslash, or a comma."""
_SYNTAX = re.compile(r"[\\,=]")
_ESCAPED = re.compile(r"\\([\\,=])")
Getter = Callable[[Object], str]


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """operator: = or !="""

    path: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold; none match everything."""

    requirements: tuple[FieldRequirement, ...] = ()

    def exact(self, path: str) -> str | None:
        """The value `path` must have, None where the selector does not say."""
        return next((r.value for r in self.requirements if r.path == path and r.operator == "="), None)

    def predicate(self, getters: Mapping[str, Getter]) -> Callable[[Object], bool]:
        """All paths must be in `getters` (see `check`). Each path is read once, however often the selector names it."""
        wanted: dict[str, set[str]] = {}
        refused: dict[str, set[str]] = {}
        for requirement in self.requirements:
            (wanted if requirement.operator == "=" else refused).setdefault(requirement.path, set()).add(requirement.value)
        if any(len(values) > 1 for values in wanted.values()):
            return lambda obj: False
        exact = [(getters[path], values.pop()) for path, values in wanted.items()]
        others = [(getters[path], frozenset(values)) for path, values in refused.items()]
        return lambda obj: all(get(obj) == value for get, value in exact) and all(get(obj) not in values for get, values in others)


EVERYTHING = FieldSelector()


def parse(text: str) -> FieldSelector:
    """Raises BadRequest. Backslash escapes comma, equals sign and backslash in values."""
    found = []
    for term in _split(text):
        if not term:
            continue
        path, operator, value = _term(term)
        if operator == "" or (path == "" and value == "" and term not in ("=", "==")):
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        if path == "":
            continue
        found.append(FieldRequirement(path, "!=" if operator == "!=" else "=", _unescape(value)))
    return FieldSelector(tuple(found))


def _split(text: str) -> list[str]:
    """The terms: between commas that no backslash escapes."""
    if "\\" not in text:
        return text.split(",")
    commas = [mark.start() for mark in _MARK.finditer(text) if mark.group() == ","]
    return [text[start:end] for start, end in zip([0, *(comma + 1 for comma in commas)], [*commas, len(text)], strict=True)]


def _term(term: str) -> tuple[str, str, str]:
    found = _OPERATOR.search(term)
    return (term[: found.start()], found.group(), term[found.end() :]) if found else (term, "", "")


def _unescape(value: str) -> str:
    wrong = _SYNTAX.search(_ESCAPED.sub("", value))
    if wrong is not None:
        what = "invalid escape sequence" if wrong.group() == "\\" else "unescaped character in value"
        raise BadRequest(f"invalid field selector: {what}: {value}")
    return _ESCAPED.sub(r"\1", value)


METADATA: Mapping[str, Getter] = {
    "metadata.name": lambda obj: str(obj["metadata"].get("name") or ""),
    "metadata.namespace": lambda obj: str(obj["metadata"].get("namespace") or ""),
}


def getters_for(selectable: Mapping[str, Getter], namespaced: bool) -> dict[str, Getter]:
    known = dict(METADATA)
    if not namespaced and selectable:
        del known["metadata.namespace"]
    return {**known, **selectable}


def check(
    selector: FieldSelector,
    selectable: Mapping[str, Getter],
    getters: Mapping[str, Getter],
    unknown: str = "field label not supported",
) -> None:
    """Raises BadRequest for a field the kind cannot be selected by."""
    for requirement in selector.requirements:
        if requirement.path in getters:
            continue
        if selectable:
            if "{}" in unknown:
                raise BadRequest(unknown.format(requirement.path))
            raise BadRequest(f"{unknown}: {requirement.path}")
        raise BadRequest(f'"{requirement.path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
