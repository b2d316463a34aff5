"""A value against its schema, in kube-openapi's words and order (its SchemaValidator, ratcheting included).

A `Result` counts what matched besides what did not: of the alternatives of anyOf and oneOf the one that matched most is the one whose
errors are told. Properties are looked at in alphabetical order (upstream: in any).

Ratcheting: an error at a part of an object that an update leaves as it was is no error.
"""

from __future__ import annotations

import math
from typing import Any, Final

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError, go_value
from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.apimachinery.schema.patch_meta import identity
from kctl.kube_apiserver.custom_resources import formats

Schema = dict[str, Any]
NEW: Final = object()
"""Instead of the old value: there is none to compare with."""
NOWHERE = "<nil>"
"""The path of an error that names its field only in its text."""
_UNTIL_EXPONENT = 1e21
_PROPS = ("anyOf", "oneOf", "allOf", "not")
_INT64 = 2**63


class Result:
    __slots__ = ("errors", "matched")

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.matched = 0

    def merge(self, other: Result) -> None:
        self.errors += other.errors
        self.matched += other.matched


def validate(schema: Schema, value: Any, path: str = "", old: Any = NEW, below: str = "") -> list[FieldError]:
    """All problems. `path` is the value's own in messages; `below` stands before it in the fields of the errors (status validated
    by itself: upstream's messages name its fields without it)."""
    return _Walk(below).value(schema, value, path, old, True).errors


