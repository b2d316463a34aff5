"""kube-apiserver for programs in simulated pods: the same server and certificate, without a socket."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from kctl.apimachinery.user import ANONYMOUS
from kctl.kube_apiserver.server import ApiServer


class PodApi:
    """controllers.kubelet's ApiForPods."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server

    def tls(self) -> ssl.SSLContext | None:
        return self._server.parts.kubelets.tls

    async def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Nobody until a token says who."""
        answer = await self._server.handle_raw(method, target, {}, body, headers, ANONYMOUS)
        return answer.status, answer.headers, answer.body
