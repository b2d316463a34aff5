"""kctl port-forward."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from kctl.apimachinery import objects
from kctl.apimachinery.resources import PODS
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.remote import ports
from kctl.cli.remote.command import dialer, pod_of, pod_path, pod_running_timeout, target_of
from kctl.cli.remote.ports import Address, Forwarded
from kctl.cli.session import Session
from kctl.client.streaming.dialing import Dialer, StreamingError
from kctl.client.streaming.spdy import OverSocket, OverWebSocket, SpdyConnection, Stream
from kctl.client.streaming.spdy_frames import SpdyError
from kctl.client.streaming.websocket import WebSocketError

_PROTOCOL = "portforward.k8s.io"
_TUNNEL = "SPDY/3.1+portforward.k8s.io"
_READ_BYTES = 32 * 1024


class PortForward(Command):
    """Forward one or more local ports to a pod.

    TYPE/NAME, such as deployment/web, chooses one of the pods that belong to it; without a type it is a pod's name. The session
    ends when the pod does: another run forwards to its successor.
    """

    name = "port-forward"
    usage = "TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]"
    examples = """
  # Listen on ports 5000 and 6000, and forward to the same ports of the pod
  kctl port-forward pod/mypod 5000 6000

  # To a pod of a deployment
  kctl port-forward deployment/mydeployment 5000 6000

  # From 8443 to where the service's port "https" leads, in one of its pods
  kctl port-forward service/myservice 8443:https

  # From 8888 to port 5000 of the pod
  kctl port-forward pod/mypod 8888:5000

  # From 8888 of all of this machine's addresses, or of some
  kctl port-forward --address 0.0.0.0 pod/mypod 8888:5000
  kctl port-forward --address localhost,10.19.21.23 pod/mypod 8888:5000

  # From any free port
  kctl port-forward pod/mypod :5000
