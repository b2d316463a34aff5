"""Secrets: types with the keys they demand, size, `immutable`, stringData."""

from __future__ import annotations

import base64
import json

from kctl.apimachinery import bounds, field_errors, names, objects
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.core.config_map import MAX_SIZE_BYTES, immutable_errors
from kctl.kube_apiserver.registry.strategy import Context, Strategy

SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {"kubernetes.io/ssh-auth": ("ssh-privatekey",), "kubernetes.io/tls": ("tls.crt", "tls.key")}
_DOCKER_KEYS = {"kubernetes.io/dockercfg": ".dockercfg", "kubernetes.io/dockerconfigjson": ".dockerconfigjson"}
_REDACTED = "<secret contents redacted>"


class SecretStrategy(Strategy):
    has_generation = False
    selectable_fields = {"type": lambda obj: str(obj.get("type") or "")}

    def default(self, context: Context, obj: Object) -> None:
        """Type Opaque; stringData is merged over data, base64-encoded."""
        if not obj.get("type"):
            obj["type"] = "Opaque"
        text = obj.pop("stringData", None)
        if text:
            encoded = {key: base64.b64encode(value.encode()).decode() for key, value in text.items()}
            obj["data"] = dict(sorted({**(obj.get("data") or {}), **encoded}.items()))

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if not obj.get("type"):
            obj["type"] = old.get("type")

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        data = obj.get("data") or {}
        errors: list[FieldError] = []
        for key in sorted(data):
            errors += names.errors(f"data[{key}]", key, names.config_map_key)
        if sum(field_checks.base64_size(value or "") for value in data.values()) > MAX_SIZE_BYTES:
            errors.append(field_errors.too_long("data", MAX_SIZE_BYTES))
        return errors + _type_errors(obj, data)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        errors = field_checks.immutable("type", obj.get("type"), old.get("type"))
        return errors + immutable_errors(obj, old, ("data",)) + self.validate(context, obj)


def _type_errors(obj: Object, data: dict[str, str]) -> list[FieldError]:
    kind = obj.get("type") or ""
    if kind == "kubernetes.io/service-account-token":
        if not objects.annotations(obj).get(SERVICE_ACCOUNT_NAME):
            return [field_errors.required(f"metadata.annotations[{SERVICE_ACCOUNT_NAME}]")]
        return []
    if kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            return [field_errors.required("data[username]"), field_errors.required("data[password]")]
        return []
    if kind in _DOCKER_KEYS:
        return _docker_errors(_DOCKER_KEYS[kind], data)
    return [field_errors.required(f"data[{key}]") for key in _REQUIRED_KEYS.get(kind, ()) if key not in data]


def _docker_errors(key: str, data: dict[str, str]) -> list[FieldError]:
    if key not in data:
        return [field_errors.required(f"data[{key}]")]
    problem = _json_problem(field_checks.base64_text(data[key]))
    return [field_errors.invalid(f"data[{key}]", _REDACTED, problem)] if problem else []


def _json_problem(text: str) -> str:
    """What Go's encoding/json says of text that should be a JSON object."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            return "unexpected end of JSON input"
        where = "after top-level value" if error.msg == "Extra data" else "looking for beginning of value"
        return f"invalid character '{text[error.pos]}' {where}"
    except RecursionError:
        return bounds.EXCEEDED
    kinds = {str: "string", bool: "bool", int: "number", float: "number", list: "array"}
    if value is not None and not isinstance(value, dict):
        return f"json: cannot unmarshal {kinds[type(value)]} into Go value of type map[string]interface {{}}"
    return ""


STRATEGY = SecretStrategy()
