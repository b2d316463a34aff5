"""pods/exec, pods/attach and pods/portforward: what is asked and whether it may be, before the connection becomes another protocol's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs

from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest, InternalError, ServiceUnavailable
from kctl.client.kubelet import KubeletConnector, Process, Terminal
from kctl.kube_apiserver.registry.list_options import parse_bool
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import RawAnswer, Response, UpgradeAnswer
from kctl.kube_apiserver.streaming import port_forward, remote_command
from kctl.kube_apiserver.streaming.connection import Connection
from kctl.kube_apiserver.streaming.remote_command import Options
from kctl.kube_apiserver.subresources.log import container_of

_SPDY = "SPDY/3.1"
_KINDS = {"exec": "PodExecOptions", "attach": "PodAttachOptions", "portforward": "PodPortForwardOptions"}
_MOST_PORTS = 100
_MOST_ARGUMENTS = 1_000
Serve = Callable[[Connection], Awaitable[None]]


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    if request.method not in ("GET", "POST"):
        from kctl.kube_apiserver.request_info import not_allowed

        raise not_allowed()
    query = parse_qs(request.wire.raw_query, keep_blank_values=True) if request.wire is not None else {}
    options = _options(request, query)
    caller = request.caller()
    await request.endpoint.admit_subresource(request.namespace, request.name, request.subresource, options, caller, "CONNECT")
    _check_permission(registry, request)
    pod = request.endpoint.get(request.namespace, request.name).object
    container = "" if request.subresource == "portforward" else container_of(pod, query.get("container", [""])[0])
    node = objects.spec(pod).get("nodeName")
    if not node:
        raise BadRequest(f"pod {request.name} does not have a host assigned")
    upgrade = request.headers.get("upgrade", "")
    if "upgrade" not in request.headers.get("connection", "").lower() or not upgrade:
        raise BadRequest("Upgrade request required")
    connector = registry.parts.kubelets.connector
    if connector is None:
        raise ServiceUnavailable(f"the kubelet of node {node} cannot be reached: no kubelets run with this server")
    if request.subresource == "portforward":
        return await _port_forward(registry, request, connector, node, upgrade, options)
    wanted = Options(*(bool(options.get(name)) for name in ("stdin", "stdout", "stderr", "tty")))
    if not any(wanted[:3]):
        return _plain(400, "you must specify at least 1 of stdin, stdout, stderr")
    if wanted.tty:
        wanted = wanted._replace(stderr=False)  # as the kubelet: there is only one stream of output then
    return await _command(registry, request, connector, node, container, upgrade, options, wanted)


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> RawAnswer:
    """What a kubelet answers is passed on as it is."""
    return RawAnswer(f"{text}\n".encode(), "text/plain; charset=utf-8", status, headers or {})


def _options(request: ResourceRequest, query: Mapping[str, Sequence[str]]) -> Object:
    """The query as the object that admission sees."""
    options: Object = {"kind": _KINDS[request.subresource], "apiVersion": "v1"}
    if request.subresource == "portforward":
        given = [part for text in query.get("ports", ()) for part in text.split(",") if part]
        if len(given) > _MOST_PORTS:
            raise BadRequest(f"{len(given)} ports are too many")
        for text in given:
            if not (text.isascii() and text.isdigit() and len(text) < 10):
                raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
        return options | ({"ports": [int(text) for text in given]} if given else {})
    for name in ("stdin", "stdout", "stderr", "tty"):
        if name in query and parse_bool(query[name][0]):
            options[name] = True
    if query.get("container"):
        options["container"] = query["container"][0]
    if request.subresource == "exec":
        command = query.get("command", [])
        if len(command) > _MOST_ARGUMENTS:
            raise BadRequest(f"a command of {len(command)} arguments is too long")
        options["command"] = command
    return options


def _check_permission(registry: Registry, request: ResourceRequest) -> None:
    """Who comes with GET, as WebSockets do, needs the permission to create too (AuthorizePodWebsocketUpgradeCreatePermission)."""
    from kctl.kube_apiserver.authorization.forbidden import refusal
    from kctl.kube_apiserver.filters.request_attributes import attributes_of

    asked = replace(attributes_of(request), verb="create")
    verdict = registry.parts.authorization.authorize(asked)
    if not verdict.allowed:
        raise refusal(asked, verdict.reason)


def _named(headers: Mapping[str, str], name: str) -> list[str]:
    return [part.strip() for part in headers.get(name, "").split(",") if part.strip()]


# ---- exec and attach


async def _command(
    registry: Registry,
    request: ResourceRequest,
    connector: KubeletConnector,
    node: str,
    container: str,
    upgrade: str,
    options: Object,
    wanted: Options,
) -> Response:
    command, doing = options.get("command", ()), "executing command in container"
    prepare = partial(connector.exec, node, request.namespace, request.name, container, command)
    if request.subresource == "attach":
        prepare, doing = partial(connector.attach, node, request.namespace, request.name, container), "attaching to container"
    clock = registry.clock.machine
    if upgrade.lower() == "websocket":
        return await _over_websocket(request, prepare, partial(_serve_websocket, wanted, clock, doing))
    if upgrade.upper() != _SPDY:
        return _plain(400, f"unable to upgrade: missing upgrade headers in request: {dict(request.headers)}")
    try:
        process = await prepare()
    except InternalError as error:
        return _plain(500, str(error))
    version = _negotiated(request, remote_command.SPDY_VERSIONS, "channel.k8s.io")
    if version is None:
        return _no_protocol(request, list(remote_command.SPDY_VERSIONS))
    protocol = version

    def serve(connection: Connection) -> Awaitable[None]:
        return remote_command.over_spdy(connection, protocol, wanted, clock, process, doing)

    return UpgradeAnswer(_SPDY, serve, headers={"X-Stream-Protocol-Version": protocol})


def _serve_websocket(wanted: Options, clock: Clock, doing: str, protocol: str, process: Process) -> Serve:
    return lambda connection: remote_command.over_websocket(connection, protocol, wanted, clock, process, doing)


async def _over_websocket(
    request: ResourceRequest, prepare: Callable[[], Awaitable[Process]], serve: Callable[[str, Process], Serve]
) -> Response:
    named = _named(request.headers, "sec-websocket-protocol")
    protocol = next((name for name in (named or [""]) if name in remote_command.WEBSOCKET_VERSIONS), None)
    if protocol is None:
        return RawAnswer(b"", "", 403)

    async def later(terminal: Terminal) -> int:
        process = await prepare()
        return await process(terminal)

    process: Process = later  # of the fifth version: what the kubelet says comes over the error channel
    if remote_command.WEBSOCKET_VERSIONS[protocol] < 5:
        try:
            process = await prepare()
        except InternalError as error:
            return _plain(500, str(error))
    return UpgradeAnswer("websocket", serve(protocol, process), protocol, as_text="base64" in protocol)


def _negotiated(request: ResourceRequest, known: Mapping[str, int], default: str) -> str | None:
    """A client that names no version is of the time before there were versions."""
    asked = _named(request.headers, "x-stream-protocol-version")
    return next((name for name in asked if name in known), None) if asked else default


def _no_protocol(request: ResourceRequest, accepted: Sequence[str]) -> RawAnswer:
    asked = " ".join(_named(request.headers, "x-stream-protocol-version"))
    text = f"unable to upgrade: unable to negotiate protocol: client supports [{asked}], server accepts [{' '.join(accepted)}]"
    return _plain(403, text, {"X-Accepted-Stream-Protocol-Versions": ", ".join(accepted)})


# ---- port-forward


async def _port_forward(
    registry: Registry, request: ResourceRequest, connector: KubeletConnector, node: str, upgrade: str, options: Object
) -> Response:
    try:
        forward = await connector.port_forward(node, request.namespace, request.name)
    except InternalError as error:
        return _plain(500, str(error))
    over_spdy: Serve = lambda connection: port_forward.over_spdy(connection, registry.clock.machine, forward)  # noqa: E731
    if upgrade.lower() == "websocket":
        named = _named(request.headers, "sec-websocket-protocol")
        if any(name.startswith(port_forward.TUNNEL) for name in named):
            tunnel = port_forward.TUNNEL + port_forward.PROTOCOL
            if tunnel not in named:
                inner = [name.removeprefix(port_forward.TUNNEL) for name in named]
                text = f"unable to negotiate protocol: client supports [{' '.join(inner)}], server accepts [{port_forward.PROTOCOL}]"
                return _plain(403, f"unable to upgrade: {text}")
            return UpgradeAnswer("websocket", over_spdy, tunnel)
        protocol = next((name for name in (named or [""]) if name in port_forward.WEBSOCKET_PROTOCOLS), None)
        if protocol is None:
            return RawAnswer(b"", "", 403)
        ports = options.get("ports") or ()
        if not ports:
            return _plain(400, 'query parameter "port" is required')
        for port in ports:
            if not 0 < port < 65536:
                return _plain(400, f'port "{port}" must be > 0' if port < 1 else f'unable to parse "{port}" as a port')
        as_text = "base64" in protocol
        serve: Serve = lambda connection: port_forward.over_websocket(connection, ports, forward, as_text=as_text)  # noqa: E731
        return UpgradeAnswer("websocket", serve, protocol, as_text=as_text)
    if upgrade.upper() != _SPDY:
        return _plain(400, f"unable to upgrade: missing upgrade headers in request: {dict(request.headers)}")
    if _negotiated(request, {port_forward.PROTOCOL: 1}, port_forward.PROTOCOL) is None:
        return _no_protocol(request, [port_forward.PROTOCOL])
    return UpgradeAnswer(_SPDY, over_spdy, headers={"X-Stream-Protocol-Version": port_forward.PROTOCOL})
