"""The fields of a kubeconfig's entries, in the order of their Go types: what is shown, what survives being written.

client-go reads a file into these types and writes the types back: unknown fields are lost, empty ones left out except
those without omitempty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Entry = dict[str, Any]

CLUSTER: Final[Mapping[str, str]] = {
    "server": "string",
    "tls-server-name": "string",
    "insecure-skip-tls-verify": "bool",
    "certificate-authority": "string",
    "certificate-authority-data": "bytes",
    "proxy-url": "string",
    "disable-compression": "bool",
    "extensions": "map",
}
USER: Final[Mapping[str, str]] = {
    "client-certificate": "string",
    "client-certificate-data": "bytes",
    "client-key": "string",
    "client-key-data": "bytes",
    "token": "string",
    "tokenFile": "string",
    "as": "string",
    "as-uid": "string",
    "as-groups": "list",
    "as-user-extra": "map",
    "username": "string",
    "password": "string",
    "auth-provider": "map",
    "exec": "map",
    "extensions": "map",
}
CONTEXT: Final[Mapping[str, str]] = {"cluster": "string", "user": "string", "namespace": "string", "extensions": "map"}
OF_SECTION: Final = {"clusters": CLUSTER, "users": USER, "contexts": CONTEXT}
_ALWAYS: Final = {"clusters": ("server",), "users": (), "contexts": ("cluster", "user")}
_EXEC: Final = (
    "command",
    "args",
    "env",
    "apiVersion",
    "installHint",
    "provideClusterInfo",
    "interactiveMode",
)


def ordered(section: str, settings: Mapping[str, Any]) -> Entry:
    """The entry as client-go would write it."""
    shaped: Entry = {}
    for name, kind in OF_SECTION[section].items():
        value = settings.get(name)
        if value or name in _ALWAYS[section]:
            shaped[name] = _shaped(name, kind, value)
    return shaped


def _shaped(name: str, kind: str, value: Any) -> Any:
    if name == "exec":
        return _plugin(value)
    if name == "extensions" and isinstance(value, list) and all(isinstance(extension, dict) for extension in value):
        return [{"name": extension.get("name") or "", "extension": extension.get("extension")} for extension in value]
    return "" if value is None and kind == "string" else value


def _plugin(plugin: Any) -> Entry:
    full: Entry = {"command": "", "args": None, "env": None, "provideClusterInfo": False, **plugin}
    return {name: full[name] for name in _EXEC if full.get(name) or name in ("command", "args", "env", "provideClusterInfo")}


def config_object(contexts: Mapping[str, Entry], clusters: Mapping[str, Entry], users: Mapping[str, Entry], current: str) -> Entry:
    """The v1 Config, entries by name."""
    obj: Entry = {"kind": "Config", "apiVersion": "v1"}
    for section, singular, entries in (
        ("clusters", "cluster", clusters),
        ("users", "user", users),
        ("contexts", "context", contexts),
    ):
        obj[section] = [{"name": name, singular: ordered(section, entries[name])} for name in sorted(entries)] or None
    obj["current-context"] = current
    return obj
