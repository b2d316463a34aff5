"""vars: $(NAME) in certain fields becomes the value of a field of some object. Deprecated, and widely used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kctl.cli.errors import CommandError
from kctl.cli.kustomize import field_specs
from kctl.cli.kustomize.field_specs import FieldSpec
from kctl.cli.kustomize.resource import Gvk, ResourceId, ResourceMap, split_api_version


class Variables:
    """Those of a kustomization and its bases; each name once."""

    def __init__(self) -> None:
        self._by_name: dict[str, Mapping[str, Any]] = {}

    def add(self, entries: Sequence[Mapping[str, Any]], resources: ResourceMap) -> None:
        """Note which object each is about while it still has that name. Raises CommandError."""
        for entry in entries:
            reference = entry.get("objref") or {}
            wanted = _target(reference)
            found = [one for one in resources.resources if _matches(one.original_id, wanted, bool(reference.get("namespace")))]
            if len(found) > 1:
                raise CommandError(f"found {len(found)} resId matches for var {dict(entry)} (unable to disambiguate)")
            if found:
                found[0].variable_names.append(str(entry.get("name") or ""))
            self._put(entry)

    def merge(self, other: Variables) -> None:
        for entry in other._by_name.values():
            self._put(entry)

    def _put(self, entry: Mapping[str, Any]) -> None:
        name = str(entry.get("name") or "")
        if name in self._by_name and self._by_name[name] != entry:
            raise CommandError(f"var '{name}' already encountered")
        self._by_name[name] = entry

    def resolve(self, resources: ResourceMap, specs: Sequence[FieldSpec]) -> None:
        """Put the values in. Raises CommandError for a variable without an object or a field."""
        if not self._by_name:
            return
        values = {name: self._value(name, entry, resources) for name, entry in sorted(self._by_name.items())}
        for one in resources.resources:
            for spec in specs:
                field_specs.apply(one.object, FieldSpec(spec.path, spec.gvk), lambda value: _expanded_anywhere(value, values))

    @staticmethod
    def _value(name: str, entry: Mapping[str, Any], resources: ResourceMap) -> Any:
        reference = entry.get("fieldref") or {}
        path = str(reference.get("fieldpath") or reference.get("fieldPath") or "metadata.name")
        for one in resources.resources:
            if name in one.variable_names:
                value = _field(one.object, path)
                if value is None or isinstance(value, dict | list):
                    raise CommandError(f"field specified in var '{_shown(entry, path)}' not found in corresponding resource")
                return value
        raise CommandError(f"var '{_shown(entry, path)}' cannot be mapped to a field in the set of known resources")


def _shown(entry: Mapping[str, Any], path: str) -> str:
    """A types.Var as Go prints it."""
    target = _target(entry.get("objref") or {})
    name = f"/{target.name}.{target.namespace or '[noNs]'}" if target.namespace else ""
    return f"{{{entry.get('name') or ''} {target.gvk}{name} {{{path}}}}}"


def _gvk(reference: Mapping[str, Any]) -> Gvk:
    if reference.get("apiVersion"):
        return Gvk(*split_api_version(str(reference["apiVersion"])), str(reference.get("kind") or ""))
    return Gvk(*(str(reference.get(part) or "") for part in ("group", "version", "kind")))


def _target(reference: Mapping[str, Any]) -> ResourceId:
    return ResourceId(_gvk(reference), str(reference.get("name") or ""), str(reference.get("namespace") or ""))


def _matches(own: ResourceId, wanted: ResourceId, with_namespace: bool) -> bool:
    if own.name != wanted.name or own.gvk != wanted.gvk:
        return False
    return not with_namespace or own.effective_namespace == wanted.effective_namespace


def _field(obj: Any, path: str) -> Any:
    from kctl.cli.kustomize.replacements import split_path

    for part in split_path(path.replace("[", ".[").replace("..[", ".[")):
        inside = part[1:-1] if part.startswith("[") else part
        if isinstance(obj, list) and inside.isdigit() and int(inside) < len(obj):
            obj = obj[int(inside)]
        elif isinstance(obj, dict):
            obj = obj.get(part)
        else:
            return None
    return obj


def _expanded_anywhere(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return expand(value, values)
    if isinstance(value, dict):
        return {key: expand(inner, values) if isinstance(inner, str) else inner for key, inner in value.items()}
    if isinstance(value, list):
        if not all(isinstance(inner, str) for inner in value):
            raise CommandError("invalid value type expect a string")
        return [expand(inner, values) for inner in value]
    return value


def expand(text: str, values: Mapping[str, Any]) -> Any:
    """$(NAME) as its value ($$ is a dollar sign); a text that is nothing else becomes the value itself, a number a number."""
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0 and dollar + 1 < len(text):
        parts.append(text[position:dollar])
        following = text[dollar + 1]
        position = dollar + 2
        if following == "$":
            parts.append("$")
        elif following != "(":
            parts.append("$" + following)
        else:
            close = text.find(")", position)
            if close < 0:
                parts.append("$(")
                continue
            name = text[position:close]
            if name in values and dollar == 0 and close == len(text) - 1:
                return values[name]
            parts.append(_text(values[name]) if name in values else f"$({name})")
            position = close + 1
    return "".join(parts) + text[position:]


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
