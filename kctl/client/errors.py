"""What goes wrong before the server can answer; its answers are kctl.apimachinery.status.ApiError."""

from __future__ import annotations


class ConnectionFailed(Exception):
    """No answer: refused, reset, timed out, TLS failure. `server` is the URL, the text as net/http words it.
    `method` and `url` say which request failed, where known."""

    def __init__(self, server: str, why: str, *, method: str = "", url: str = "") -> None:
        super().__init__(why)
        self.server = server
        self.why = why
        self.method = method
        self.url = url

    @property
    def host(self) -> str:
        """host:port of the server."""
        return self.server.split("://", 1)[-1].split("/", 1)[0]

    def describe(self) -> str:
        """The error with its request, as Go's url.Error: `Get "https://...": dial tcp ...`."""
        if not self.url:
            return self.why
        return f'{self.method.capitalize()} "{self.url}": {self.why}'
