"""replacements: the value of one field of one object, put into fields of others (whole, or as one part of a delimited text)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Final

from kctl.apimachinery.go_patterns import GoPatternError, compiled
from kctl.apimachinery.objects import deep_copy
from kctl.apimachinery.yaml import YamlError, load
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.loader import Loader
from kctl.cli.kustomize.patches import selects
from kctl.cli.kustomize.resource import Gvk, Resource, ResourceMap
from kctl.cli.kustomize.yaml_values import resolve_1_2

_DEFAULT_PATH: Final = "metadata.name"
_MISSING: Final[Any] = object()
_Container = MutableMapping[str, Any] | MutableSequence[Any]


class Place:
    """One value in its container: `get` and `put`."""

    def __init__(self, container: Any, key: Any) -> None:
        self.container = container
        self.key = key

    def get(self) -> Any:
        return self.container[self.key]

    def put(self, value: Any) -> None:
        self.container[self.key] = value


def expanded(entries: list[Any], loader: Loader) -> list[dict[str, Any]]:
    """Entries with `path` are files that hold one replacement or a list of them."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        if not entry.get("path"):
            found.append(entry)
            continue
        if entry.get("source") or entry.get("targets"):
            raise CommandError("cannot specify both path and inline replacement")
        try:
            value = load(loader.load(str(entry["path"])))
        except YamlError as error:
            raise CommandError(error.message) from None
        found += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]
    return found


def replace(resources: ResourceMap, entries: list[dict[str, Any]]) -> None:
    """Raises CommandError where a source is missing or ambiguous, or a path cannot be followed."""
    for entry in entries:
        source, targets = entry.get("source"), entry.get("targets")
        if (not source and "sourceValue" not in entry) or not targets:
            raise CommandError("replacements must specify a source and at least one target")
        value = _source_value(resources, source) if source else entry["sourceValue"]
        for target in targets:
            _apply(resources, value, target)


def _ids(one: Resource) -> list[Any]:
    return [*one.previous_ids, one.id]


def _selected(one: Resource, selector: Mapping[str, Any]) -> bool:
    gvk = Gvk(*(str(selector.get(part) or "") for part in ("group", "version", "kind")))
    name, namespace = str(selector.get("name") or ""), str(selector.get("namespace") or "")
    return any(known.is_selected_by(gvk, name, namespace) for known in _ids(one))


def _source_value(resources: ResourceMap, source: Mapping[str, Any]) -> Any:
    found = [one for one in resources.resources if _selected(one, source)]
    if len(found) != 1:
        shown = _shown(source)
        raise CommandError(f"multiple matches for selector {shown}" if found else f"nothing selected by {shown}")
    path = str(source.get("fieldPath") or _DEFAULT_PATH)
    value = _lookup(found[0].object, split_path(path))
    if value is _MISSING or value in (None, "", {}, []):
        raise CommandError(f"fieldPath `{path}` is missing for replacement source {_shown(source, with_path=False)}")
    return _refined(value, source.get("options") or {})


def _shown(source: Mapping[str, Any], *, with_path: bool = True) -> str:
    group, version, kind, name, namespace = (str(source.get(part) or "") for part in ("group", "version", "kind", "name", "namespace"))
    text = f"{Gvk(group, version, kind)}/{name or '[noName]'}.{namespace or '[noNs]'}"
    return f"{text}:{source['fieldPath']}" if with_path and source.get("fieldPath") else text


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)


def _refined(value: Any, options: Mapping[str, Any]) -> Any:
    delimiter = str(options.get("delimiter") or "")
    if not delimiter:
        return value
    if isinstance(value, dict | list):
        raise CommandError("delimiter option can only be used with scalar nodes")
    parts, index = _text(value).split(delimiter), int(options.get("index") or 0)
    if not 0 <= index < len(parts):
        raise CommandError(f"options.index {index} is out of bounds for value {_text(value)}")
    return parts[index]


def split_path(path: str) -> list[str]:
    r"""a.b.[name=x.y].c\.d -> [a, b, [name=x.y], c.d]"""
    parts: list[str] = []
    current = ""
    in_brackets = False
    letters = iter(path)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            current += following if following == "." else letter + following
        elif letter == "." and not in_brackets:
            parts.append(current)
            current = ""
        else:
            in_brackets = letter == "[" or (in_brackets and letter != "]")
            current += letter
    parts.append(current)
    cleaned = [part.strip() for part in parts if part.strip()]
    return [part.strip("'\"") if part[:1] in "'\"" else part for part in cleaned]


