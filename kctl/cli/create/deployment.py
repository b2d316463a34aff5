"""kctl create deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.cli.create.generator import Generator, container_name
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


class CreateDeployment(Generator):
    """Create a deployment with the specified name."""

    name = "deployment"
    usage = "NAME --image=image -- [COMMAND] [args...]"
    required = ("image",)
    takes_command = True

    image: Sequence[str] = flag(
        "--image",
        kind="slice",
        help="Image names to run. A deployment can have multiple images set for multi-container pod.",
    )
    port: int = flag("--port", kind="int", default=-1, help="The containerPort that this deployment exposes.")
    replicas: int = flag("-r", "--replicas", kind="int", default=1, help="Number of replicas to create. Default is 1.")

    async def run(self) -> None:
        name, words = self.object_name, self.words
        if len(self.image) > 1 and words:
            raise CommandError("cannot specify multiple --image options and command")
        labels = {"app": name}
        pod: dict[str, Any] = {
            "containers": [_container(image, words, self.port if index == 0 else -1) for index, image in enumerate(self.image)]
        }
        spec = {
            "replicas": self.replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            "strategy": {},
        }
        await self.create(
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
