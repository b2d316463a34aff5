"""kctl create deployment."""

from __future__ import annotations

from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, container_name, generator_flags, name_and_command, require_flags
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "deployment",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a deployment with the specified name",
    usage="NAME --image=image -- [COMMAND] [args...]",
)
@flag(
    "--image",
    kind="slice",
    help="Image names to run. A deployment can have multiple images set for multi-container pod.",
)
@flag("--port", kind="int", default=-1, help="The containerPort that this deployment exposes.")
@flag("-r", "--replicas", kind="int", default=1, help="Number of replicas to create. Default is 1.")
@generator_flags()
async def command(session: Session, arguments: tuple[str, ...], image: tuple[str, ...], port: int, replicas: int, **flags: Any) -> None:
    """Create a deployment with the specified name."""
    generator = Generator.of(session, flags)
    require_flags(session, "image")
    name, words = name_and_command(session, arguments)
    if len(image) > 1 and words:
        raise CommandError("cannot specify multiple --image options and command")
    labels = {"app": name}
    pod: dict[str, Any] = {"containers": [_container(one, words, port if index == 0 else -1) for index, one in enumerate(image)]}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "strategy": {},
    }
    await generator.run(
        {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
            "status": {},
        },
        failure="failed to create deployment: ",
    )


def _container(image: str, words: list[str], port: int) -> dict[str, Any]:
    container: dict[str, Any] = {"name": container_name(image), "image": image}
    if words:
        container["command"] = words
    if port >= 0:
        container["ports"] = [{"containerPort": port}]
    return {**container, "resources": {}}
