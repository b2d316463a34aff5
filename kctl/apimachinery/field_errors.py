"""One finding of validation, worded as k8s.io/apimachinery's util/validation/field words it.

A finding becomes a cause of the v1 Status and a part of its message:
`spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

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


class FieldError(NamedTuple):
    """`field` is a path like spec.containers[0].name; `kind` a key of REASONS; `body` the message after the path."""

    kind: str
    field: str
    body: str

    @property
    def reason(self) -> str:
        return REASONS[self.kind]

    def __str__(self) -> str:
        return f"{self.field}: {self.body}" if self.field else self.body

    def cause(self) -> dict[str, str]:
        """As an entry of Status.details.causes."""
        return {"reason": self.reason, "message": self.body, "field": self.field}


def go_value(value: Any) -> str:
    """A value as Go's field.Error prints it: strings quoted, numbers and booleans bare, structures as JSON, nil as null."""
    import json  # here: a command line that finds no fault does without

    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _body(kind: str, value: str, detail: str) -> str:
    return f"{kind}: {value}: {detail}" if detail else f"{kind}: {value}"


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("Required value", field, f"Required value: {detail}" if detail else "Required value")


def invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("Invalid value", field, _body("Invalid value", go_value(value), detail))


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    """A value of the wrong type; worded as an invalid one."""
    return FieldError("Invalid type", field, _body("Invalid value", go_value(value), detail))


def unsupported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """`supported` is printed quoted, in the order given (callers sort where upstream sorts)."""
    choices = ", ".join(go_value(choice) for choice in supported)
    detail = f"supported values: {choices}" if choices else ""
    return FieldError("Unsupported value", field, _body("Unsupported value", go_value(value), detail))


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("Duplicate value", field, _body("Duplicate value", go_value(value), ""))


def not_found(field: str, value: Any) -> FieldError:
    return FieldError("Not found", field, _body("Not found", go_value(value), ""))


def forbidden(field: str, detail: str) -> FieldError:
    return FieldError("Forbidden", field, f"Forbidden: {detail}" if detail else "Forbidden")


def too_long(field: str, maximum_bytes: int) -> FieldError:
    return FieldError("Too long", field, f"Too long: may not be more than {maximum_bytes} bytes")


def too_many(field: str, actual: int, maximum: int) -> FieldError:
    return FieldError("Too many", field, f"Too many: {actual}: must have at most {maximum} items")


def internal(field: str, detail: str) -> FieldError:
    return FieldError("Internal error", field, f"Internal error: {detail}")


def aggregate(errors: Sequence[FieldError]) -> str:
    """One message out of several, as utilerrors.Aggregate: single bare, several in brackets, duplicates once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
