"""What may stand at the end of a command line: commands, flags, resource types, names, namespaces, containers, contexts."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.resources import NAMESPACES, NODES, PODS, STABLE, ResourceType, built_in
from kctl.cli.command import Command, Group
from kctl.cli.configuration import uses_local_cluster
from kctl.cli.flags import Flag
from kctl.cli.lazy import load
from kctl.cli.options import GLOBAL_FLAGS, HELP_FLAG
from kctl.cli.session import Session

REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_FORMATS = (
    "custom-columns=",
    "custom-columns-file=",
    "go-template=",
    "go-template-file=",
    "json",
    "jsonpath=",
    "jsonpath-as-json=",
    "jsonpath-file=",
    "kyaml",
    "name",
    "wide",
    "yaml",
)
_FORMATS_OF = {
    "api-resources": ("name", "wide"),
    "version": ("json", "yaml"),
    "explain": ("plaintext", "plaintext-openapiv2"),
    "config get-contexts": ("name",),
    "cluster list": ("json", "name", "table"),
}
"""Where -o is not as everywhere."""

_VALUES = {
    "cascade": ("background", "foreground", "orphan"),
    "dry_run": ("client", "none", "server"),
    "for": ("condition=", "create", "delete", "jsonpath="),
    "image_pull_policy": ("Always", "IfNotPresent", "Never"),
    "profile": ("baseline", "general", "legacy", "netadmin", "restricted", "sysadmin"),
    "protocol": ("SCTP", "TCP", "UDP"),
    "restart": ("Always", "Never", "OnFailure"),
    "session_affinity": ("ClientIP", "None"),
    "subresource": ("resize", "scale", "status"),
    "type": ("ClusterIP", "LoadBalancer", "NodePort"),
    "validate": ("false", "ignore", "strict", "true", "warn"),
}
"""Flags of the same name mean the same everywhere, but --type."""

_ON_RESOURCES = frozenset(
    [
        "annotate",
        "apply",
        "autoscale",
        "delete",
        "describe",
        "edit",
        "expose",
        "get",
        "history",
        "label",
        "patch",
        "scale",
        "set",
        "story",
        "tree",
        "undo",
        "wait",
    ]
)
_WORKLOADS = ("daemonsets", "deployments", "statefulsets")
_SCALABLE = ("deployments", "replicasets", "replicationcontrollers", "statefulsets")
_TYPES_OF = {
    "rollout": _WORKLOADS,
    "scale": _SCALABLE,
    "autoscale": _SCALABLE,
    "expose": ("deployments", "pods", "replicasets", "replicationcontrollers", "services"),
}
"""Types that a command is for."""

_PODS_OF = frozenset(["attach", "cp", "debug", "exec", "logs", "port-forward", "why", "top pod"])
_NODES_OF = frozenset(["cordon", "drain", "uncordon", "taint", "top node"])
_REQUESTS_OF = frozenset(["certificate approve", "certificate deny"])
_CONTEXTS_OF = frozenset(["use-context", "delete-context", "rename-context", "set-context", "get-contexts"])
_ON_CLUSTERS = frozenset({"stop", "delete", "status", "kubeconfig", "use"})
_ON_SNAPSHOTS = frozenset({"restore", "fork", "delete"})


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
        possible = [f"{name}={value}" for value in await _values(session, given, path, arguments)]
    elif waiting is not None:
        possible = await _values(session, waiting, path, arguments)
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
    shared = GLOBAL_FLAGS if isinstance(command, type) else ()  # click's commands take none of them
    return command, path, arguments, [*_own_flags(command), *shared, HELP_FLAG]


def _own_flags(command: Any) -> list[Flag]:
    """Of one of kctl's command classes, or of a click command."""
    if isinstance(command, type):
        return list(command.flags.values()) if issubclass(command, Command) else []
    return [
        Flag(names, "string", "", "" if getattr(one, "is_flag", False) else None, "", bool(getattr(one, "hidden", False)))
        for one in getattr(command, "params", ())
        if (names := [*one.opts, *one.secondary_opts]) and any(name.startswith("--") for name in names)
    ]


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


