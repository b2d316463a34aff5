"""kube-apiserver as pods meet it at the endpoints of the Service `kubernetes`: a port that speaks TLS, which nothing in the simulated
network does, so that a plain request is answered as Go's server answers one."""

from __future__ import annotations

import contextlib

from controllers.kubelet.commands import world
from controllers.kubelet.commands.network import ClusterNetwork

HOST = "kube-apiserver"
_ANSWER = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class ApiServerPort:
    def __init__(self, network: ClusterNetwork, address: str, port: int) -> None:
        self._connections: list[world.Connection] = []
        joined = network.join(f"{HOST}/{address}", [address], "", self._arrived)
        with contextlib.suppress(OSError):  # it listens there already
            joined.listen(port, "TCP", self._connections.append)

    def _arrived(self) -> None:
        waiting: list[world.Connection] = []
        for connection in self._connections:
            if connection.stdin.take():
                with contextlib.suppress(OSError):
                    connection.write(_ANSWER)
                connection.close()
            elif connection.stdin.closed:
                connection.close()
            else:
                waiting.append(connection)
        self._connections[:] = waiting
