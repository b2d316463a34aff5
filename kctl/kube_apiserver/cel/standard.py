"""CEL's standard functions and operators (cel-go's stdlib), timestamps, durations and optionals among them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kctl.apimachinery import times
from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.kube_apiserver.cel.function import Function, Functions, contains_cost, match_cost, tenth, traverse
from kctl.kube_apiserver.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    CelError,
    ListValue,
    MapValue,
    Optional,
    TypeValue,
    Uint,
    add_lists,
    integer,
    is_number,
    no_such_overload,
    size_of,
    type_name,
    unsigned,
)

_MOST_DIGITS = 4000
"""Fewer than Python refuses to read."""


def text_of(value: Any) -> str:
    """string(x)"""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return _double_text(value)
        case int():
            return str(int(value))
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise CelError("invalid UTF-8 in bytes, cannot convert to string") from None
        case datetime():
            text = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
            return text
        case timedelta():
            return f"{_trimmed(value.total_seconds())}s"
    text_of_own = getattr(value, "cel_text", None)
    if text_of_own is None:
        raise no_such_overload()
    return str(text_of_own())


def _trimmed(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _double_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" in text:
        digits, _, exponent = text.partition("e")
        return f"{digits.removesuffix('.0')}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').zfill(2)}"
    return text


def _arithmetic(sign: str, compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def apply(left: Any, right: Any) -> Any:
        if is_number(left) and type(left) is type(right):
            if isinstance(left, float):
                return compute(left, right)
            return unsigned(compute(left, right)) if isinstance(left, Uint) else integer(compute(left, right))
        return _other(sign, left, right)

    return apply


def _other(sign: str, left: Any, right: Any) -> Any:
    try:
        match left, right:
            case (datetime(), timedelta()) if sign in "+-":
                return left + right if sign == "+" else left - right
            case (timedelta(), datetime()) if sign == "+":
                return right + left
            case (datetime(), datetime()) if sign == "-":
                return left - right
            case (timedelta(), timedelta()) if sign in "+-":
                return left + right if sign == "+" else left - right
            case (str(), str()) | (bytes(), bytes()) if sign == "+":
                return left + right
            case (ListValue(), ListValue()) if sign == "+":
                return add_lists(left, right)
    except OverflowError:
        raise CelError("timestamp overflow") from None
    raise no_such_overload()


def _divide(left: Any, right: Any) -> Any:
    if not is_number(left) or type(left) is not type(right):
        raise no_such_overload()
    if isinstance(left, float):
        if right == 0:
            return float("nan") if left == 0 or left != left else float("inf") * (1 if (left > 0) == (str(right)[0] != "-") else -1)
        return left / right
    if right == 0:
        raise CelError("division by zero")
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    return Uint(quotient) if isinstance(left, Uint) else integer(quotient)


def _modulo(left: Any, right: Any) -> Any:
    if not isinstance(left, int) or type(left) is not type(right) or isinstance(left, bool):
        raise no_such_overload()
    if right == 0:
        raise CelError("modulus by zero")
    rest = abs(left) % abs(right) * (-1 if left < 0 else 1)
    return Uint(rest) if isinstance(left, Uint) else rest


def _negate(value: Any) -> Any:
    if isinstance(value, bool | Uint) or not isinstance(value, int | float):
        raise no_such_overload()
    return -value if isinstance(value, float) else integer(-value)


def _not(value: Any) -> bool:
    if not isinstance(value, bool):
        raise no_such_overload()
    return not value


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def apply(left: Any, right: Any) -> bool:
        if is_number(left) and is_number(right):
            return bool(compare(left, right))
        if type(left) is not type(right) or not isinstance(left, str | bytes | bool | datetime | timedelta):
            raise no_such_overload()
        if isinstance(left, str):
            return bool(compare(left.encode(errors="surrogatepass"), right.encode(errors="surrogatepass")))
        return bool(compare(left, right))

    return apply


def _size(value: Any) -> int:
    if not isinstance(value, str | bytes | ListValue | MapValue):
        raise no_such_overload()
    return len(value)


def _int(value: Any) -> int:
    match value:
        case bool():
            raise no_such_overload()
        case int():
            if not INT_MIN <= value <= INT_MAX:
                raise CelError("integer overflow")
            return int(value)
        case float():
            if value != value or not -(2.0**63) < value < 2.0**63:
                raise CelError("integer overflow")
            return int(value)
        case str():
            digits = value[1:] if value[:1] in ("+", "-") else value
            if not (digits.isascii() and digits.isdigit()):
                raise CelError(f'strconv.ParseInt: parsing "{value}": invalid syntax')
            return _whole("ParseInt", value, INT_MIN, INT_MAX)
        case datetime():
            return int(value.timestamp() // 1)
    raise no_such_overload()


def _whole(function: str, text: str, least: int, most: int) -> int:
    """The number that is written in digits."""
    number = int(text) if len(text) <= _MOST_DIGITS or len(text.lstrip("+-0")) <= _MOST_DIGITS else most + 1
    if not least <= number <= most:
        raise CelError(f'strconv.{function}: parsing "{text}": value out of range')
    return number


def _uint(value: Any) -> Uint:
    match value:
        case bool():
            raise no_such_overload()
        case int() | float():
            if value != value or not 0 <= value <= UINT_MAX:
                raise CelError("unsigned integer overflow")
            return Uint(int(value))
        case str():
            if not (value.isascii() and value.isdigit()):
                raise CelError(f'strconv.ParseUint: parsing "{value}": invalid syntax')
            return Uint(_whole("ParseUint", value, 0, UINT_MAX))
    raise no_such_overload()


def _double(value: Any) -> float:
    match value:
        case bool():
            raise no_such_overload()
        case int() | float():
            return float(value)
        case str():
            try:
                if "_" in value or value.strip() != value:
                    raise ValueError
                return float(value)
            except ValueError:
                raise CelError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None
    raise no_such_overload()


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in ("1", "t", "T", "true", "TRUE", "True"):
            return True
        if value in ("0", "f", "F", "false", "FALSE", "False"):
            return False
        raise CelError(f'strconv.ParseBool: parsing "{value}": invalid syntax')
    raise no_such_overload()


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    raise no_such_overload()


def timestamp(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            found = times.parse(value)
            if found.tzinfo is None:
                raise ValueError
            return found
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise CelError(f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse') from None
    raise no_such_overload()


def duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        try:
            return timedelta(seconds=times.parse_duration(value))
        except (ValueError, OverflowError):
            raise CelError(f'time: invalid duration "{value}"') from None
    raise no_such_overload()


def _matches(text: Any, pattern: Any) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise no_such_overload()
    try:
        return compiled(pattern).search(text) is not None
    except GoPatternError as error:
        raise CelError(str(error)) from None


def _texts(check: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def apply(text: Any, part: Any) -> bool:
        if not isinstance(text, str) or not isinstance(part, str):
            raise no_such_overload()
        return check(text, part)

    return apply


def _part(read: Callable[[datetime], int], of_duration: Callable[[timedelta], int] | None = None) -> Callable[..., int]:
    def apply(value: Any, zone: Any = "UTC") -> int:
        if isinstance(value, timedelta) and of_duration is not None:
            return of_duration(value)
        if not isinstance(value, datetime) or not isinstance(zone, str):
            raise no_such_overload()
        try:
            return read(value.astimezone(_zone(zone)))
        except OverflowError:
            raise CelError("timestamp overflow") from None

    return apply


def _zone(name: str) -> Any:
    if (name[:1] in "+-" and len(name) == 6) or (len(name) == 5 and name[2] == ":"):
        sign = -1 if name[0] == "-" else 1
        hours, _, minutes = name.lstrip("+-").partition(":")
        if hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60:
            from datetime import timezone

            return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CelError(f"unknown time zone {name}") from None


def _optional(read: Callable[[Optional], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        if not isinstance(value, Optional):
            raise no_such_overload()
        return read(value)

    return apply


def _value_of(value: Optional) -> Any:
    if not value.present:
        raise CelError("optional.none() dereference")
    return value.value


def _none_if_zero(value: Any) -> Optional:
    zero = value is None or (isinstance(value, bool | int | float | str | bytes | ListValue | MapValue) and not value)
    return Optional(present=False) if zero else Optional(value)


GLOBAL: Functions = {
    "_+_": Function(_arithmetic("+", operator.add), lambda left, right: traverse(left, right) if not is_number(left) else 1),
    "_-_": Function(_arithmetic("-", operator.sub)),
    "_*_": Function(_arithmetic("*", operator.mul)),
    "_/_": Function(_divide),
    "_%_": Function(_modulo),
    "-_": Function(_negate),
    "!_": Function(_not),
    "_<_": Function(_order(operator.lt), lambda left, right: tenth(min(size_of(left), size_of(right)))),
    "_<=_": Function(_order(operator.le), lambda left, right: tenth(min(size_of(left), size_of(right)))),
    "_>_": Function(_order(operator.gt), lambda left, right: tenth(min(size_of(left), size_of(right)))),
    "_>=_": Function(_order(operator.ge), lambda left, right: tenth(min(size_of(left), size_of(right)))),
    "size": Function(_size),
    "int": Function(_int),
    "uint": Function(_uint),
    "double": Function(_double),
    "bool": Function(_bool),
    "string": Function(text_of, traverse),
    "bytes": Function(_bytes, traverse),
    "timestamp": Function(timestamp),
    "duration": Function(duration),
    "type": Function(lambda value: TypeValue(type_name(value))),
    "dyn": Function(lambda value: value),
    "matches": Function(_matches, match_cost),
}
METHODS: Functions = {
    "size": Function(_size),
    "matches": Function(_matches, match_cost),
    "contains": Function(_texts(lambda text, part: part in text), contains_cost),
    "startsWith": Function(_texts(str.startswith), lambda text, part: traverse(part)),
    "endsWith": Function(_texts(str.endswith), lambda text, part: traverse(part)),
    "getFullYear": Function(_part(lambda moment: moment.year)),
    "getMonth": Function(_part(lambda moment: moment.month - 1)),
    "getDate": Function(_part(lambda moment: moment.day)),
    "getDayOfMonth": Function(_part(lambda moment: moment.day - 1)),
    "getDayOfWeek": Function(_part(lambda moment: moment.isoweekday() % 7)),
    "getDayOfYear": Function(_part(lambda moment: moment.timetuple().tm_yday - 1)),
    "getHours": Function(_part(lambda moment: moment.hour, lambda span: int(span.total_seconds() / 3600))),
    "getMinutes": Function(_part(lambda moment: moment.minute, lambda span: int(span.total_seconds() / 60))),
    "getSeconds": Function(_part(lambda moment: moment.second, lambda span: int(span.total_seconds()))),
    "getMilliseconds": Function(_part(lambda moment: moment.microsecond // 1000, lambda span: int(span.total_seconds() * 1000) % 1000)),
    "hasValue": Function(_optional(lambda value: value.present)),
    "value": Function(_optional(_value_of)),
}
QUALIFIED: Functions = {
    "optional.of": Function(Optional),
    "optional.none": Function(lambda: Optional(present=False)),
    "optional.ofNonZeroValue": Function(_none_if_zero),
}
