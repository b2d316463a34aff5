"""kubeconfig files: read, merge as client-go's loading rules do, resolve to one cluster, user and namespace, write back.

Merging: maps go by name and the first file that has a name wins; the first current-context wins; missing files of
$KUBECONFIG are skipped, an explicit --kubeconfig must exist. Relative file names in an entry are relative to its file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Section = dict[str, dict[str, Any]]

_SECTIONS = (("clusters", "cluster"), ("contexts", "context"), ("users", "user"))
_GO_TYPES = {"clusters": "Cluster", "contexts": "Context", "users": "AuthInfo"}
_JSON_TYPES: tuple[tuple[type | tuple[type, ...], str], ...] = ((bool, "bool"), ((int, float), "number"), (list, "array"), (dict, "object"))
LOCAL_CLUSTER_EXTENSION = "kctl.dev/cluster"
"""Names the extension of a cluster's entry that says which local cluster of kctl it is."""
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class InvalidConfig(Exception):
    """The configuration contradicts itself: `context was not found for specified context: x`."""


class UnreadableConfig(Exception):
    """A file that is missing or is no kubeconfig; a flag that names an entry it does not have."""


class Kubeconfig:
    """`origin` says which file an entry came from: (section, name) -> path."""

    def __init__(
        self,
        clusters: Section | None = None,
        contexts: Section | None = None,
        users: Section | None = None,
        current_context: str = "",
        preferences: dict[str, Any] | None = None,
        origin: dict[tuple[str, str], Path] | None = None,
        current_context_origin: Path | None = None,
    ) -> None:
        self.clusters: Section = {} if clusters is None else clusters
        self.contexts: Section = {} if contexts is None else contexts
        self.users: Section = {} if users is None else users
        self.current_context = current_context
        self.preferences: dict[str, Any] = {} if preferences is None else preferences
        self.origin: dict[tuple[str, str], Path] = {} if origin is None else origin
        self.current_context_origin = current_context_origin

    @property
    def empty(self) -> bool:
        return not (self.clusters or self.contexts or self.users or self.current_context)

    def section(self, name: str) -> Section:
        section: Section = getattr(self, name)
        return section

    def as_object(self) -> dict[str, Any]:
        """The v1 Config object, entries sorted by name as client-go writes them."""
        obj: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "preferences": self.preferences}
        for plural, singular in _SECTIONS:
            entries = self.section(plural)
            obj[plural] = [{"name": name, singular: entries[name]} for name in sorted(entries)] or None
        obj["current-context"] = self.current_context
        return obj


def parse(text: bytes, path: Path) -> Kubeconfig:
    """One file. Raises UnreadableConfig."""
    raw = _decode(text, path)
    preferences = raw.get("preferences") or {}
    if not isinstance(preferences, dict):
        raise _wrong_type(path, preferences, "Config.preferences of type v1.Preferences")
    config = Kubeconfig(current_context=str(raw.get("current-context") or ""), preferences=preferences)
    if config.current_context:
        config.current_context_origin = path
    for plural, singular in _SECTIONS:
        for named in _entries(raw, plural, singular, path):
            name = str(named.get("name") or "")
            config.section(plural).setdefault(name, dict(named.get(singular) or {}))
            config.origin[plural, name] = path
    return config


def _entries(raw: dict[str, Any], plural: str, singular: str, path: Path) -> list[dict[str, Any]]:
    listed = raw.get(plural) or []
    kind = _GO_TYPES[plural]
    if not isinstance(listed, list):
        raise _wrong_type(path, listed, f"Config.{plural} of type []v1.Named{kind}")
    for config in listed:
        if not isinstance(config, dict):
            raise _wrong_type(path, config, f"Config.{plural} of type v1.Named{kind}")
        if not isinstance(config.get(singular) or {}, dict):
            raise _wrong_type(path, config[singular], f"Named{kind}.{plural}.{singular} of type v1.{kind}")
    return listed


def _wrong_type(path: Path, value: Any, field: str) -> UnreadableConfig:
    kind = next((name for types, name in _JSON_TYPES if isinstance(value, types)), "string")
    return UnreadableConfig(f'error loading config file "{path}": json: cannot unmarshal {kind} into Go struct field {field}')


