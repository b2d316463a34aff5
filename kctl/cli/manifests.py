"""-f FILE|DIR|URL|-: reading manifests as kubectl does: which files, how a stream splits into documents, what each must have.

A stream that begins with `{` is JSON, one object after the other; if that fails and the rest is good YAML, it is YAML.
Everything else is YAML split at lines of `---`. Empty documents do not count.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import orjson

from kctl.cli.errors import CommandError

EXTENSIONS = (".json", ".yaml", ".yml")
_HINT = "if you choose to ignore these errors, turn validation off with --validate=false"


class Source(NamedTuple):
    """A name for messages and the content, read when its turn comes."""

    name: str
    path: str = ""
    url: str = ""
    stream: TextIO | None = None

    def read(self) -> bytes:
        if self.url:
            return _download(self.url)
        if self.stream is not None:
            binary = getattr(self.stream, "buffer", None)
            return bytes(binary.read()) if binary is not None else self.stream.read().encode()
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise CommandError(f"open {self.path}: {(error.strerror or '').lower()}") from None


def sources(filenames: Sequence[str], recursive: bool, standard_input: TextIO) -> list[Source]:
    """The files that the -f values stand for. Raises CommandError for a path that does not exist."""
    listed: list[Source] = []
    for name in filenames:
        if name == "-":
            listed.append(Source("STDIN", stream=standard_input))
        elif name.startswith(("http://", "https://")):
            listed.append(Source(name, url=name))
        else:
            listed += _files(name, recursive)
    return listed


def _files(name: str, recursive: bool) -> list[Source]:
    if not os.path.exists(name):
        matches = sorted(glob.glob(name)) if glob.has_magic(name) else []
        if not matches:
            raise CommandError(f'the path "{name}" does not exist')
        return [file for match in matches for file in _files(match, recursive)]
    if not os.path.isdir(name):
        return [Source(name, name)]
    manifests = [Source(path, path) for path in _walk(name, recursive) if path.endswith(EXTENSIONS)]
    if not manifests:
        raise CommandError(f"error reading [{name}]: recognized file extensions are [{' '.join(EXTENSIONS)}]")
    return manifests


def _walk(folder: str, recursive: bool) -> Iterator[str]:
    for name in sorted(os.listdir(folder)):
        path = os.path.normpath(os.path.join(folder, name))
        if os.path.isdir(path):
            if recursive:
                yield from _walk(path, True)
        else:
            yield path


def _download(url: str) -> bytes:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return bytes(response.read())
    except urllib.error.HTTPError as error:
        raise CommandError(f'unable to read URL "{url}", server reported {error.code} {error.reason}, status code={error.code}') from None
    except OSError as error:
        raise CommandError(f'Get "{url}": {getattr(error, "reason", error)}') from None


def documents(source: Source) -> Iterator[Any]:
    """The decoded documents of a file, in order; one that cannot be decoded raises CommandError and ends the file."""
    text = source.read()
    if text.lstrip().startswith(b"{"):
        yield from _json_documents(text, source.name)
    else:
        yield from _yaml_documents(text, source.name)


def _json_documents(text: bytes, name: str) -> Iterator[Any]:
    try:
        yield orjson.loads(text)
        return
    except orjson.JSONDecodeError:
        pass
    from kctl.cli.json_stream import JsonError, stream

    position = 0
    try:
        for value, end in stream(text.decode(errors="replace")):
            position = end
            yield value
    except JsonError as error:
        try:
            rest = list(_yaml_documents(text[position:], name))
        except CommandError:
            raise CommandError(f"error parsing {name}: {error}") from None
        yield from rest


def _yaml_documents(text: bytes, name: str) -> Iterator[Any]:
    from kctl.apimachinery.yaml import load

    for part in split(text):
        try:
            value = load(part)
        except ValueError as error:
            raise CommandError(f"error parsing {name}: error converting YAML to JSON: {error}") from None
        if value is not None:
            yield value


def split(text: bytes) -> Iterator[bytes]:
    """YAML documents. What follows `---` on its line is dropped, as apimachinery's splitter does."""
    rest = text
    while True:
        index = rest.find(b"\n---")
        if index < 0:
            if rest.strip():
                yield rest
            return
        part = rest[: index + 1]
        if part.strip():
            yield part
        newline = rest.find(b"\n", index + 1)
        if newline < 0:
            return
        rest = rest[newline + 1 :]


def check(value: Any, source: str) -> None:
    """What kubectl demands of every document before it asks the server (--validate other than ignore)."""
    text = problem(value)
    if text:
        raise CommandError(f'error validating "{source}": error validating data: {text}; {_HINT}')


def problem(value: Any) -> str:
    """What is wrong with a document in itself; '' where nothing is."""
    problems = list(_problems(value))
    return f"[{', '.join(problems)}]" if len(problems) > 1 else "".join(problems)


def _problems(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield "invalid object to validate"
        return
    yield from _field_problems(value)
    if str(value.get("kind") or "").endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            yield from _problems(item)


def _field_problems(value: dict[str, Any]) -> Iterator[str]:
    for field in ("apiVersion", "kind"):
        given = value.get(field)
        if given is None or given == "":
            yield f"{field} not set"
        elif not isinstance(given, str):
            yield f"{field} isn't string type"
    version = value.get("apiVersion")
    if isinstance(version, str) and version.count("/") > 1:
        yield f"unexpected GroupVersion string: {version}"


def flatten(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects of a List kind, else the object itself."""
    if isinstance(value.get("items"), list) and str(value.get("kind") or "").endswith("List"):
        for item in value["items"]:
            if isinstance(item, dict):
                yield from flatten(item)
    else:
        yield value


_TEXTS = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion")


def metadata_problem(meta: Any) -> str:
    """What Go says about metadata whose parts have the wrong types; '' where it can be read."""
    if meta is None:
        return ""
    if not isinstance(meta, dict):
        return _cannot(meta, "metadataOnlyObject.metadata", "v1.ObjectMeta")
    for field in sorted(meta):
        value = meta[field]
        if value is None:
            continue
        if field in _TEXTS and not isinstance(value, str):
            return _cannot(value, f"ObjectMeta.metadata.{field}", "string")
        if field in ("labels", "annotations"):
            if not isinstance(value, dict):
                return _cannot(value, f"ObjectMeta.metadata.{field}", "map[string]string")
            for inner in value.values():
                if inner is not None and not isinstance(inner, str):
                    return _cannot(inner, f"ObjectMeta.metadata.{field}", "string")
    return ""


def _cannot(value: Any, field: str, wanted: str) -> str:
    kinds = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return f"json: cannot unmarshal {kinds[type(value)]} into Go struct field {field} of type {wanted}"


def sorted_keys(value: Any) -> Any:
    """The value with the keys of every map in order, as kubectl sends it: the server names fields in the order they come."""
    if isinstance(value, dict):
        return {key: sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [sorted_keys(part) for part in value]
    return value