class _Walk:
    __slots__ = ("_below",)

    def __init__(self, below: str) -> None:
        self._below = below

    def _field(self, path: str) -> str:
        name = path.removeprefix(".")
        if self._below:
            return f"{self._below}.{name}" if name else self._below
        return name or NOWHERE

    def value(self, schema: Schema, value: Any, path: str, old: Any, ratchets: bool) -> Result:
        """`ratchets` False: an alternative of a schema, whose errors count as a whole."""
        result = Result()
        if value is None:
            self._type(schema, None, path, result)
            self._enum(schema, None, path, result)
        else:
            self._present(schema, value, path, old, result)
        if result.errors and ratchets and old is not NEW and same(value, old):
            return Result()
        return result

    def _present(self, schema: Schema, value: Any, path: str, old: Any, result: Result) -> None:
        kind = value.__class__
        if "type" in schema or "format" in schema or schema.get("x-kubernetes-int-or-string"):
            self._type(schema, value, path, result)
            result.matched += 1
        if not schema.keys().isdisjoint(_PROPS):
            self._alternatives(schema, value, path, old, result)
        result.matched += 1
        if kind is str:
            self._string(schema, value, path, result)
            result.matched += 1
            if "format" in schema and (format := formats.effective(schema.get("type") or "", schema["format"])):
                if not formats.matches(format, value):
                    result.errors.append(self._wrong_type(path, format, value))
                result.matched += 1
        elif kind is int or kind is float:
            self._number(schema, value, path, result)
            result.matched += 1
        elif kind is list:
            self._list(schema, value, path, old, result)
            result.matched += 1
        self._enum(schema, value, path, result)
        result.matched += 1
        if kind is dict:
            self._object(schema, value, path, old, result)
            result.matched += 1
        result.matched += 1

    def _wrong_type(self, path: str, wanted: str, given: str) -> FieldError:
        why = f"{path} in body must be of type {wanted}: {go_value(given)}"
        return field_errors.type_invalid(self._field(path), given, why)

    def _type(self, schema: Schema, value: Any, path: str, result: Result) -> None:
        wanted = _types(schema)
        if value is None:
            if wanted and not schema.get("nullable"):
                result.errors.append(self._wrong_type(path, ",".join(wanted), "null"))
            else:
                result.matched += 1
            return
        given, width = _json_type(value)
        format = formats.effective(schema.get("type") or "", schema.get("format") or "")
        whole = given == "number" and value.is_integer() and "integer" in wanted
        fits = given in wanted or whole or (given == "integer" and "number" in wanted)
        is_text = given == "string" or given == "array"
        if not is_text and format and not (fits or width == format):
            result.errors.append(self._wrong_type(path, format, width))
        elif format and is_text and not ("number" in wanted or "integer" in wanted):
            result.matched += 1
        elif wanted and not fits:
            result.errors.append(self._wrong_type(path, ",".join(wanted), given))
        else:
            result.matched += 1

    def _enum(self, schema: Schema, value: Any, path: str, result: Result) -> None:
        choices = schema.get("enum")
        if not choices or any(same(value, choice) for choice in choices):
            return
        shown = [choice if isinstance(choice, str) else go_value(choice) for choice in choices]
        result.errors.append(field_errors.unsupported(self._field(path), value, shown))

    def _invalid(self, path: str, value: Any, why: str) -> FieldError:
        return field_errors.invalid(self._field(path), value, why)

    def _string(self, schema: Schema, value: str, path: str, result: Result) -> None:
        if (most := schema.get("maxLength")) is not None and len(value) > most:
            result.errors.append(field_errors.too_long(self._field(path), most))
        elif (least := schema.get("minLength")) is not None and len(value) < least:
            result.errors.append(self._invalid(path, value, f"{path} in body should be at least {least} chars long"))
        elif pattern := schema.get("pattern"):
            try:
                matched = compiled(pattern).search(value) is not None
            except GoPatternError as error:
                pattern, matched = f"{pattern}, but pattern is invalid: {error}", False
            if not matched:
                result.errors.append(self._invalid(path, value, f"{path} in body should match '{pattern}'"))

    def _number(self, schema: Schema, value: float, path: str, result: Result) -> None:
        whole = value.__class__ is int
        kind, format = schema.get("type") or "", schema.get("format") or ""
        if kind == "integer" and not _in_range(value, format):
            named = f"with format {format}" if format in ("int32", "int64") else "(default format)"
            why = f"Checked value must be of type integer {named} in {path}"
            result.errors.append(field_errors.invalid(NOWHERE, "", why))
        if (factor := schema.get("multipleOf")) is not None:
            self._multiple(value, int(factor) if whole else factor, path, result)
        for name, above, word in (("maximum", True, "less"), ("minimum", False, "greater")):
            bound = schema.get(name)
            if bound is None:
                continue
            bound = int(bound) if whole else bound
            exclusive = bool(schema.get("exclusiveMaximum" if above else "exclusiveMinimum"))
            if (value > bound if above else value < bound) or (exclusive and value == bound):
                than = "than" if exclusive else "than or equal to"
                result.errors.append(self._invalid(path, value, f"{path} in body should be {word} {than} {go_number(bound)}"))
        result.matched += 1

    def _multiple(self, value: float, factor: float, path: str, result: Result) -> None:
        if factor <= 0:
            why = f"factor MultipleOf declared for {path} must be positive: {go_number(factor)}"
            result.errors.append(self._invalid(path, factor, why))
            return
        quotient = value / factor if factor >= 1 else 1 / factor * value
        exact = value % factor == 0 if value.__class__ is int else _is_whole(quotient)
        if not exact:
            result.errors.append(self._invalid(path, value, f"{path} in body should be a multiple of {go_number(factor)}"))

    def _list(self, schema: Schema, value: list[Any], path: str, old: Any, result: Result) -> None:
        items = schema.get("items")
        if isinstance(items, dict):
            olds = _old_items(schema, value, old)
            for index, item in enumerate(value):
                result.merge(self.value(items, item, f"{path}[{index}]", olds[index] if olds else NEW, True))
        size = len(value)
        if (least := schema.get("minItems")) is not None and size < least:
            result.errors.append(self._invalid(path, size, f"{path} in body should have at least {least} items"))
        if (most := schema.get("maxItems")) is not None and size > most:
            result.errors.append(field_errors.too_many(self._field(path), size, most))
        if schema.get("uniqueItems") and len({identity(item) for item in value}) != size:
            result.errors.append(self._invalid(path, "", f"{path} in body shouldn't contain duplicates"))
        result.matched += 1

    def _object(self, schema: Schema, value: dict[str, Any], path: str, old: Any, result: Result) -> None:
        size = len(value)
        if (least := schema.get("minProperties")) is not None and size < least:
            result.errors.append(self._invalid(path, size, f"{path} in body should have at least {least} properties"))
            return
        if (most := schema.get("maxProperties")) is not None and size > most:
            result.errors.append(field_errors.too_many(self._field(path), size, most))
            return
        properties: dict[str, Schema] = schema.get("properties") or {}
        olds = old if isinstance(old, dict) and schema.get("x-kubernetes-map-type") != "atomic" else {}
        others = schema.get("additionalProperties")
        if others is False:
            for key in sorted(value.keys() - properties.keys()):
                result.errors.append(self._invalid(path, key, f"{path}.{key} in body is a forbidden property"))
        elif isinstance(others, dict):
            for key in sorted(value.keys() - properties.keys()):
                result.merge(self.value(others, value[key], f"{path}.{key}", olds.get(key, NEW), True))
        for name in sorted(properties):
            if name in value:
                where = f"{path}.{name}" if path else name
                result.merge(self.value(properties[name], value[name], where, olds.get(name, NEW), True))
        for name in schema.get("required") or ():
            if name not in value:
                result.errors.append(field_errors.required(self._field(f"{path}.{name}")))

    def _alternatives(self, schema: Schema, value: Any, path: str, old: Any, result: Result) -> None:
        def attempt(part: Schema) -> Result:
            return self.value(part, value, path, old, False)

        def failed(why: str) -> None:
            result.errors.append(field_errors.invalid(NOWHERE, "", f"{go_value(path)} {why}"))

        if any_of := schema.get("anyOf"):
            best = _best([attempt(part) for part in any_of], first=True)
            if best.errors:
                failed("must validate at least one schema (anyOf)")
            result.merge(best)
        if one_of := schema.get("oneOf"):
            found = [attempt(part) for part in one_of]
            valid = sum(not each.errors for each in found)
            if valid != 1:
                failed(f"must validate one and only one schema (oneOf). Found {f'{valid} valid alternatives' if valid else 'none valid'}")
            if valid < 2:
                result.merge(_best(found, first=True))
        if all_of := schema.get("allOf"):
            found = [attempt(part) for part in all_of]
            for each in found:
                result.merge(each)
            valid = sum(not each.errors for each in found)
            if valid != len(all_of):
                failed(f"must validate all the schemas (allOf){'' if valid else '. None validated'}")
        if isinstance(forbidden := schema.get("not"), dict) and not attempt(forbidden).errors:
            failed("must not validate the schema (not)")
        result.matched += 1


