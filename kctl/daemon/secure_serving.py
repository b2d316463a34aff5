"""kube-apiserver with a TLS port: what `kctl run-cluster` starts, for clients in other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.daemon.component import ComponentContext
from kctl.daemon.components import KubeApiserverComponent
from kctl.daemon.config import DEFAULT_PORT_OR_FREE
from kctl.daemon.port import DEFAULT_PORT

if TYPE_CHECKING:
    import ssl

    from kctl.daemon.pki import Pki


class PortInUse(Exception):
    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is already in use; give another one with --port (0 chooses a free one)")


class SecureServing(KubeApiserverComponent):
    """`port` as in ClusterConfig. Raises PortInUse."""

    def __init__(self, context: ComponentContext, pki: Pki, host: str, port: int) -> None:
        super().__init__(context)
        self._pki = pki
        self._host = host
        self._wanted = port
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://{self._host}:{self.port}"

    async def listen(self) -> None:
        """The port wanted; where none was asked for 6443, or any free one if that is taken."""
        context, wanted = server_ssl_context(self._pki), self._wanted
        self._server.parts.kubelets.tls = context
        if wanted == DEFAULT_PORT_OR_FREE:
            try:
                self.port = await self._server.serve(self._host, DEFAULT_PORT, context)
                return
            except OSError:
                wanted = 0
        try:
            self.port = await self._server.serve(self._host, wanted, context)
        except OSError as error:
            raise PortInUse(wanted) from error


def server_ssl_context(pki: Pki) -> ssl.SSLContext:
    """TLS as kube-apiserver: our certificate, client certificates of our authority asked for but not required."""
    import ssl

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pki["apiserver.crt"], pki["apiserver.key"])
    context.load_verify_locations(pki["ca.crt"])
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