async def _values(session: Session, flag: Flag, path: list[str], arguments: list[str]) -> list[str]:
    match flag.name:
        case "namespace":
            return await _names(session, NAMESPACES, "")
        case "output":
            return list(_FORMATS_OF.get(" ".join(path), _FORMATS))
        case "context":
            return list(session.kubeconfig.contexts)
        case "cluster":
            return _local_clusters() if uses_local_cluster(session.flags) else list(session.kubeconfig.clusters)
        case "user":
            return list(session.kubeconfig.users)
        case "container" if arguments:
            return await _containers(session, arguments[0])
        case "type" if path[:1] == ["patch"]:
            return ["json", "merge", "strategic"]
        case "type" if path[:2] == ["create", "secret"]:
            return []
    return list(_VALUES.get(flag.name, ()))


async def _containers(session: Session, pod: str) -> list[str]:
    found = await (await session.client()).get(PODS, pod.rpartition("/")[2], session.namespace)
    spec = objects.spec(found)
    return [one["name"] for field in ("containers", "initContainers", "ephemeralContainers") for one in spec.get(field) or ()]


async def _arguments(session: Session, path: list[str], arguments: list[str], prefix: str) -> list[str]:
    line = " ".join(path)
    if path[:1] == ["cluster"]:
        return _of_clusters(path)
    if path[:1] == ["config"]:
        return _of_configuration(session, path[-1])
    if path == ["completion"]:
        return ["bash", "fish", "zsh"]
    if line in _PODS_OF:
        return await _of_pods(session, path[0], arguments, prefix)
    if line in _NODES_OF or line in _REQUESTS_OF:
        return await _others(session, NODES if line in _NODES_OF else REQUESTS, "", arguments)
    if path[:2] == ["auth", "can-i"]:
        return list(_VERBS) if not arguments else await _types(session, prefix) if len(arguments) == 1 else []
    if path == ["explain"]:
        return await _types(session, prefix) if not arguments else []
    if path and path != ["apply"] and (path[0] in _ON_RESOURCES or path[0] == "rollout"):
        return await _on_resources(session, path, arguments, prefix)
    return []


async def _on_resources(session: Session, path: list[str], arguments: list[str], prefix: str) -> list[str]:
    """TYPE, then names; or TYPE/NAME."""
    if "/" in prefix:
        return [name for name in await _slashed(session, prefix) if name not in arguments]
    if not arguments:
        return list(_TYPES_OF[path[0]]) if path[0] in _TYPES_OF else await _types(session, prefix)
    if "/" in arguments[0]:
        return []
    resource = await (await session.mapper()).resource(arguments[0].split(",")[0])
    return await _others(session, resource, session.namespace if resource.namespaced else "", arguments[1:])


async def _of_pods(session: Session, command: str, arguments: list[str], prefix: str) -> list[str]:
    """The pod; for `logs` its container follows."""
    if arguments:
        return await _containers(session, arguments[0]) if command == "logs" and len(arguments) == 1 else []
    if "/" in prefix:
        return await _slashed(session, prefix)
    names = await _names(session, PODS, session.namespace)
    return [f"{name}:" for name in names] if command == "cp" else names


async def _others(session: Session, resource: ResourceType, namespace: str, given: list[str]) -> list[str]:
    """Those that do not stand on the line yet."""
    return [name for name in await _names(session, resource, namespace) if name not in given]


def _of_clusters(path: list[str]) -> list[str]:
    if path[1:2] == ["snapshot"] and path[2:] and path[2] in _ON_SNAPSHOTS:
        from kctl.cli.cluster_snapshot import snapshot_names

        return snapshot_names()
    return _local_clusters() if path[1:] and path[1] in _ON_CLUSTERS else []


def _of_configuration(session: Session, command: str) -> list[str]:
    config = session.kubeconfig
    if command in _CONTEXTS_OF:
        return list(config.contexts)
    if command in ("delete-cluster", "set-cluster"):
        return list(config.clusters)
    return list(config.users) if command in ("delete-user", "set-credentials") else []


async def _types(session: Session, prefix: str) -> list[str]:
    """Plural names, those of custom resources too where the server says; a short name that is already typed whole stays as it is."""
    try:
        types = await (await session.mapper()).types()
    except Exception:  # nobody answers: what every cluster has
        types = list(STABLE)
    listed = [resource for resource in types if "list" in resource.verbs]
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
