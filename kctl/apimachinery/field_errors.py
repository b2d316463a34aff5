"""One finding of validation, worded as k8s.io/apimachinery's util/validation/field words it.

A finding becomes a cause of the v1 Status and a part of its message:
`spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

REASONS = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Not found": "FieldValueNotFound",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Internal error": "InternalError",
    "Invalid type": "FieldValueTypeInvalid",
}


MOST_TEXT = 256 * 1024
"""Characters of all findings together that are told, and a fourth of it of one value. Upstream has no limit, and may repeat a list of
megabytes for each of its items."""
_OMITTED: Any = object()


class FieldError:
    """`field` is a path like spec.containers[0].name; `kind` a key of REASONS. The text is made when somebody wants it: of very many
    findings only the first are shown."""

    __slots__ = ("_body", "_detail", "_value", "field", "kind")

    def __init__(self, kind: str, field: str, body: str = "", *, value: Any = _OMITTED, detail: str | Callable[[], str] = "") -> None:
        """Either `body`, or what it is made of: the value, which stays as it is until the answer is made, and the detail."""
        self.kind = kind
        self.field = field
        self._body = body
        self._value = value
        self._detail = detail

    @property
    def body(self) -> str:
        """The message after the path."""
        if not self._body:
            detail = self._detail() if callable(self._detail) else self._detail
            value = "" if self._value is _OMITTED else f": {go_value(self._value)}"
            word = "Invalid value" if self.kind == "Invalid type" else self.kind
            self._body = f"{word}{value}: {detail}" if detail else f"{word}{value}"
            self._value = None
        return self._body

    def at(self, field: str) -> FieldError:
        """The same finding of another path."""
        return FieldError(self.kind, field, self._body, value=self._value, detail=self._detail)

    @property
    def reason(self) -> str:
        return REASONS[self.kind]

    def __str__(self) -> str:
        return f"{self.field}: {self.body}" if self.field else self.body

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldError) and (self.kind, str(self)) == (other.kind, str(other))

    def __hash__(self) -> int:
        return hash((self.kind, str(self)))

    def cause(self) -> dict[str, str]:
        """As an entry of Status.details.causes."""
        return {"reason": self.reason, "message": self.body, "field": self.field}


def go_value(value: Any) -> str:
    """A value as Go's field.Error prints it: strings quoted, numbers and booleans bare, structures as JSON, nil as null. What is very
    long is cut."""
    import json  # here: a command line that finds no fault does without

    if isinstance(value, str):
        return _cut(json.dumps(value[: MOST_TEXT // 4 + 1], ensure_ascii=False))
    if value is None:
        return "null"
    return _cut(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT // 4 else f"{text[: MOST_TEXT // 4]}..."


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("Required value", field, detail=detail)


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("Invalid value", field, value=value, detail=detail)


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """A value of the wrong type; worded as an invalid one."""
    return FieldError("Invalid type", field, value=value, detail=detail)


def unsupported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """`supported` is printed quoted, in the order given (callers sort where upstream sorts)."""
    choices = ", ".join(go_value(choice) for choice in supported)
    detail = f"supported values: {choices}" if choices else ""
    return FieldError("Unsupported value", field, value=value, detail=detail)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("Duplicate value", field, value=value)


def not_found(field: str, value: Any, detail: str | Callable[[], str] = "") -> FieldError:
    return FieldError("Not found", field, value=value, detail=detail)


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("Forbidden", field, detail=detail)


def too_long(field: str, maximum_bytes: int) -> FieldError:
    return FieldError("Too long", field, f"Too long: may not be more than {maximum_bytes} bytes")


def too_many(field: str, actual: int, maximum: int) -> FieldError:
    return FieldError("Too many", field, f"Too many: {actual}: must have at most {maximum} items")


def internal(field: str, detail: str) -> FieldError:
    return FieldError("Internal error", field, f"Internal error: {detail}")


def shown(errors: Sequence[FieldError]) -> Sequence[FieldError]:
    """The first ones, as many as together are not too long; all but ever."""
    length = 0
    for count, error in enumerate(errors, 1):
        length += len(error.field) + len(error.body)
        if length > MOST_TEXT:
            return errors[:count]
    return errors


def aggregate(errors: Sequence[FieldError]) -> str:
    """One message out of several, as utilerrors.Aggregate: single bare, several in brackets, duplicates once."""
    told = shown(errors)
    texts = list(dict.fromkeys(str(error) for error in told))
    if len(told) < len(errors):
        texts.append(f"{len(errors) - len(told)} more errors were truncated")
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
