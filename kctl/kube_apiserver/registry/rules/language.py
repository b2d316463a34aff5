"""Rules on types: `struct` and `field` say what an object must be, in upstream's order; they are compiled to closures when declared.

A rule is a function: of a value, it returns what is wrong with it in words (`names.dns1123_label`); of a value and its path, or of
value, path and the whole object, it returns findings. Whatever is not a field's own affair is such a function, placed among the fields
where upstream checks it. All findings go into one list; paths are put together on the way down.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.schema.patch_meta import identity
from kctl.kube_apiserver.registry import field_checks

Errors = list[FieldError]
Check = Callable[[Any, str, Errors, Any], None]
"""(value, its path, where findings go, the whole object)"""
Rule = Any
"""A `Checked`, or a function as the module describes; in a struct also a `Field`."""
Fill = Callable[[Any], None]
"""Defaulting of one structure, in place."""
Changes = Callable[[Any, Any, str, Errors], None]
"""(new, old, path, where findings go)"""
UNSET: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Checked:
    """A compiled rule. `zero` is what a missing value counts as."""

    check: Check
    zero: Any = ""
    fill: Fill | None = None
    changes: Changes | None = None

    def errors_at(self, value: Any, path: str, root: Any = None) -> Errors:
        """Of a value somewhere inside an object."""
        errors: Errors = []
        self.check(value, path, errors, root)
        return errors


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    rules: tuple[Rule, ...]
    missing: str
    required: bool | str
    enum: Sequence[str]
    default: Any
    immutable: bool | str
    shown: str
    zero: Any


def field(
    name: str,
    *rules: Rule,
    required: bool | str = False,
    enum: Sequence[str] = (),
    default: Any = UNSET,
    immutable: bool | str = False,
    shown: str = "",
    zero: Any = UNSET,
    missing: str = "checked",
) -> Field:
    """A field whose zero value is checked like any other: "" has to be among `enum`.

    required   missing or empty is `Required value`, with these words if any; the rules then have nothing to say
    enum       one of these, listed in this order
    default    what a missing value becomes; a function gets the structure around, and may answer UNSET
    immutable  an update with another value is refused, with `Forbidden` and these words if any
    shown      the name in paths where upstream has another
    """
    return Field(name, rules, missing, required, enum, default, immutable, shown or name, zero)


def optional(name: str, *rules: Rule, **options: Any) -> Field:
    """A field that is left alone where it is empty."""
    return field(name, *rules, missing="empty", **options)


def pointer(name: str, *rules: Rule, **options: Any) -> Field:
    """A field that Go holds by pointer: left alone (or `required`) where it is absent, while an empty value is checked."""
    return field(name, *rules, missing="absent", **options)


class Struct:
    """The rules of a type. At the root paths begin with a field's name, else with a dot."""

    def __init__(self, parts: tuple[Rule, ...]) -> None:
        self.parts = parts
        self.checked = Checked(_all_of(parts, "."), {}, _fills(parts), _changes(parts, "."))
        self._root = _all_of(parts, "")
        self._root_changes = _changes(parts, "")

    def errors(self, obj: Any) -> Errors:
        errors: Errors = []
        self._root(obj, "", errors, obj)
        return errors

    def errors_at(self, value: Any, path: str, root: Any = None) -> Errors:
        return self.checked.errors_at(value, path, root)

    def default(self, obj: Any) -> None:
        if self.checked.fill is not None:
            self.checked.fill(obj)

    def changes(self, obj: Any, old: Any) -> Errors:
        """What an update changes though it may not."""
        errors: Errors = []
        if self._root_changes is not None:
            self._root_changes(obj, old, "", errors)
        return errors


def struct(*parts: Rule) -> Struct:
    return Struct(parts)


def each(*rules: Rule, unique: bool | str = False, first: bool = False, empty: bool = False) -> Checked:
    """Of every item of a list; `unique`: of the items, or of this field of theirs where it is set; with `first`, repetitions are found
    before what the rules find. `empty`: repetitions of an empty field count too."""
    check, inner = _all(rules), checked_of(rules[0]) if rules else None
    key = unique if isinstance(unique, str) else ""

    def check_items(value: Any, path: str, errors: Errors, root: Any) -> None:
        seen: set[Any] = set()
        for index, item in enumerate(value or ()):
            here = f"{path}[{index}]"
            if not first:
                check(item, here, errors, root)
            if unique:
                mark = (item.get(key) or "") if key else item
                same = identity(mark)
                if same in seen and (mark or empty or not key):
                    errors.append(field_errors.duplicate(f"{here}.{key}" if key else here, mark))
                seen.add(same)
            if first:
                check(item, here, errors, root)

    fill = inner.fill if inner else None
    return Checked(check_items, (), _fill_each(fill) if fill else None)


def _fill_each(fill: Fill) -> Fill:
    def fill_items(items: Any) -> None:
        for item in items or ():
            fill(item)

    return fill_items


def when(condition: Callable[..., Any], *parts: Rule) -> Checked:
    """The parts hold where the condition of the structure (or of structure and whole object) does; their defaults always do."""
    check = _all_of(parts, ".")
    whole = _parameters(condition) == 2

    def check_if(value: Any, path: str, errors: Errors, root: Any) -> None:
        if condition(value, root) if whole else condition(value):
            check(value, path, errors, root)

    return Checked(check_if, {}, _fills(parts))


