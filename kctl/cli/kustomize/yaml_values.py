"""Reading manifests and patches as kustomize does: YAML 1.2 words (`yes` is text), dates as RFC 3339 moments, Lists opened."""

from __future__ import annotations

import re
from typing import Any, Final

from kctl.apimachinery.objects import Object
from kctl.apimachinery.yaml import YamlError, documents, parse
from kctl.apimachinery.yaml_documents import resolve
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.resource import Resource

_BOOLEANS: Final = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt](\d{1,2}):(\d{2}):(\d{2})(\.\d+)?[ \t]*(Z|[-+]\d{2}:\d{2})?)?")


def resolve_1_2(text: str) -> Any:
    """The value of an unquoted scalar."""
    value = resolve(text)
    if isinstance(value, bool) and text not in _BOOLEANS:
        return text
    if isinstance(value, str) and text[:1].isdigit():
        return _moment(text)
    return value


def _moment(text: str) -> str:
    found = _DATE.fullmatch(text)
    if found is None:
        return text
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return text
    fraction = (fraction or "").rstrip("0").rstrip(".")
    return f"{year}-{int(month):02}-{int(day):02}T{int(hour or 0):02}:{minute or '00'}:{second or '00'}{fraction}{zone or 'Z'}"


class MalformedYaml(CommandError):
    """Text that is no YAML; a path with such text is a file, so it is not tried as a folder."""


def objects_of(text: bytes) -> list[Object]:
    """The objects of a file, those of Lists one by one. Raises CommandError for what is no object with kind and name."""
    found: list[Object] = []
    for value in _documents(text):
        found += _opened(value)
    return found


def _documents(text: bytes) -> list[Any]:
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedYaml("MalformedYAMLError: yaml: invalid leading UTF-8 octet") from None
    values = []
    for part in documents(decoded):
        try:
            value, duplicates = parse(part, resolve=resolve_1_2)
        except YamlError as error:
            raise MalformedYaml(f"MalformedYAMLError: {error.message}") from None
        if duplicates:
            raise MalformedYaml(f"MalformedYAMLError: {_duplicate(duplicates[0])}")
        if value is not None and value != {}:
            values.append(value)
    return values


def _duplicate(text: str) -> str:
    """`line 3: key "a" already set in map` as go-yaml v3 says it."""
    found = re.fullmatch(r'line (\d+): key "(.*)" already set in map', text)
    line, key = (int(found[1]), found[2]) if found else (0, text)
    return f'yaml: unmarshal errors:\n  line {line}: mapping key "{key}" already defined at line {line}'


def _opened(value: Any) -> list[Object]:
    _check(value)
    if not str(value["kind"]).endswith("List"):
        return [value]
    items = value.get("items")
    if items is None:
        return []
    if not isinstance(items, list):
        raise CommandError(f"expected array in {value['kind']}/items, but found {type(items).__name__}")
    return [inner for item in items for inner in _opened(item)]


def _check(value: Any) -> None:
    if not isinstance(value, dict):
        raise CommandError("missing Resource metadata")
    if not value.get("kind"):
        raise (
            CommandError("missing metadata.kind in object " + _shown(value))
            if "metadata" in value or "apiVersion" in value
            else CommandError("missing Resource metadata")
        )
    meta = value.get("metadata")
    if not str(value["kind"]).endswith("List") and (not isinstance(meta, dict) or not meta.get("name")):
        raise CommandError("missing metadata.name in object " + _shown(value))


def _shown(value: Any) -> str:
    """As Go prints the metadata it found."""
    meta = value.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    labels, annotations = (_go_map(meta.get(field)) for field in ("labels", "annotations"))
    return f"{{{{{value.get('apiVersion') or ''} {value.get('kind') or ''}}} {{{{{meta.get('name') or ''} {meta.get('namespace') or ''}}} {labels} {annotations}}}}}"


def _go_map(value: Any) -> str:
    return "map[" + " ".join(f"{key}:{inner}" for key, inner in sorted(value.items())) + "]" if isinstance(value, dict) else "map[]"


def resources_of(text: bytes) -> list[Resource]:
    return [Resource(obj) for obj in objects_of(text)]
