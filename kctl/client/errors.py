"""What goes wrong before the server can answer; its answers are kctl.apimachinery.status.ApiError."""

from __future__ import annotations


class ConnectionFailed(Exception):
    """No answer: refused, reset, timed out, TLS failure. `server` is the URL, the text as net/http words it."""

    def __init__(self, server: str, why: str) -> None:
        super().__init__(why)
        self.server = server
        self.why = why
