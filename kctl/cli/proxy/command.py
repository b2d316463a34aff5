"""kctl proxy."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.proxy import filters

if TYPE_CHECKING:
    from kctl.cli.proxy.gateway import Gateway

_PORT = 8001


class Proxy(Command):
    """Serve the API server's API on a local port or socket, and files beside it if wanted.

    Whoever can reach it acts with your credentials: it listens on this machine alone, and answers only requests that the filters
    accept.
    """

    name = "proxy"
    usage = "[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]"
    examples = """
  # The whole API on port 8001, and nothing else
  kctl proxy --api-prefix=/

  # Part of the API, and the files of a folder; 'curl localhost:8001/api/v1/pods' lists pods
  kctl proxy --www=/my/files --www-prefix=/static/ --api-prefix=/api/

  # The whole API below another root; 'curl localhost:8001/custom/api/v1/pods' lists pods
  kctl proxy --api-prefix=/custom/

  # On port 8011, with the files of ./local/www/
  kctl proxy --port=8011 --www=./local/www/

  # On any free port, which the first line says
  kctl proxy --port=0

  # On a socket that only you can open
  kctl proxy --unix-socket=/tmp/api.sock
"""

    accept_hosts: str = flag(
        "--accept-hosts", default=filters.ACCEPTED_HOSTS, help="Regular expression for hosts that the proxy should accept."
    )
    accept_paths: str = flag(
        "--accept-paths", default=filters.ACCEPTED_PATHS, help="Regular expression for paths that the proxy should accept."
    )
    address: str = flag("--address", default="127.0.0.1", help="The IP address on which to serve on.")
    api_prefix: str = flag("--api-prefix", default="/", help="Prefix to serve the proxied API under.")
    append_server_path: bool = flag(
        "--append-server-path",
        kind="bool",
        help="If true, enables automatic path appending of the kube context server path to each request.",
    )
    disable_filter: bool = flag(
        "--disable-filter",
        kind="bool",
        help="If true, disable request filtering in the proxy. This is dangerous, and can leave you vulnerable to XSRF attacks, when used with an accessible port.",
    )
    keepalive: float = flag(
        "--keepalive",
        kind="duration",
        help="keepalive specifies the keep-alive period for an active network connection. Set to 0 to disable keepalive.",
    )
    port: int = flag("-p", "--port", kind="int", default=_PORT, help="The port on which to run the proxy. Set to 0 to pick a random port.")
    reject_methods: str = flag(
        "--reject-methods",
        default=filters.REJECTED_METHODS,
        help="Regular expression for HTTP methods that the proxy should reject (example --reject-methods='POST,PUT,PATCH').",
    )
    reject_paths: str = flag(
        "--reject-paths",
        default=filters.REJECTED_PATHS,
        help="Regular expression for paths that the proxy should reject. Paths specified here will be rejected even accepted by --accept-paths.",
    )
    unix_socket: str = flag("-u", "--unix-socket", help="Unix socket on which to run the proxy.")
    www: str = flag("-w", "--www", help="Also serve static files from the given directory under the specified prefix.")
    www_prefix: str = flag(
        "-P", "--www-prefix", default="/static/", help="Prefix to serve static files under, if static file directory is specified."
    )

    def validate(self) -> None:
        if self.port != _PORT and self.unix_socket:
            raise CommandError("cannot set --unix-socket and --port at the same time")
        if self.www:
            try:
                if not Path(self.www).is_dir():
                    os.stat(self.www)
                    self._warn(f"Static file directory {self.www} is not a directory")
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                self._warn(f"Failed to stat static file directory {self.www}: stat {self.www}: {why}")

    def _warn(self, text: str, severity: str = "W") -> None:
        """A line of klog's."""
        now = self.session.now().strftime("%m%d %H:%M:%S.%f")
        self.session.error(f"{severity}{now} {os.getpid():7} proxy.go] {text}")

    async def run(self) -> None:
        from kctl.cli.proxy.gateway import STREAM_LIMIT

        gateway = await self._gateway()
        try:
            if self.unix_socket:
                _remove_stale(self.unix_socket)
                before = os.umask(0o077)
                try:
                    server: asyncio.Server = await asyncio.start_unix_server(gateway.serve, self.unix_socket, limit=STREAM_LIMIT)
                finally:
                    os.umask(before)
                where = self.unix_socket
            else:
                server = await asyncio.start_server(gateway.serve, self.address, self.port, limit=STREAM_LIMIT)
                host, port = server.sockets[0].getsockname()[:2]
                where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        except OSError as error:
            raise CommandError(self._cannot_listen(error)) from None
        self.session.print(f"Starting to serve on {where}")
        self.session.streams.out.flush()
        async with server:
            await server.serve_forever()

    async def _gateway(self) -> Gateway:
        from kctl.cli.proxy.gateway import Gateway, Routes, Upstream
        from kctl.client.https_transport import HttpsTransport

        transport = (await self.session.client()).transport
        if not isinstance(transport, HttpsTransport):
            raise CommandError("a stopped cluster has no API server to forward to; start it with 'kctl run-cluster'")
        prefix = transport.address.prefix
        if self.disable_filter and not self.unix_socket:
            self._warn("Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious")
        if prefix and not self.append_server_path:
            self._warn(
                f"Your kube context contains a server path {prefix}, use --append-server-path to automatically append the path to each request"
            )
        upstream = Upstream(
            lambda: transport.dial(self.keepalive),
            transport.address.authority,
            tuple(pair for pair in transport.headers if pair[0] != "Host"),
            prefix if self.append_server_path else "",
        )
        routes = Routes(
            filters.with_slash(self.api_prefix),
            None if self.disable_filter else self._filter(),
            Path(self.www) if self.www else None,
            filters.with_slash(self.www_prefix),
        )
        return Gateway(upstream, routes, lambda text: self._warn(text, "E"))

    def _filter(self) -> filters.Filter:
        try:
            every = [filters.patterns(text) for text in (self.accept_paths, self.reject_paths, self.accept_hosts, self.reject_methods)]
        except re.error as error:
            raise CommandError(f"Error compiling re: error parsing regexp: {error}") from None
        return filters.Filter(*every)

    def _cannot_listen(self, error: OSError) -> str:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error)
        if self.unix_socket:
            return f"listen unix {self.unix_socket}: bind: {why}"
        return f"listen tcp {self.address}:{self.port}: bind: {why}"


def _remove_stale(place: str) -> None:
    """A socket that an earlier proxy left; any other file stays, and listening fails."""
    try:
        if stat.S_ISSOCK(os.stat(place).st_mode):
            os.unlink(place)
    except OSError:
        return
