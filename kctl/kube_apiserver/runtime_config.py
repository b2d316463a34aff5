"""--runtime-config: which API versions and resources are served (upstream's APIEnablementOptions and resourceconfig).

As in a default cluster what is stable is served and nothing else. Loaded only where the flag is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from kctl.apimachinery.resources import BUILT_IN, STABLE, ResourceType

_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")
_MATCHERS: Final[Mapping[str, Callable[[str], object]]] = {
    "api/all": lambda version: True,
    "api/ga": re.compile(r"v\d+").fullmatch,
    "api/beta": re.compile(r"v\d+beta\d+").fullmatch,
    "api/alpha": re.compile(r"v\d+alpha\d+").fullmatch,
}
"""In the order in which they apply."""
_LARGEST = 64 * 1024


class InvalidRuntimeConfig(ValueError):
    """In kube-apiserver's words."""


def parse(text: str) -> dict[str, str]:
    """The flag's value, `key=value` pairs joined by commas. Raises InvalidRuntimeConfig for what is too long only."""
    if len(text) > _LARGEST:
        raise InvalidRuntimeConfig("runtime-config is too long")
    found: dict[str, str] = {}
    for pair in text.split(","):
        if pair:
            key, _, value = pair.partition("=")
            found[key.strip()] = value.strip()
    return found


def served(config: Mapping[str, str], types: Sequence[ResourceType] = BUILT_IN) -> tuple[ResourceType, ...]:
    """What is served of `types`, in their order. Raises InvalidRuntimeConfig."""
    _check(config, {entry.group for entry in types})
    versions = {(entry.group, entry.version): False for entry in types}
    versions |= {(entry.group, entry.version): True for entry in STABLE}
    for key, matches in _MATCHERS.items():
        value = config.get(key)
        if value is None:
            continue
        if value not in ("true", "false"):
            raise InvalidRuntimeConfig(f"invalid value {key}={value}")
        versions |= {each: value == "true" for each in versions if matches(each[1])}
    resources: dict[tuple[str, str, str], bool] = {}
    for key, value in config.items():
        if key in _MATCHERS:
            continue
        group, version, *rest = _parts(key)
        if (group, version) not in versions:
            shown = f"{group}/{version}" if group else version
            raise InvalidRuntimeConfig(f"group version {shown} that has not been registered")
        enabled = _boolean(key, value)
        if not rest:
            versions[group, version] = enabled
        elif rest[0] != rest[0].lower():
            raise InvalidRuntimeConfig(
                f'invalid key {key}: group/version/resource and resource is always lowercase plural, not "{rest[0]}"'
            )
        else:
            resources[group, version, rest[0]] = enabled
    return tuple(
        entry for entry in types if resources.get((entry.group, entry.version, entry.plural), versions[entry.group, entry.version])
    )


def _check(config: Mapping[str, str], groups: set[str]) -> None:
    if len(config) == 1 and config.get("api/all") == "false":
        raise InvalidRuntimeConfig("invalid key with only api/all=false")
    unknown = []
    for key in config:
        if key in _MATCHERS:
            continue
        parts = _parts(key)
        if len(parts) not in (2, 3):
            raise InvalidRuntimeConfig(f"runtime-config invalid key {key}")
        if parts[0] not in groups:
            unknown.append(parts[0])
    if unknown:
        raise InvalidRuntimeConfig(f"unknown api groups {','.join(unknown)}")


def _parts(key: str) -> list[str]:
    """The core group is '' as in `/v1/pods`; the documentation calls it `api/v1`."""
    parts = key.split("/")
    return ["", *parts[1:]] if parts[:2] == ["api", "v1"] else parts


def _boolean(key: str, value: str) -> bool:
    if value == "" or value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise InvalidRuntimeConfig(f'invalid value of {key}: {value}, err: strconv.ParseBool: parsing "{value}": invalid syntax')
