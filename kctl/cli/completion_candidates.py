"""What may stand at the end of a command line: commands, flags, resource types, names, namespaces, containers, contexts."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES, PODS, STABLE, ResourceType
from kctl.cli.command import Command, Group
from kctl.cli.configuration import uses_local_cluster
from kctl.cli.flags import Flag
from kctl.cli.lazy import load
from kctl.cli.options import GLOBAL_FLAGS, HELP_FLAG
from kctl.cli.session import Session

_FORMATS = (
    "custom-columns=",
    "custom-columns-file=",
    "go-template=",
    "go-template-file=",
    "json",
    "jsonpath=",
    "jsonpath-as-json=",
    "jsonpath-file=",
    "name",
    "wide",
    "yaml",
)
_ON_RESOURCES = frozenset({"get", "describe", "delete", "label", "annotate", "scale", "wait", "edit", "patch", "explain"})
_ROLLOUT_TYPES = ("deployments", "daemonsets", "statefulsets")
_ON_CLUSTERS = frozenset({"stop", "delete", "status", "kubeconfig", "use"})


async def candidates(session: Session, words: list[str]) -> list[str]:
    """`words` is the line after the program's name; the last is the one to complete, '' for a new one. Sorted."""
    from kctl.cli.main import Root

    prefix = words[-1]
    command, path, arguments, flags = _walk(Root, words[:-1])
    session.flags.update(_globals(words[:-1]))
    waiting = _waiting_flag(flags, words[:-1])
    given = next((flag for flag in flags if prefix.partition("=")[0] in flag.opts), None) if "=" in prefix else None
    if given is not None:
        name = prefix.partition("=")[0]
        possible = [f"{name}={value}" for value in await _values(session, given, arguments)]
    elif waiting is not None:
        possible = await _values(session, waiting, arguments)
    elif prefix.startswith("-"):
        possible = [name for flag in flags for name in flag.opts if name.startswith("--") or prefix == "-"]
    elif (members := _members(command)) and not arguments:
        possible = [name for name in members if not name.startswith("_")]
    else:
        possible = await _arguments(session, path, arguments, prefix)
    return sorted({candidate for candidate in possible if candidate.startswith(prefix)})


def _members(command: Any) -> list[str]:
    """The sub-commands of one of kctl's command classes, or of a click group."""
    return list(getattr(command, "members", None) or getattr(command, "commands", None) or ())


def _child(command: Any, word: str) -> Any:
    if isinstance(command, type):
        member = command.member(word) if issubclass(command, Group) else None
        return load(member) if member is not None else None
    return getattr(command, "commands", {}).get(word)


def _walk(root: type[Group], words: list[str]) -> tuple[Any, list[str], list[str], list[Flag]]:
    """The command reached, its path, the arguments after it, and the flags that may stand there."""
    command: Any = root
    path: list[str] = []
    arguments: list[str] = []
    takes_value = {name for flag in GLOBAL_FLAGS if flag.bare is None for name in flag.opts}
    skip = False
    for word in words:
        if skip:
            skip = False
            continue
        if word.startswith("-"):
            own = {name for flag in _own_flags(command) if flag.bare is None for name in flag.opts}
            skip = "=" not in word and word in takes_value | own
            continue
        child = _child(command, word) if not arguments else None
        if child is not None:
            command, path = child, [*path, word]
        else:
            arguments.append(word)
    return command, path, arguments, [*_own_flags(command), *GLOBAL_FLAGS, HELP_FLAG]


def _own_flags(command: Any) -> list[Flag]:
    return list(command.flags.values()) if isinstance(command, type) and issubclass(command, Command) else []


def _globals(words: list[str]) -> dict[str, str]:
    """The global flags already on the line that say which cluster and namespace is meant."""
    names = {"-n": "namespace", "-s": "server"} | {f"--{n}": n for n in ("namespace", "server", "kubeconfig", "context", "cluster", "user")}
    given: dict[str, str] = {}
    for position, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag in names:
            if equals:
                given[names[flag]] = value
            elif position + 1 < len(words):
                given[names[flag]] = words[position + 1]
    return given


def _waiting_flag(flags: list[Flag], words: list[str]) -> Flag | None:
    """The flag whose value comes next."""
    if not words or not words[-1].startswith("-") or "=" in words[-1]:
        return None
    return next((flag for flag in flags if words[-1] in flag.opts and flag.bare is None), None)


async def _values(session: Session, flag: Flag, arguments: list[str]) -> list[str]:
    match flag.name:
        case "namespace":
            return await _names(session, NAMESPACES, "")
        case "output":
            return list(_FORMATS)
        case "context":
            return list(session.kubeconfig.contexts)
        case "cluster":
            return _local_clusters() if uses_local_cluster(session.flags) else list(session.kubeconfig.clusters)
        case "user":
            return list(session.kubeconfig.users)
        case "container" if arguments:
            pod = await (await session.client()).get(PODS, arguments[-1].removeprefix("pod/"), session.namespace)
            return [container["name"] for container in objects.spec(pod).get("containers") or ()]
        case "dry_run":
            return ["none", "client", "server"]
        case "cascade":
            return ["background", "foreground", "orphan"]
    return []


async def _arguments(session: Session, path: list[str], arguments: list[str], prefix: str) -> list[str]:
    if path[:1] == ["cluster"] and path[1:] and path[1] in _ON_CLUSTERS:
        return _local_clusters()
    if path[:1] == ["config"]:
        return (
            list(session.kubeconfig.contexts)
            if path[-1] in ("use-context", "delete-context", "rename-context", "set-context", "get-contexts")
            else []
        )
    if path == ["completion"]:
        return ["bash", "zsh", "fish"]
    if path == ["logs"]:
        return await _slashed(session, prefix) if "/" in prefix else await _names(session, PODS, session.namespace)
    if path[:1] == ["rollout"] or (path and path[0] in _ON_RESOURCES):
        if "/" in prefix:
            return await _slashed(session, prefix)
        if not arguments:
            return _types(prefix) if path[0] != "rollout" else list(_ROLLOUT_TYPES)
        if "/" in arguments[0] or path == ["explain"]:
            return []
        resource = await (await session.mapper()).resource(arguments[0].split(",")[0])
        return await _names(session, resource, session.namespace if resource.namespaced else "")
    return []


def _types(prefix: str) -> list[str]:
    """Plural names; a short name that is already typed whole stays as it is."""
    listed = [resource for resource in STABLE if "list" in resource.verbs]
    return [resource.plural for resource in listed] + [prefix for resource in listed if prefix in resource.short_names]


async def _slashed(session: Session, prefix: str) -> list[str]:
    """pods/web-1 for pods/we"""
    word = prefix.partition("/")[0]
    resource = await (await session.mapper()).resource(word)
    return [f"{word}/{name}" for name in await _names(session, resource, session.namespace if resource.namespaced else "")]


async def _names(session: Session, resource: ResourceType, namespace: str) -> list[str]:
    listed = await (await session.client()).list(resource, namespace)
    return [objects.name(item) for item in listed.get("items") or ()]


def _local_clusters() -> list[str]:
    from kctl.cli.cluster import cluster_names

    return cluster_names()
