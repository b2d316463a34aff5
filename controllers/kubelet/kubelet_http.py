"""What a kubelet serves on its own port, reached through nodes/NAME/proxy: health, pods, metrics, statistics, logs, its configuration.

Imported with the first such request. What the real one serves and this one does not is refused by name.
"""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from controllers.kubelet import kubelet_metrics
from controllers.kubelet.kubelet_metrics import Counters
from kctl.apimachinery import objects
from kctl.apimachinery.field_ownership import managed_fields
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError
from kctl.client.kubelet import NodeUsage, PodUsage, ProxiedAnswer, ProxiedRequest

_TEXT, _JSON, _HTML = "text/plain; charset=utf-8", "application/json", "text/html; charset=utf-8"
_OWN_PROTOCOLS = frozenset({"exec", "attach", "portForward", "run", "cri", "checkpoint", "debug", "flags", "pprof", "statusz", "flagz"})
_HEALTH = ("", "ping", "log", "syncloop")


@dataclass(frozen=True, slots=True)
class NodeSources:
    """What one node's kubelet knows."""

    name: str
    counters: Counters
    node: Callable[[], Object]
    pods: Callable[[], Sequence[Object]]
    usage: Callable[[Object], PodUsage | None]
    node_usage: Callable[[], NodeUsage]
    logs: Callable[[str, str, str, Mapping[str, str]], Awaitable[AsyncIterator[bytes]]]
    """namespace, pod, container, options. Raises ApiError."""


class _Asked(NamedTuple):
    parts: Sequence[str]
    """Of the path, not escaped; '' at the end where it ends in a slash."""
    query: Mapping[str, str]


async def answer(sources: NodeSources, request: ProxiedRequest) -> ProxiedAnswer:
    target = urlsplit(request.target)
    asked = _Asked([unquote(part) for part in target.path.split("/")[1:]], dict(parse_qsl(target.query)))
    first = asked.parts[0]
    if first in _OWN_PROTOCOLS:
        return _text(501, f"/{first} is not served by simulated kubelets: pods/exec, pods/attach and pods/portforward are")
    serve = _SERVED.get(first)
    if serve is None:
        return _not_found()
    if request.method not in ("GET", "HEAD"):
        return ProxiedAnswer(405, {"Content-Type": _TEXT, "Allow": "GET"}, b"405: Method Not Allowed")
    return await serve(sources, asked)


def _text(status: int, text: str) -> ProxiedAnswer:
    return ProxiedAnswer(status, {"Content-Type": _TEXT, "X-Content-Type-Options": "nosniff"}, f"{text}\n".encode())


def _not_found() -> ProxiedAnswer:
    return _text(404, "404 page not found")


def _json(value: Any) -> ProxiedAnswer:
    return ProxiedAnswer(200, {"Content-Type": _JSON}, orjson.dumps(value, managed_fields.default))