def checked_of(rule: Rule) -> Checked:
    """Any rule in its compiled form."""
    if isinstance(rule, Checked):
        return rule
    return rule.checked if isinstance(rule, Struct) else Checked(_function(rule), getattr(rule, "zero", ""))


def _parameters(function: Callable[..., Any]) -> int:
    """How many arguments it wants, defaults not counted."""
    plain = inspect.unwrap(function)
    return int(plain.__code__.co_argcount) - len(plain.__defaults__ or ())


def _function(rule: Callable[..., Any]) -> Check:
    match _parameters(rule):
        case 1:
            return lambda value, path, errors, root: errors.extend(field_errors.invalid(path, value, why) for why in rule(value))
        case 2:
            return lambda value, path, errors, root: errors.extend(rule(value, path))
    return lambda value, path, errors, root: errors.extend(rule(value, path, root))


def _all(rules: Iterable[Rule]) -> Check:
    """Rules of one value, in order."""
    checks = [checked_of(rule).check for rule in rules]
    if len(checks) == 1:
        return checks[0]

    def check(value: Any, path: str, errors: Errors, root: Any) -> None:
        for check in checks:
            check(value, path, errors, root)

    return check


def _all_of(parts: Iterable[Rule], dot: str) -> Check:
    """Parts of one structure, in order; an absent structure counts as an empty one."""
    checks = [_field(part, dot) if isinstance(part, Field) else checked_of(part).check for part in parts]

    def check(value: Any, path: str, errors: Errors, root: Any) -> None:
        value = value or {}
        for check in checks:
            check(value, path, errors, root)

    return check


def _field(part: Field, dot: str) -> Check:
    name, tail, enum, missing = part.name, dot + part.shown, part.enum, part.missing
    inner = [checked_of(rule) for rule in part.rules]
    check = _all(part.rules) if inner else None
    zero = part.zero if part.zero is not UNSET else inner[0].zero if inner else ""
    words = part.required if isinstance(part.required, str) else ""
    required, absent_only = part.required is not False, missing == "absent"

    def check_field(parent: Any, path: str, errors: Errors, root: Any) -> None:
        value = parent.get(name)
        if value is None or (not value and not absent_only):
            if required:
                errors.append(field_errors.required(path + tail, words))
                return
            if missing != "checked":
                return
            if value is None:
                value = zero
        if enum and value not in enum:
            errors.append(field_errors.unsupported(path + tail, value, enum))
        if check is not None:
            check(value, path + tail, errors, root)

    return check_field


def _fills(parts: Iterable[Rule]) -> Fill | None:
    fills = [fill for part in parts for fill in (_fill(part) if isinstance(part, Field) else [checked_of(part).fill])]
    return _in_turn([fill for fill in fills if fill is not None])


def _in_turn(fills: Sequence[Fill]) -> Fill | None:
    if not fills:
        return None

    def fill_all(value: Any) -> None:
        for fill in fills:
            fill(value)

    return fill_all


def _fill(part: Field) -> list[Fill]:
    """Sets the default, then the defaults inside what is there."""
    name, default = part.name, part.default
    inner = next((checked.fill for checked in map(checked_of, part.rules) if checked.fill is not None), None)
    fills: list[Fill] = []
    if default is not UNSET:
        absent_only = part.missing == "absent"

        def fill(parent: Any) -> None:
            value = parent.get(name)
            if value is None or (not absent_only and not value and value is not False):
                made = default(parent) if callable(default) else _fresh(default)
                if made is not UNSET:
                    parent[name] = made

        fills.append(fill)
    if inner is not None:
        fill_inner = inner
        fills.append(lambda parent: fill_inner(parent[name]) if parent.get(name) is not None else None)
    return fills


def _fresh(value: Any) -> Any:
    return value.copy() if isinstance(value, (dict, list)) else value


def _changes(parts: Iterable[Rule], dot: str) -> Changes | None:
    compiled = [change for part in parts if isinstance(part, Field) for change in _change(part, dot)]
    if not compiled:
        return None

    def changes(new: Any, old: Any, path: str, errors: Errors) -> None:
        new, old = new or {}, old or {}
        for change in compiled:
            change(new, old, path, errors)

    return changes


def _change(part: Field, dot: str) -> list[Changes]:
    name, tail, words = part.name, dot + part.shown, part.immutable
    compiled: list[Changes] = []
    if words is not False:

        def change(new: Any, old: Any, path: str, errors: Errors) -> None:
            value = new.get(name)
            if not field_checks.same(value, old.get(name)):
                forbidden = isinstance(words, str)
                here = path + tail
                errors.append(
                    field_errors.forbidden(here, str(words)) if forbidden else field_errors.invalid(here, value, field_checks.IMMUTABLE)
                )

        compiled.append(change)
    for inner in (checked_of(rule).changes for rule in part.rules):
        if inner is not None:
            compiled.append(_inside(name, tail, inner))
    return compiled


def _inside(name: str, tail: str, inner: Changes) -> Changes:
    return lambda new, old, path, errors: inner(new.get(name), old.get(name), path + tail, errors)
