"""kube-apiserver as pods meet it at the endpoints of the Service `kubernetes`: a port that speaks TLS. Requests of pods do not get
through to it: a plain one is answered as Go's server answers one, the hello of a TLS client ends the connection."""

from __future__ import annotations

import contextlib

from controllers.kubelet.commands import world
from controllers.kubelet.commands.network import ClusterNetwork
from controllers.kubelet.commands.tls import TO_PLAIN_CLIENTS

HOST = "kube-apiserver"


class ApiServerPort:
    def __init__(self, network: ClusterNetwork, address: str, port: int) -> None:
        self._connections: list[world.Connection] = []
        joined = network.join(f"{HOST}/{address}", [address], "", self._arrived)
        with contextlib.suppress(OSError):  # it listens there already
            joined.listen(port, "TCP", self._connections.append)

    def _arrived(self) -> None:
        waiting: list[world.Connection] = []
        for connection in self._connections:
            data = connection.stdin.take()
            if data:
                if data[:1] != b"\x16":
                    with contextlib.suppress(OSError):
                        connection.write(TO_PLAIN_CLIENTS)
                connection.close()
            elif connection.stdin.closed:
                connection.close()
            else:
                waiting.append(connection)
        self._connections[:] = waiting
