"""configMapGenerator and secretGenerator: objects from literals, files and env files, and what `behavior` does with one that is there."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.loader import Loader
from kctl.cli.kustomize.resource import Resource, ResourceMap

_LINE: Final = 70


def make(kind: str, arguments: Mapping[str, Any], options: Mapping[str, Any], loader: Loader) -> Resource:
    """The object of one generator. `options` are generatorOptions merged with the generator's own. Raises CommandError."""
    name = str(arguments.get("name") or "")
    if not name:
        raise CommandError(f"a {'configmap' if kind == 'ConfigMap' else 'secret'} must have a name")
    obj: Object = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
    if arguments.get("namespace"):
        obj["metadata"]["namespace"] = str(arguments["namespace"])
    if kind == "Secret":
        obj["type"] = str(arguments.get("type") or "Opaque")
    for field, contents in _data(kind, name, arguments, loader).items():
        obj[field] = contents
    for field in ("labels", "annotations"):
        if options.get(field):
            obj["metadata"][field] = {str(key): str(value) for key, value in options[field].items()}
    if options.get("immutable"):
        obj["immutable"] = True
    resource = Resource(obj)
    resource.needs_hash = not options.get("disableNameSuffixHash")
    behavior = str(arguments.get("behavior") or "")
    resource.behavior = behavior if behavior in ("create", "merge", "replace") else "unspecified"
    return resource


def merged_options(common: Mapping[str, Any] | None, own: Mapping[str, Any] | None) -> dict[str, Any]:
    """Labels and annotations of both, the own ones first; a switch that either sets."""
    common, own = common or {}, own or {}
    merged: dict[str, Any] = {field: {**(common.get(field) or {}), **(own.get(field) or {})} for field in ("labels", "annotations")}
    return merged | {field: bool(common.get(field) or own.get(field)) for field in ("disableNameSuffixHash", "immutable")}


def _data(kind: str, name: str, arguments: Mapping[str, Any], loader: Loader) -> dict[str, dict[str, str]]:
    try:
        pairs = list(_pairs(arguments, loader))
    except CommandError as error:
        raise CommandError(f"loading KV pairs: {error.message}") from None
    found: dict[str, dict[str, str]] = {"data": {}} if kind == "Secret" else {}
    seen: set[str] = set()
    for key, value in pairs:
        if key in seen:
            raise CommandError(f"configmap {name} illegally repeats the key `{key}`")
        seen.add(key)
        field, text = _placed(kind, value)
        found.setdefault(field, {})[key] = text
    return found


def _placed(kind: str, value: bytes) -> tuple[str, str]:
    if kind == "Secret":
        return "data", _base64(value)
    try:
        return "data", value.decode()
    except UnicodeDecodeError:
        return "binaryData", _base64(value)


def _base64(value: bytes) -> str:
    """In lines of 70 letters, each ended, where there are several."""
    text = base64.b64encode(value).decode()
    if len(text) < _LINE:
        return text
    return "".join(f"{text[i : i + _LINE]}\n" for i in range(0, len(text), _LINE))


def _pairs(arguments: Mapping[str, Any], loader: Loader) -> Iterator[tuple[str, bytes]]:
    sources = (("envs", "env source files", _of_env_file), ("literals", "literal sources", None), ("files", "file sources", _of_file))
    for field, called, read in sources:
        given = [str(one) for one in arguments.get(field) or ()]
        shown = f"[{' '.join(given)}]"
        try:
            for source in given:
                yield from read(source, loader) if read else _of_literal(source)
        except CommandError as error:
            raise CommandError(f"{called}{':' if read else ''} {shown}: {error.message}") from None


def _of_literal(source: str) -> Iterator[tuple[str, bytes]]:
    key, equals, value = source.partition("=")
    if not key or not equals:
        raise CommandError(f"invalid literal source {source}, expected key=value")
    if value and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    yield key, value.encode()


def _of_file(source: str, loader: Loader) -> Iterator[tuple[str, bytes]]:
    parts = source.split("=")
    if len(parts) > 2:
        raise CommandError(f"source \"{source}\" key name or file path contains '='")
    key, path = (parts[0], parts[1]) if len(parts) == 2 else (source.rsplit("/", 1)[-1], source)
    if not key:
        raise CommandError(f'missing key name for file path "{path}" in source "{source}"')
    if not path:
        raise CommandError(f'missing file path for key name "{key}" in source "{source}"')
    yield key, loader.load(path)


def _of_env_file(path: str, loader: Loader) -> Iterator[tuple[str, bytes]]:
    content = loader.load(path)
    for number, raw in enumerate(content.split(b"\n")):
        try:
            line = raw.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise CommandError(f"line {number} has invalid utf8 bytes : {raw.decode(errors='replace')}") from None
        line = (line.removeprefix("\ufeff") if number == 0 else line).lstrip()
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition("=")
        if not key:
            continue
        yield key, value.encode()


def absorb(resources: ResourceMap, made: Resource) -> None:
    """Add it, or merge it with (or put it for) the one of that id, as its behavior says. Raises CommandError."""
    found = resources.by_any_id(made.id)
    if len(found) > 1:
        raise CommandError(f"found multiple objects {found} that could accept merge of {made.id}")
    shown = _go_id(made)
    if not found:
        if made.behavior in ("merge", "replace"):
            raise CommandError(f"merging from generator: id {shown} does not exist; cannot merge or replace")
        resources.append(made)
        return
    if made.behavior not in ("merge", "replace"):
        raise CommandError(
            f"merging from generator: id {shown} exists; can not use behavior: '{made.behavior}', behavior must be merge or replace"
        )
    old = found[0]
    if made.behavior == "merge":
        for field in ("data", "binaryData"):
            if old.object.get(field) or made.object.get(field):
                made.object[field] = {**(old.object.get(field) or {}), **(made.object.get(field) or {})}
    _take_over(made, old)
    resources.resources[resources.resources.index(old)] = made


def _take_over(made: Resource, old: Resource) -> None:
    """Name, namespace, labels and annotations, and what the old one has been called."""
    for field in ("labels", "annotations"):
        made.set_strings(field, {**old.strings(field), **made.strings(field)})
    made.set_metadata("name", old.name)
    made.set_metadata("namespace", old.namespace)
    made.previous, made.prefixes, made.suffixes = list(old.previous), list(old.prefixes), list(old.suffixes)
    made.variable_names = list(old.variable_names)
    made.needs_hash = made.needs_hash and old.needs_hash
    if made.behavior == "merge" and old.origin is not None:
        made.origin = old.origin


def _go_id(one: Resource) -> str:
    group, version, kind = one.gvk
    scoped = "true" if one.gvk.is_cluster_scoped else "false"
    gvk = f'resid.Gvk{{Group:"{group}", Version:"{version}", Kind:"{kind}", isClusterScoped:{scoped}}}'
    return f'resid.ResId{{Gvk:{gvk}, Name:"{one.name}", Namespace:"{one.namespace}"}}'


def add_hashes(resources: ResourceMap) -> None:
    """To the names of what generators made: the name changes with the content, so that who uses it is rolled out anew."""
    from kctl.cli.create.hashing import hashed_name

    for one in resources.resources:
        if one.needs_hash:
            one.remember_id()
            hashed = {key: value for key, value in one.object.items() if key != "immutable"}
            one.set_metadata("name", one.name + hashed_name(hashed, ""))