"""

    address: Sequence[str] = flag(
        "--address",
        kind="slice",
        default=("localhost",),
        help="Addresses to listen on (comma separated). Only accepts IP addresses or localhost as a value. When localhost is supplied, kctl will try to bind on both 127.0.0.1 and ::1 and will fail if neither of these addresses are available to bind.",
    )
    pod_running_timeout: float = pod_running_timeout()

    def validate(self) -> None:
        if len(self.arguments) < 2:
            raise UsageError("TYPE/NAME and list of ports are required for port-forward")

    async def run(self) -> None:
        session = self.session
        if self.pod_running_timeout <= 0:
            raise UsageError("--pod-running-timeout must be higher than zero")
        target = await target_of(session, self.arguments[:1])
        pod = await pod_of(session, target, self.pod_running_timeout)
        words = self.arguments[1:]
        if target.resource.group_resource == "services":
            chosen = ports.of_service(target.object, pod, words)
        else:
            chosen = ports.of_pod(pod, words)
        name, namespace = objects.name(pod), objects.namespace(pod)
        if target.resource is not PODS:
            pod = await (await session.client()).get(PODS, name, namespace)
        phase = objects.status(pod).get("phase")
        if phase != "Running":
            raise CommandError(f"unable to forward port because pod is not running. Current status={phase}")
        listens = ports.addresses(self.address)
        forwards = ports.parse(chosen)
        try:
            connection = await _connect(await dialer(session, "KUBECTL_PORT_FORWARD_WEBSOCKETS"), pod_path(namespace, name, "portforward"))
        except StreamingError as error:
            raise CommandError(f"error upgrading connection: {error}") from None
        await Forwarder(session, connection).run(listens, forwards)


async def _connect(dialer: Dialer, path: str) -> SpdyConnection:
    websocket = await dialer.websocket(path, _TUNNEL)
    if websocket is not None:
        return SpdyConnection(OverWebSocket(websocket))
    return SpdyConnection(OverSocket(await dialer.spdy(path, _PROTOCOL)))


class Forwarder:
    """The listening sockets, and the streams of each connection that comes."""

    def __init__(self, session: Session, connection: SpdyConnection) -> None:
        self._session = session
        self._connection = connection
        self._servers: list[asyncio.Server] = []
        self._requests = 0
        self._stop = asyncio.Event()

    async def run(self, addresses: Sequence[Address], forwards: Sequence[Forwarded]) -> None:
        """Until the user interrupts (which is a success), or the connection to the pod is lost."""
        reading = asyncio.create_task(self._read())
        loop = asyncio.get_running_loop()
        with suppress(ValueError, RuntimeError):  # only a main thread has signals
            loop.add_signal_handler(signal.SIGINT, self._stop.set)
        try:
            listening = [await self._listen(forward, addresses) for forward in forwards]
            if not any(listening):
                pairs = " ".join(f"{{{forward.local} {forward.remote}}}" for forward in forwards)
                raise CommandError(f"unable to listen on any of the requested ports: [{pairs}]")
            waits = [asyncio.create_task(event.wait()) for event in (self._stop, self._connection.closed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if not self._stop.is_set():
                raise CommandError("lost connection to pod")
        finally:
            for server in self._servers:
                server.close()
            await self._connection.close()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        with suppress(SpdyError, WebSocketError, ConnectionError):
            await self._connection.run()

    async def _listen(self, forward: Forwarded, addresses: Sequence[Address]) -> bool:
        local, failures, listening = forward.local, [], 0
        for address in addresses:
            try:
                local = await self._listen_on(address, local, forward)
                listening += 1
            except OSError as error:
                why = (error.strerror or str(error)).partition(": ")[2] or error.strerror or str(error)
                where = ports.joined(address.host, local)
                kind = "tcp6" if ":" in address.host else "tcp4"
                failures.append((address, f"unable to create listener: Error listen {kind} {where}: bind: {_reason(error, why)}"))
        needed = any(not address.one_is_enough for address, _ in failures)
        if needed or (failures and not any(address.one_is_enough for address in addresses[:listening])):
            texts = " ".join(text for _, text in failures)
            self._session.error(
                f"Unable to listen on port {forward.local}: Listeners failed to create with the following errors: [{texts}]"
            )
            return False
        return True

    async def _listen_on(self, address: Address, local: int, forward: Forwarded) -> int:
        """The port that it is."""
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address.host, local))
        except OSError:
            listener.close()
            raise
        port: int = listener.getsockname()[1]

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, Forwarded(port, forward.remote))

        self._servers.append(await asyncio.start_server(serve, sock=listener))
        self._session.print(f"Forwarding from {ports.joined(address.host, port)} -> {forward.remote}")
        self._session.streams.out.flush()
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, forward: Forwarded) -> None:
        self._session.print(f"Handling connection for {forward.local}")
        self._session.streams.out.flush()
        headers = {"port": str(forward.remote), "requestid": str(self._requests)}
        self._requests += 1
        try:
            error = await self._connection.open({**headers, "streamtype": "error"})
            await error.finish()
            data = await self._connection.open({**headers, "streamtype": "data"})
            sending = asyncio.create_task(_send(reader, data))
            try:
                await _receive(data, writer)
                await data.reset()
                said = await error.read_all()
            finally:
                sending.cancel()
                for stream in (data, error):
                    self._connection.forget(stream)
            if said:
                self._log(said.decode(errors="replace"), forward)
                await self._connection.close()
                self._connection.closed.set()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _log(self, text: str, forward: Forwarded) -> None:
        now = self._session.now().strftime("%m%d %H:%M:%S.%f")
        where = f"localPort={forward.local} remotePort={forward.remote}"
        self._session.error(f'E{now} {os.getpid():7} portforward.go:549] "An error occurred forwarding" err="{text}" {where}')


async def _send(reader: asyncio.StreamReader, data: Stream) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(_READ_BYTES):
            await data.write(part)
        await data.finish()


async def _receive(data: Stream, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await data.read():
            writer.write(part)
            await writer.drain()


def _reason(error: OSError, text: str) -> str:
    return os.strerror(error.errno).lower() if error.errno else text