def _best(found: list[Result], *, first: bool) -> Result:
    """The first that is valid, else the one that matched most."""
    best = None
    for result in found:
        if not result.errors and first:
            return result
        if best is None or result.matched > best.matched:
            best = result
    return best if best is not None else Result()


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = schema.get("type")
    return (kind,) if kind else ()


def _json_type(value: Any) -> tuple[str, str]:
    """The type of a value, and the format of a number's."""
    match value:
        case bool():
            return "boolean", ""
        case str():
            return "string", ""
        case int():
            return "integer", "int64"
        case float():
            return "number", "float64"
        case list():
            return "array", ""
    return "object", ""


def _old_items(schema: Schema, value: list[Any], old: Any) -> list[Any] | None:
    """For each item the one it was, by the keys of a list of type map; items of other lists have no identity."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if not isinstance(old, list) or not keys or schema.get("x-kubernetes-list-type") != "map":
        return None
    known = {list_key(item, keys): item for item in reversed(old)}
    return [known.get(list_key(item, keys), NEW) for item in value]


def list_key(item: Any, keys: Any) -> Any:
    """What tells an item of a list of type map from the others."""
    return tuple(identity(item.get(key)) for key in keys) if isinstance(item, dict) else None


def same(left: Any, right: Any) -> bool:
    """Equal JSON values: true is not 1, and 1 is 1.0."""
    if left.__class__ is bool or right.__class__ is bool:
        return left is right
    if left.__class__ is dict:
        return (
            right.__class__ is dict
            and len(left) == len(right)
            and all(key in right and same(item, right[key]) for key, item in left.items())
        )
    if left.__class__ is list:
        return right.__class__ is list and len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _in_range(value: float, format: str) -> bool:
    bound = 2**31 if format == "int32" else _INT64
    return -bound <= value < bound and value == math.floor(value)


def _is_whole(value: float) -> bool:
    """swag.IsFloat64AJSONInteger: a whole number but for the last bits."""
    if math.isinf(value) or abs(value) > 2**53:
        return False
    nearest = round(value)
    return value == nearest or abs(value - nearest) / max(abs(value), abs(nearest), 1e-300) < 1e-9


def go_number(value: float) -> str:
    """As Go's %v prints it."""
    if value.__class__ is int:
        return str(value)
    if value and (abs(value) >= _UNTIL_EXPONENT or abs(value) < 1e-4):
        digits, _, exponent = repr(value).partition("e")
        return f"{digits}e{exponent}" if exponent else f"{value:e}"
    text = f"{value:.17g}" if "e" in repr(value) else repr(value)
    return text.removesuffix(".0")
