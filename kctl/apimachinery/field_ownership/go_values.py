"""JSON values as Go's fmt shows them (%#v, %v, %T): messages about values of a wrong type carry them."""

from __future__ import annotations

import json
from typing import Any

_PLAIN = 1e21
"""From here on a float64 is shown with an exponent."""


def go_syntax(value: Any) -> str:
    """%#v of an interface{}."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key, ensure_ascii=False)}:{go_syntax(value[key])}" for key in sorted(value))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(go_syntax, value))}}}"
    if value is None:
        return "interface {}(nil)"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _scalar(value)


def go_string(value: Any) -> str:
    """%v of an interface{}."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_string(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_string, value))}]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if -_PLAIN < value < _PLAIN and value == int(value):
        return str(int(value))
    try:
        mantissa, _, exponent = repr(float(value)).partition("e")
    except OverflowError:
        return "+Inf" if value > 0 else "-Inf"
    return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}" if exponent else mantissa


def go_type(value: Any) -> str:
    """%T of an interface{}."""
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list):
        return "[]interface {}"
    return {bool: "bool", str: "string", int: "float64", float: "float64"}.get(type(value), "<nil>")
