"""kctl version: which Kubernetes this kctl is, and the server's."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from kctl.apimachinery.kubernetes_version import (
    KUBERNETES_COMMIT,
    KUBERNETES_VERSION,
    KUSTOMIZE_VERSION,
    MAJOR,
    MINOR,
    platform_name,
    runtime_version,
)
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


def client_version() -> dict[str, str]:
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": KUBERNETES_VERSION,
        "gitCommit": KUBERNETES_COMMIT,
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": runtime_version(),
        "compiler": "cpython",
        "platform": platform_name(),
    }


class Version(Command):
    """Print the client and server version information for the current context."""

    name = "version"
    blocking = True

    client: bool = flag("--client", kind="bool", help="If true, shows client version only (no server required).")
    output: str = flag("-o", "--output", help="One of 'yaml' or 'json'.")

    def validate(self) -> None:
        if self.output not in ("", "yaml", "json"):
            raise CommandError("--output must be 'yaml' or 'json'")
        if self.arguments:
            raise CommandError(f"extra arguments: [{' '.join(self.arguments)}]")

    def run(self) -> Coroutine[Any, Any, None] | None:
        if not self.client:
            return self._ask()
        self._print(None)
        return None

    async def _ask(self) -> None:
        """The client's version is printed even where the server does not answer."""
        try:
            response = await (await self.session.client()).transport.raw("GET", "/version")
            if response.status >= 400:
                from kctl.cli.raw import failure

                raise failure(response.status, response.body)
        except Exception:
            self._print(None)
            raise
        import orjson

        self._print(orjson.loads(response.body))

    def _print(self, server: dict[str, Any] | None) -> None:
        if self.output:
            _print_object(self.session, server, self.output)
            return
        self.session.print(f"Client Version: {KUBERNETES_VERSION}\nKustomize Version: {KUSTOMIZE_VERSION}")
        if server is not None:
            self.session.print(f"Server Version: {server.get('gitVersion', '')}")


def _print_object(session: Session, server: dict[str, Any] | None, output: str) -> None:
    versions: dict[str, Any] = {"clientVersion": client_version(), "kustomizeVersion": KUSTOMIZE_VERSION}
    if server is not None:
        versions["serverVersion"] = server
    if output == "json":
        import orjson

        session.print(orjson.dumps(versions, option=orjson.OPT_INDENT_2).decode())
    else:
        from kctl.apimachinery.yaml import dump

        session.print(dump(versions))
