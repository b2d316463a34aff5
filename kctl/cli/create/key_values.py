"""--from-literal, --from-file and --from-env-file of ConfigMaps and Secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from kctl.cli.errors import CommandError

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def collect(kind: str, files: Sequence[str], literals: Sequence[str], env_files: Sequence[str]) -> dict[str, bytes]:
    """Key to content, in the order kubectl handles the sources. Raises CommandError."""
    if env_files and (files or literals):
        raise CommandError("from-env-file cannot be combined with from-file or from-literal")
    collected: dict[str, bytes] = {}
    for key, value in (*_literals(literals), *_files(files), *_env_files(env_files)):
        problem = _key_problem(key)
        if problem:
            subject = "ConfigMap" if kind == "ConfigMap" else "secret"
            raise CommandError(f'"{key}" is not a valid key name for a {subject}: {problem}')
        if key in collected:
            raise CommandError(f'cannot add key "{key}", another key by that name already exists in Data for {kind} "%s"')
        collected[key] = value
    return collected


def _key_problem(key: str) -> str:
    if len(key) > 253:
        return "must be no more than 253 characters"
    if not _KEY.fullmatch(key):
        return _KEY_RULE
    if key == ".":
        return "must not be '.'"
    if key == "..":
        return "must not be '..'"
    return "must not start with '..'" if key.startswith("..") else ""


def _literals(literals: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for source in literals:
        key, equals, value = source.partition("=")
        if not equals or not key:
            raise CommandError(f"invalid literal source {source}, expected key=value")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        yield key, value.encode()


def _files(files: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for source in files:
        key, path = _file_source(source)
        if not os.path.exists(path):
            raise CommandError(f"error reading {path}: no such file or directory")
        if os.path.isdir(path):
            if "=" in source:
                raise CommandError("cannot give a key name for a directory path")
            for name in sorted(os.listdir(path)):
                inner = os.path.join(path, name)
                if os.path.isfile(inner):
                    yield name, Path(inner).read_bytes()
        else:
            yield key, Path(path).read_bytes()


def _file_source(source: str) -> tuple[str, str]:
    count = source.count("=")
    if count == 0:
        return os.path.basename(source), source
    if count > 1:
        raise CommandError("key names or file paths cannot contain '='")
    key, _, path = source.partition("=")
    if not key:
        raise CommandError(f"key name for file path {path} missing")
    if not path:
        raise CommandError(f"file path for key name {key} missing")
    return key, path


def _env_files(paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        try:
            text = Path(path).read_text()
        except FileNotFoundError:
            raise CommandError(f"error reading {path}: no such file or directory") from None
        for line in text.removeprefix("\ufeff").splitlines():
            line = line.lstrip()
            if not line or line.startswith("#"):
                continue
            key, equals, value = line.partition("=")
            if not _VARIABLE.fullmatch(key):
                raise CommandError(
                    f'"{key}" is not a valid key name: a valid environment variable name must consist of alphabetic characters, '
                    "digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or "
                    "'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
                )
            yield key, (value if equals else os.environ.get(key, "")).encode()
