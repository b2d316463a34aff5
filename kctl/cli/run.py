"""kctl run: one pod from an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.cli import options
from kctl.cli.create.generator import Generator
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.overrides import flag_override_type, flag_overrides, overridden

_RESTART = ("Always", "OnFailure", "Never")
_PULL = ("Always", "IfNotPresent", "Never")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{{32,}})?")


class Run(Generator):
    """Create a pod that runs one image.

    What comes after NAME are the container's arguments, or its command with --command.
    """

    name = "run"
    usage = "NAME --image=image [--env=key=value] [--port=port] [--dry-run=server|client] [--command] -- [COMMAND] [args...]"
    required = ("image",)
    examples = """
  # Start a nginx pod
  kctl run nginx --image=nginx

  # Start a pod whose container says which port it serves, and which has a variable in its environment
  kctl run hazelcast --image=hazelcast/hazelcast --port=5701 --env="DNS_DOMAIN=cluster"

  # See what would be sent
  kctl run nginx --image=nginx --dry-run=client -o yaml

  # Start a pod with a command of its own
  kctl run busy --image=busybox --command -- sleep 3600
"""

    annotations: Sequence[str] = flag("--annotations", kind="array", help="Annotations to apply to the pod.")
    attach: bool = flag("--attach", kind="bool", help="If true, wait for the Pod to start running, and then attach to the Pod.")
    command: bool = flag(
        "--command",
        kind="bool",
        help="If true and extra arguments are present, use them as the 'command' field in the container, rather than the 'args' field which is the default.",
    )
    env: Sequence[str] = flag("--env", kind="array", help="Environment variables to set in the container.")
    expose: bool = flag("--expose", kind="bool", help="If true, create a ClusterIP service associated with the pod.  Requires `--port`.")
    field_manager: str = options.field_manager("kubectl-run")
    image: str = flag("--image", help="The image for the container to run.")
    image_pull_policy: str = flag("--image-pull-policy", help="The image pull policy for the container.")
    labels: str = flag("-l", "--labels", help="Comma separated labels to apply to the pod. Will override previous values.")
    override_type: str = flag_override_type()
    overrides: str = flag_overrides()
    port: str = flag("--port", help="The port that this container exposes.")
    privileged: bool = flag("--privileged", kind="bool", help="If true, run the container in privileged mode.")
    restart: str = flag("--restart", default="Always", help="The restart policy for this Pod.  Legal values [Always, OnFailure, Never].")
    rm: bool = flag("--rm", kind="bool", help="If true, delete the pod after it exits.  Only valid when attaching to the container.")
    stdin: bool = flag("-i", "--stdin", kind="bool", help="Keep stdin open on the container in the pod, even if nothing is attached.")
    tty: bool = flag("-t", "--tty", kind="bool", help="Allocate a TTY for the container in the pod.")

    def complete(self) -> None:
        if not self.image:
            super().complete()  # says which flag is missing
        if not self.arguments or self.session.dash == 0:
            raise CommandError("NAME is required for run")
        self.object_name, self.words = self.arguments[0], list(self.arguments[1:])

    def validate(self) -> None:
        if _IMAGE.fullmatch(self.image) is None:
            raise CommandError(f'invalid image name "{self.image}": invalid reference format')
        if self.rm and not self.attach:
            raise CommandError("--rm should only be used for attached containers")
        for name, wanted in (("attach", self.attach), ("stdin", self.stdin), ("tty", self.tty)):
            if wanted:
                raise CommandError(f"--{name} is not supported yet")
        if self.expose and not self.port:
            raise CommandError("--port must be set when exposing a service")
        if self.restart not in _RESTART:
            raise CommandError(f"invalid restart policy: {self.restart}, valid values are: {', '.join(_RESTART)}")
        if self.image_pull_policy and self.image_pull_policy not in _PULL:
            raise CommandError(f"invalid image pull policy: {self.image_pull_policy}, valid values are: {', '.join(_PULL)}")
        if self.port and not self.port.isdigit():
            raise CommandError(f'strconv.ParseInt: parsing "{self.port}": invalid syntax')
        for pair in self.env:
            if not pair.partition("=")[1] or not pair.partition("=")[0]:
                raise CommandError(f"invalid env: {pair}")

    async def run(self) -> None:
        meta: dict[str, Any] = {"name": self.object_name, "labels": pairs(self.labels) or {"run": self.object_name}}
        if self.annotations:
            meta["annotations"] = {key: value for text in self.annotations for key, value in pairs(text).items()}
        spec = {"containers": [self._container()], "restartPolicy": self.restart, "dnsPolicy": "ClusterFirst"}
        pod: dict[str, Any] = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {}}
        if self.overrides:
            pod = overridden(pod, self.overrides, self.override_type)
            for container in objects.spec(pod).get("containers") or ():
                container.setdefault("resources", {})
        await self.create(pod)
        if self.expose:
            await self.create(self._service(meta["labels"]))

    def _service(self, labels: dict[str, str]) -> dict[str, Any]:
        """--expose"""
        port = int(self.port)
        ports = [{"protocol": "TCP", "port": port, "targetPort": port}]
        meta = {"name": self.object_name, "labels": labels}
        spec = {"ports": ports, "selector": labels}
        return {"kind": "Service", "apiVersion": "v1", "metadata": meta, "spec": spec, "status": {"loadBalancer": {}}}

    def _container(self) -> dict[str, Any]:
        container: dict[str, Any] = {"name": self.object_name, "image": self.image}
        if self.words:
            container["command" if self.command else "args"] = self.words
        if self.port:
            container["ports"] = [{"containerPort": int(self.port)}]
        if self.env:
            container["env"] = [{"name": pair.partition("=")[0], "value": pair.partition("=")[2]} for pair in self.env]
        container["resources"] = {}
        if self.image_pull_policy:
            container["imagePullPolicy"] = self.image_pull_policy
        if self.privileged:
            container["securityContext"] = {"privileged": True}
        return container


def pairs(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise CommandError(f"unexpected label spec: {key}")
    return {key: value for key, _, value in pairs}
