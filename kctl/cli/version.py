"""kctl version: which Kubernetes this kctl is, and the server's."""

from __future__ import annotations

from typing import Any

import click
import orjson

from kctl.cli.command import KubectlCommand
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

CLIENT = "v1.37.1"


def client_version() -> dict[str, str]:
    import platform

    return {
        "major": "1",
        "minor": "37",
        "gitVersion": CLIENT,
        "gitTreeState": "clean",
        "compiler": "cpython",
        "goVersion": f"python{platform.python_version()}",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


@click.command("version", cls=KubectlCommand, blocking=True, short_help="Print the client and server version information")
@flag("--client", kind="bool", help="If true, shows client version only (no server required).")
@flag("-o", "--output", help="One of 'yaml' or 'json'.")
async def command(session: Session, arguments: tuple[str, ...], client: bool, output: str) -> None:
    """Print the client and server version information for the current context."""
    if output not in ("", "yaml", "json"):
        raise CommandError("--output must be 'yaml' or 'json'")
    if arguments:
        raise CommandError(f"extra arguments: {list(arguments)}")
    server: dict[str, Any] | None = None
    failure: Exception | None = None
    if not client:
        try:
            response = await (await session.client()).transport.raw("GET", "/version")
            if response.status >= 400:
                from kctl.cli.raw import failure as failed

                raise failed(response.status, response.body)
            server = orjson.loads(response.body)
        except Exception as error:
            failure = error
    if output:
        _print_object(session, server, output)
    else:
        session.print(f"Client Version: {CLIENT}")
        if server is not None:
            session.print(f"Server Version: {server.get('gitVersion', '')}")
    if failure is not None:
        raise failure


def _print_object(session: Session, server: dict[str, Any] | None, output: str) -> None:
    found: dict[str, Any] = {"clientVersion": client_version()}
    if server is not None:
        found["serverVersion"] = server
    if output == "json":
        session.print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        from kctl.apimachinery.yaml import dump

        session.write(dump(found))