async def _health(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    rest = "/".join(asked.parts[1:])
    return ProxiedAnswer(200, {"Content-Type": _TEXT}, b"ok") if rest in _HEALTH else _not_found()


async def _pods(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    if asked.parts[1:] not in ([], [""]):
        return _not_found()
    return _json(_pod_list(sources.pods()))


def _pod_list(pods: Sequence[Object]) -> Object:
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": list(pods)}


async def _running_pods(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    """As the container runtime has them: names, images, nothing else."""
    running = []
    for pod in sources.pods():
        states = {each["name"]: each for each in objects.status(pod).get("containerStatuses") or ()}
        live = [name for name, each in states.items() if "running" in (each.get("state") or {})]
        if live:
            meta = {"name": objects.name(pod), "namespace": objects.namespace(pod), "uid": objects.uid(pod)}
            containers = [{"name": name, "image": states[name].get("imageID", ""), "resources": {}} for name in live]
            running.append({"metadata": meta, "spec": {"containers": containers}, "status": {}})
    return _json(_pod_list(running))


def _measured(sources: NodeSources) -> list[PodUsage]:
    measured = [found for pod in sources.pods() if (found := sources.usage(pod)) is not None]
    sources.counters.keep(measured)
    return measured


async def _metrics(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    rest = "/".join(asked.parts[1:]).rstrip("/")
    if rest == "probes":
        return _text(501, "/metrics/probes is not served by simulated kubelets")
    lines = {"": kubelet_metrics.own, "resource": kubelet_metrics.resource, "cadvisor": kubelet_metrics.cadvisor}.get(rest)
    if lines is None:
        return _not_found()
    measured = _measured(sources)
    text = "\n".join(lines(sources.name, sources.node_usage(), measured, sources.counters)) + "\n"
    return ProxiedAnswer(200, {"Content-Type": "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"}, text.encode())


async def _stats(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    if asked.parts[1:] not in (["summary"], ["summary", ""]):
        return _not_found()
    measured = _measured(sources)
    return _json(kubelet_metrics.summary(sources.node(), sources.node_usage(), measured, sources.counters))


async def _configz(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    """Of a kubelet's configuration what a simulated one goes by."""
    capacity = objects.status(sources.node()).get("capacity") or {}
    config = {
        "enableServer": True,
        "syncFrequency": "1m0s",
        "port": 10250,
        "clusterDomain": "cluster.local",
        "clusterDNS": ["10.96.0.10"],
        "nodeStatusUpdateFrequency": "10s",
        "nodeStatusReportFrequency": "5m0s",
        "nodeLeaseDurationSeconds": 40,
        "maxPods": int(capacity.get("pods") or 110),
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
    }
    return _json({"kubeletconfig": config})


# ---- logs


async def _container_logs(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    if len(asked.parts) != 4:
        return _not_found()
    _, namespace, pod, container = asked.parts
    try:
        chunks = await sources.logs(namespace, pod, container, asked.query)
    except ApiError as error:
        return _text(error.http_status, error.message)
    return ProxiedAnswer(200, {"Content-Type": _TEXT}, chunks)


async def _logs(sources: NodeSources, asked: _Asked) -> ProxiedAnswer:
    """/var/log of the node: the logs of its containers, as a file server shows them."""
    where = [part for part in asked.parts[1:] if part]
    if not where:
        return _listing(["containers/"])
    if where[0] != "containers" or len(where) > 2:
        return _not_found()
    files = {name: place for pod in sources.pods() for name, place in _log_files(pod)}
    if len(where) == 1:
        return _listing(sorted(files))
    place = files.get(where[1])
    if place is None:
        return _not_found()
    try:
        chunks = await sources.logs(*place, {"timestamps": "true"})
    except ApiError as error:
        return _text(error.http_status, error.message)
    return ProxiedAnswer(200, {"Content-Type": _TEXT}, _as_file(chunks))


def _log_files(pod: Object) -> list[tuple[str, tuple[str, str, str]]]:
    files = []
    for status in objects.status(pod).get("containerStatuses") or ():
        identifier = str(status.get("containerID") or "").rpartition("/")[2]
        if identifier:
            place = objects.namespace(pod), objects.name(pod), str(status["name"])
            files.append((f"{place[1]}_{place[0]}_{place[2]}-{identifier}.log", place))
    return files


async def _as_file(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines as a container runtime writes them: time, stream, whole or part, text."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield b"".join(b"%b stdout F %b\n" % line.partition(b" ")[::2] for line in lines)


def _listing(names: Sequence[str]) -> ProxiedAnswer:
    rows = "".join(f'<a href="{html.escape(name)}">{html.escape(name)}</a>\n' for name in names)
    page = f'<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n{rows}</pre>\n'
    return ProxiedAnswer(200, {"Content-Type": _HTML}, page.encode())


_SERVED: Mapping[str, Callable[[NodeSources, _Asked], Awaitable[ProxiedAnswer]]] = {
    "healthz": _health,
    "pods": _pods,
    "runningpods": _running_pods,
    "metrics": _metrics,
    "stats": _stats,
    "configz": _configz,
    "containerLogs": _container_logs,
    "logs": _logs,
}