def _lookup(value: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(value, list):
            value = _element(value, part)
        elif isinstance(value, dict):
            value = value.get(part, _MISSING)
        else:
            return _MISSING
        if value is _MISSING or value is None:
            return _MISSING
    return value


def _element(value: list[Any], part: str) -> Any:
    if part == "-":
        return value[-1] if value else _MISSING
    if part.isdigit():
        return value[int(part)] if int(part) < len(value) else _MISSING
    if part.startswith("[") and part.endswith("]"):
        name, _, wanted = part[1:-1].partition("=")
        return next(
            (
                one
                for one in value
                if (_text(one.get(name)) if isinstance(one, dict) and name else _text(one) if not name else None) == wanted
            ),
            _MISSING,
        )
    raise CommandError(f"wrong node kind: expected MappingNode but got SequenceNode: node contents:\n{_yaml(value)}")


def _yaml(value: Any) -> str:
    from kctl.apimachinery.yaml import dump

    return dump(value)


def _apply(resources: ResourceMap, value: Any, target: Mapping[str, Any]) -> None:
    select = target.get("select")
    if not select:
        raise CommandError("target must specify resources to select")
    paths = target.get("fieldPaths") or [_DEFAULT_PATH]
    options = target.get("options") or {}
    for one in resources.resources:
        if not _labels_match(one, select) or not _selected(one, select) or _is_rejected(one, target.get("reject") or ()):
            continue
        for path in paths:
            _put_into(one, split_path(str(path)), str(path), value, options)


def _labels_match(one: Resource, select: Mapping[str, Any]) -> bool:
    return selects(str(select.get("labelSelector") or ""), one.strings("labels")) and selects(
        str(select.get("annotationSelector") or ""), one.strings("annotations")
    )


def _is_rejected(one: Resource, rejects: Any) -> bool:
    for reject in rejects:
        by_label = reject.get("labelSelector") or reject.get("annotationSelector")
        if by_label and _labels_match(one, reject):
            return True
        if any(reject.get(part) for part in ("group", "version", "kind", "name", "namespace")) and _selected(one, reject):
            return True
    return False


def _put_into(one: Resource, path: list[str], shown: str, value: Any, options: Mapping[str, Any]) -> None:
    create = bool(options.get("create"))
    if create and "*" in path:
        raise CommandError("cannot support create option in a multi-value target")
    places = list(_places(one.object, path, (lambda: deep_copy(value) if isinstance(value, dict | list) else "") if create else None))
    if not places:
        raise CommandError(f"unable to find field {shown!r} in replacement target".replace("'", '"'))
    created = create and all(place.get() == "" for place in places)
    for place in places:
        _set(place, value, options, created)


def _places(node: Any, path: list[str], make: Callable[[], Any] | None, holder: Place | None = None) -> Iterator[Place]:
    if not path:
        if holder is not None:
            yield holder
        return
    part, rest = path[0], path[1:]
    if part == "*" and isinstance(node, dict | list):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            yield from _places(node[key], rest, make, Place(node, key))
    elif isinstance(node, list):
        yield from _in_list(node, part, rest, make)
    elif isinstance(node, dict):
        if part not in node or node[part] is None:
            if make is None:
                if part in node and not rest:
                    yield Place(node, part)
                return
            node[part] = make() if not rest else [] if rest[0].startswith("[") or rest[0].isdigit() else {}
        yield from _places(node[part], rest, make, Place(node, part))
    elif node is not None:
        raise CommandError(f"wrong node kind: expected MappingNode but got ScalarNode: node contents:\n{_yaml(node)}")


def _in_list(node: list[Any], part: str, rest: list[str], make: Callable[[], Any] | None) -> Iterator[Place]:
    if part.isdigit() or part == "-":
        index = len(node) - 1 if part == "-" else int(part)
        if make is not None and index == len(node):
            node.append(make() if not rest else {})
        if index >= len(node):
            raise CommandError(f"index {index} specified but only {len(node)} elements found")
        yield from _places(node[index], rest, make, Place(node, index))
        return
    if not (part.startswith("[") and part.endswith("]")):
        raise CommandError(f"wrong node kind: expected MappingNode but got SequenceNode: node contents:\n{_yaml(node)}")
    name, _, wanted = part[1:-1].partition("=")
    try:
        pattern = compiled(wanted)
    except GoPatternError as error:
        raise CommandError(str(error)) from None
    found = False
    for index, entry in enumerate(node):
        own = entry.get(name, _MISSING) if isinstance(entry, dict) and name else entry if not name else _MISSING
        if own is not _MISSING and (wanted == _text(own) if make is not None else pattern.search(_text(own)) is not None):
            found = True
            yield from _places(entry, rest, make, Place(node, index))
            if make is not None:
                return
    if not found and make is not None:
        node.append({name: wanted} if name else wanted)
        yield from _places(node[-1], rest, make, Place(node, len(node) - 1))


def _set(place: Place, value: Any, options: Mapping[str, Any], created: bool) -> None:
    old = place.get()
    delimiter = str(options.get("delimiter") or "")
    if delimiter:
        if isinstance(old, dict | list):
            raise CommandError("delimiter option can only be used with scalar nodes")
        parts, index = _text(old).split(delimiter), int(options.get("index") or 0)
        if index < 0:
            parts.insert(0, _text(value))
        elif index >= len(parts):
            parts.append(_text(value))
        else:
            parts[index] = _text(value)
        value = delimiter.join(parts)
    if isinstance(old, dict | list) or isinstance(value, dict | list) or old is None or created:
        place.put(deep_copy(value))
    else:
        place.put(_as(type(old), value))


def _as(kind: type, value: Any) -> Any:
    """A scalar keeps the type that its place has: text stays text, a number is read from text."""
    text = _text(value)
    if kind is str:
        return text
    read = resolve_1_2(text) if text else None
    if isinstance(read, bool) is (kind is bool) and isinstance(read, int | float):
        return read
    names = {bool: "bool", int: "int", float: "float"}
    raise CommandError(f"yaml: cannot decode !!str `{text}` as a !!{names[kind]}")
