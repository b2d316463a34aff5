"""Rules that many types use: bounds, lengths, lists in which "*" stands alone, fields that exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from kctl.apimachinery import field_errors, names
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.rules.language import Checked, Errors

ValueRule = Callable[[Any, str], list[FieldError]]


def number(holds: Callable[[Any], bool], words: str) -> Checked:
    """A number for which something holds; a missing one counts as 0."""

    def check(value: Any, path: str, errors: Errors, root: Any) -> None:
        if not holds(value):
            errors.append(field_errors.invalid(path, value, words))

    return Checked(check, 0)


def at_least(low: int, words: str = "") -> Checked:
    return number(lambda value: value >= low, words or f"must be greater than or equal to {low}")


def at_most(high: int, words: str) -> Checked:
    return number(lambda value: value <= high, words)


def between(low: int, high: int, words: str = "") -> Checked:
    return number(lambda value: low <= value <= high, words or names.in_range(low, high))


non_negative = at_least(0)


def most_bytes(limit: int) -> ValueRule:
    return lambda value, path: [field_errors.too_long(path, limit)] if len(value.encode()) > limit else []


def most_items(limit: int) -> ValueRule:
    return lambda value, path: [field_errors.too_many(path, len(value), limit)] if len(value) > limit else []


def alone(what: str) -> ValueRule:
    """A list that contains "*" contains nothing else."""
    words = f"if '*' is present, must not specify other {what}"
    return lambda value, path: [field_errors.invalid(path, value, words)] if len(value) > 1 and "*" in value else []


def only_if_set(*rules: Callable[[Any], list[str]]) -> Callable[[Any], list[str]]:
    """Rules of a text that may be empty."""
    return lambda value: [problem for rule in rules for problem in rule(value)] if value else []


def driver_name(name: str, path: str) -> list[FieldError]:
    """Of a CSI or DRA driver."""
    errors = [] if name else [field_errors.required(path)]
    if len(name) > 63:
        errors.append(field_errors.too_long(path, 63))
    return errors + [field_errors.invalid(path, name, why) for why in names.dns1123_subdomain(name.lower())]


def given(parent: dict[str, Any], fields: Iterable[str]) -> list[str]:
    """Which of the fields are set."""
    return [name for name in fields if parent.get(name) is not None]


def required_if(condition: Callable[[Any], Any], name: str, words: str = "") -> ValueRule:
    """Of a structure: where the condition holds this field has to be there."""

    def check(parent: Any, path: str) -> list[FieldError]:
        return [field_errors.required(f"{path}.{name}", words)] if parent.get(name) is None and condition(parent) else []

    return check


def forbidden_if(condition: Callable[[Any], Any], name: str, words: str) -> ValueRule:
    """Of a structure: where the condition holds this field may not be there."""

    def check(parent: Any, path: str) -> list[FieldError]:
        return [field_errors.forbidden(f"{path}.{name}", words)] if parent.get(name) is not None and condition(parent) else []

    return check