def _decode(text: bytes, path: Path) -> dict[str, Any]:
    stripped = text.lstrip()
    if not stripped:
        return {}
    if stripped.startswith(b"{"):
        import orjson

        try:
            decoded = orjson.loads(stripped)
            return decoded if isinstance(decoded, dict) else {}
        except orjson.JSONDecodeError:
            pass
    from kctl.client import plain_yaml

    try:
        plain = plain_yaml.read(text.decode())
    except UnicodeDecodeError:
        plain = None
    if isinstance(plain, dict):
        return plain
    import yaml

    try:
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise UnreadableConfig(f'error loading config file "{path}": {" ".join(str(error).split())}') from None
    if loaded is not None and not isinstance(loaded, dict):
        raise UnreadableConfig(
            f'error loading config file "{path}": couldn\'t get version/kind; json parse error: json: cannot unmarshal '
            f"{'array' if isinstance(loaded, list) else 'string'} into Go value of type struct "
            '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    return loaded or {}


def load(path: Path) -> Kubeconfig:
    try:
        return parse(path.read_bytes(), path)
    except FileNotFoundError:
        raise UnreadableConfig(f"stat {path}: no such file or directory") from None
    except OSError as error:
        raise UnreadableConfig(f'error loading config file "{path}": open {path}: {_reason(error)}') from None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def load_all(paths: Sequence[Path]) -> Kubeconfig:
    """Files of $KUBECONFIG merged in order."""
    merged = Kubeconfig()
    for path in paths:
        if path.exists():
            _merge(merged, load(path))
    return merged


def _merge(into: Kubeconfig, other: Kubeconfig) -> None:
    for plural, _ in _SECTIONS:
        for name, settings in other.section(plural).items():
            if name not in into.section(plural):
                into.section(plural)[name] = settings
                into.origin[plural, name] = other.origin[plural, name]
    if not into.current_context:
        into.current_context = other.current_context
        into.current_context_origin = other.current_context_origin
    into.preferences = {**other.preferences, **into.preferences}


def environment_paths(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """$KUBECONFIG as a list, without repeats."""
    return [Path(part) for part in dict.fromkeys(environment.get("KUBECONFIG", "").split(os.pathsep)) if part]


_NOTHING: Mapping[str, Any] = {}


class Overrides(NamedTuple):
    """What the global flags say instead of the file."""

    context: str = ""
    cluster: str = ""
    user: str = ""
    namespace: str = ""
    server: str = ""
    cluster_fields: Mapping[str, Any] = _NOTHING
    user_fields: Mapping[str, Any] = _NOTHING


class ResolvedConfig(NamedTuple):
    """Where to connect and as whom. `cluster` and `user` have the fields of the kubeconfig, with absolute file names."""

    server: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    namespace: str = "default"
    namespace_is_explicit: bool = False
    context: str = ""
    user_name: str = ""


def local_cluster(cluster: Mapping[str, Any]) -> str:
    """Which local cluster a cluster's entry is of; '' where it does not say."""
    extensions = cluster.get("extensions")
    for extension in extensions if isinstance(extensions, list) else ():
        if (
            isinstance(extension, dict)
            and extension.get("name") == LOCAL_CLUSTER_EXTENSION
            and isinstance(extension.get("extension"), dict)
        ):
            return str(extension["extension"].get("cluster") or "")
    return ""


def at_server(config: ResolvedConfig, server: str) -> ResolvedConfig:
    """The same cluster, reached at another address."""
    return ResolvedConfig(
        server, config.cluster, config.user, config.namespace, config.namespace_is_explicit, config.context, config.user_name
    )


DEFAULT_SERVER = "http://localhost:8080"


def resolve(config: Kubeconfig, overrides: Overrides) -> ResolvedConfig:
    """Raises InvalidConfig with client-go's words."""
    context_name = overrides.context or config.current_context
    context = config.contexts.get(context_name)
    if context is None:
        if overrides.context:
            raise InvalidConfig(f"context was not found for specified context: {context_name}")
        context = {}
    user_name = overrides.user or str(context.get("user") or "")
    cluster = _entry(config, "clusters", overrides.cluster or str(context.get("cluster") or ""), overrides.cluster)
    user = _entry(config, "users", user_name, overrides.user)
    cluster = {**cluster, **overrides.cluster_fields}
    user = _without_rivals({**user, **overrides.user_fields}, overrides.user_fields)
    server = str(overrides.server or cluster.get("server") or DEFAULT_SERVER)
    if "://" not in server:
        server = f"http://{server}"
    namespace = overrides.namespace or str(context.get("namespace") or "")
    explicit = bool(overrides.namespace)
    return ResolvedConfig(server.rstrip("/"), cluster, user, namespace or "default", explicit, context_name, user_name)


def _entry(config: Kubeconfig, plural: str, name: str, asked: str) -> dict[str, Any]:
    settings = config.section(plural).get(name)
    if settings is None:
        singular = plural.removesuffix("s")
        if asked:
            if singular == "user":
                raise UnreadableConfig(f'auth info "{name}" does not exist')
            raise UnreadableConfig(f'no server found for cluster "{name}"')
        return {}
    path = config.origin.get((plural, name))
    folder = path.parent if path is not None else Path()
    return {key: str(folder / value) if key in _FILES and value else value for key, value in settings.items()}


def _without_rivals(user: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A token on the command line beats a token file or plugin of the kubeconfig."""
    if "token" in given:
        user.pop("tokenFile", None)
        user.pop("exec", None)
    for name in ("client-certificate", "client-key"):
        if name in given:
            user.pop(f"{name}-data", None)
    return user
