"""Field selectors: `spec.nodeName=n1,status.phase!=Running`. Wording follows k8s.io/apimachinery/pkg/fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest

_OPERATOR = re.compile("!=|==|=")
_MARK = re.compile(r"\\.|,", re.DOTALL)
"""A letter after a backslash, or a comma."""
_SYNTAX = re.compile(r"[\\,=]")
_ESCAPED = re.compile(r"\\([\\,=])")
Getter = Callable[[Object], str]


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All that is said of all `paths` must hold; of none, everything matches. Kept by path, so that what it costs to use hangs on the
    fields it names, not on its length."""

    paths: tuple[str, ...] = ()
    """Each once, in the order in which they are named."""
    wanted: Mapping[str, str] = field(default_factory=dict)
    """The value a path must have (the first, where it must have several)."""
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The values a path must not have."""
    nothing: bool = False
    """Whether a path must have two values at once, which no object does."""

    def exact(self, path: str) -> str | None:
        """The value `path` must have, None where the selector does not say."""
        return self.wanted.get(path)

    def predicate(self, getters: Mapping[str, Getter]) -> Callable[[Object], bool]:
        """All paths must be in `getters` (see `check`). Each path is read once, however often the selector names it."""
        if self.nothing:
            return lambda obj: False
        exact = [(getters[path], value) for path, value in self.wanted.items()]
        others = [(getters[path], values) for path, values in self.refused.items()]
        return lambda obj: all(get(obj) == value for get, value in exact) and all(get(obj) not in values for get, values in others)


EVERYTHING = FieldSelector()


def parse(text: str) -> FieldSelector:
    """Raises BadRequest. Backslash escapes comma, equals sign and backslash in values."""
    paths: dict[str, None] = {}
    wanted: dict[str, str] = {}
    refused: dict[str, set[str]] = {}
    nothing = False
    for term in _split(text):
        if not term:
            continue
        path, operator, value = _term(term)
        if operator == "" or (path == "" and value == "" and term not in ("=", "==")):
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{term}'")
        if path == "":
            continue
        paths[path], value = None, _unescape(value)
        if operator == "!=":
            refused.setdefault(path, set()).add(value)
        elif wanted.setdefault(path, value) != value:
            nothing = True
    return FieldSelector(tuple(paths), wanted, {path: frozenset(values) for path, values in refused.items()}, nothing)


def _split(text: str) -> list[str]:
    """The terms: between commas that no backslash escapes."""
    if "\\" not in text:
        return text.split(",")
    commas = [mark.start() for mark in _MARK.finditer(text) if mark.group() == ","]
    return [text[start:end] for start, end in zip([0, *(comma + 1 for comma in commas)], [*commas, len(text)], strict=True)]


def _term(term: str) -> tuple[str, str, str]:
    operator = _OPERATOR.search(term)
    return (term[: operator.start()], operator.group(), term[operator.end() :]) if operator else (term, "", "")


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
    for path in selector.paths:
        if path in getters:
            continue
        if selectable:
            if "{}" in unknown:
                raise BadRequest(unknown.format(path))
            raise BadRequest(f"{unknown}: {path}")
        raise BadRequest(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
