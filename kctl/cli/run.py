"""kctl run: one pod from an image, which the user's terminal may be attached to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.resources import ResourceType, built_in
from kctl.apimachinery.status import NotFound
from kctl.cli import options
from kctl.cli.create.generator import Generator, with_namespace
from kctl.cli.deletion import propagation
from kctl.cli.errors import CommandError, Exit
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.cli.overrides import flag_override_type, flag_overrides, overridden

_RESTART = ("Always", "OnFailure", "Never")
_PULL = ("Always", "IfNotPresent", "Never")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_IMAGE = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[\w][\w.-]{{0,127}})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{{32,}})?")


class Run(Manifests, Generator):
    """Create a pod that runs one image.

    What comes after NAME are the container's arguments, or its command with --command. --force, --grace-period, --timeout, --wait,
    -k and -R are taken and do nothing, as kubectl's: only --rm deletes, and does not wait.
    """

    name = "run"
    usage = "NAME --image=image [--env=key=value] [--port=port] [--dry-run=server|client] [--command] -- [COMMAND] [args...]"
    required = ("image",)
    schema_check = "strict"
    without_effect = frozenset({"filename", "force", "grace_period", "kustomize", "recursive", "timeout", "wait"})
    blocking = False
    examples = """
  # Start a nginx pod
  kctl run nginx --image=nginx

  # Start a pod whose container says which port it serves, and which has a variable in its environment
  kctl run hazelcast --image=hazelcast/hazelcast --port=5701 --env="DNS_DOMAIN=cluster"

  # See what would be sent
  kctl run nginx --image=nginx --dry-run=client -o yaml

  # Start a pod with a command of its own
  kctl run busy --image=busybox --command -- sleep 3600

  # Work in a shell of a new pod, which goes when you leave it
  kctl run -i -t --rm busybox --image=busybox --restart=Never -- sh

  # Change in the object what no flag names
  kctl run nginx --image=nginx --overrides='{ "apiVersion": "v1", "spec": { ... } }'
"""

    annotations: Sequence[str] = flag("--annotations", kind="array", help="Annotations to apply to the pod.")
    attach: bool = flag(
        "--attach",
        kind="bool",
        help="If true, wait for the Pod to start running, and then attach to the Pod as if 'kctl attach ...' were called.  Default false, unless '-i/--stdin' is set, in which case the default is true. With '--restart=Never' the exit code of the container process is returned.",
    )
    cascade: str = flag(
        "--cascade",
        default="background",
        bare="background",
        help='Must be "background", "orphan", or "foreground". Selects the deletion cascading strategy for the dependents (e.g. Pods created by a ReplicationController). Defaults to background.',
    )
    command: bool = flag(
        "--command",
        kind="bool",
        help="If true and extra arguments are present, use them as the 'command' field in the container, rather than the 'args' field which is the default.",
    )
    detach_keys: str = flag("--detach-keys", default="ctrl-p,ctrl-q", help="Override the key sequence for detaching a container.")
    env: Sequence[str] = flag("--env", kind="array", help="Environment variables to set in the container.")
    expose: bool = flag("--expose", kind="bool", help="If true, create a ClusterIP service associated with the pod.  Requires `--port`.")
    field_manager: str = options.field_manager("kubectl-run")
    filename: Sequence[str] = flag("-f", "--filename", kind="slice", help="to use to replace the resource.", hidden=True)
    force: bool = flag(
        "--force",
        kind="bool",
        help="If true, immediately remove resources from API and bypass graceful deletion. Note that immediate deletion of some resources may result in inconsistency or data loss and requires confirmation.",
    )
    grace_period: int = flag(
        "--grace-period",
        kind="int",
        default=-1,
        help="Period of time in seconds given to the resource to terminate gracefully. Ignored if negative. Set to 1 for immediate shutdown. Can only be set to 0 when --force is true (force deletion).",
    )
    image: str = flag("--image", help="The image for the container to run.")
    image_pull_policy: str = flag("--image-pull-policy", help="The image pull policy for the container.")
    labels: str = flag("-l", "--labels", help="Comma separated labels to apply to the pod. Will override previous values.")
    leave_stdin_open: bool = flag(
        "--leave-stdin-open",
        kind="bool",
        help="If the pod is started in interactive mode or with stdin, leave stdin open after the first attach completes. By default, stdin will be closed after the first attach completes.",
    )
    override_type: str = flag_override_type()
    overrides: str = flag_overrides()
    pod_running_timeout: float = flag(
        "--pod-running-timeout",
        kind="duration",
        default=60.0,
        help="The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    )
    port: str = flag("--port", help="The port that this container exposes.")
    privileged: bool = flag("--privileged", kind="bool", help="If true, run the container in privileged mode.")
    quiet: bool = flag("-q", "--quiet", kind="bool", help="If true, suppress prompt messages.")
    restart: str = flag("--restart", default="Always", help="The restart policy for this Pod.  Legal values [Always, OnFailure, Never].")
    rm: bool = flag(
        "--rm",
        kind="bool",
        help="If true, delete the pod after it exits.  Only valid when attaching to the container, e.g. with '--attach' or with '-i/--stdin'.",
    )
    stdin: bool = flag("-i", "--stdin", kind="bool", help="Keep stdin open on the container in the pod, even if nothing is attached.")
    timeout: float = flag(
        "--timeout",
        kind="duration",
        help="The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    )
    tty: bool = flag("-t", "--tty", kind="bool", help="Allocate a TTY for the container in the pod.")
    wait: bool = flag("--wait", kind="bool", help="If true, wait for resources to be gone before returning. This waits for finalizers.")

    def complete(self) -> None:
        if not self.image:
            super().complete()  # says which flag is missing
        if not self.arguments or self.session.dash == 0:
            raise CommandError("NAME is required for run")
        self.object_name, self.words = self.arguments[0], list(self.arguments[1:])
        if self.stdin and not self.changed("attach"):
            self.attach = True

    def validate(self) -> None:
        if not is_image(self.image):
            raise CommandError(f'invalid image name "{self.image}": invalid reference format')
        if self.tty and not self.stdin:
            raise CommandError("-i/--stdin is required for containers with -t/--tty=true")
        propagation(self.cascade)
        if self.expose and not self.port:
            raise CommandError("--port must be set when exposing a service")
        if self.restart not in _RESTART:
            raise CommandError(f"invalid restart policy: {self.restart}, valid values are: {', '.join(_RESTART)}")
        if self.rm and not self.attach:
            raise CommandError("--rm should only be used for attached containers")
        if self.attach and options.dry_run_strategy(self.dry_run, self.session.error) != "none":
            raise CommandError("--dry-run=[server|client] can't be used with attached containers options (--attach, --stdin, or --tty)")
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
        if self.attach:
            await self._attached(pod, meta["labels"])
            return
        await self.create(pod)
        if self.expose:
            await self.create(self._service(meta["labels"]))

    async def _attached(self, pod: dict[str, Any], labels: dict[str, str]) -> None:
        """Create without a word, attach, and remove again with --rm. The exit code is the container's where it does not start anew."""
        client, space = await self.session.client(), self.session.namespace
        made = []
        for obj in [pod, *([self._service(labels)] if self.expose else [])]:
            resource = built_in(obj["apiVersion"], obj["kind"])
            placed = with_namespace(obj, space) if self.session.namespace_is_explicit else obj
            validation = options.field_validation(self.schema_check)
            answer = await client.create(resource, placed, space, field_manager=self.field_manager, field_validation=validation)
            made.append((resource, objects.name(answer)))
        try:
            await self._follow(space, made[0][1])
        finally:
            if self.rm:
                await self._remove(space, made)

    async def _follow(self, space: str, name: str) -> None:
        from kctl.cli.remote import starting

        session = self.session
        pod = await starting.pod_when(session, space, name, starting.runs_or_is_completed, self.pod_running_timeout)
        await starting.attach_or_log(
            session,
            pod,
            "",
            stdin=self.stdin,
            tty=self.tty,
            quiet=self.quiet,
            ended=starting.is_completed(pod),
            keys=self.detach_keys,
            program=f"{session.program} attach",
        )
        if self.leave_stdin_open or self.restart == "Always":
            return

        def is_over(pod: dict[str, Any]) -> bool:
            phase = objects.status(pod).get("phase")
            return phase == "Succeeded" or (phase == "Failed" and self.restart == "Never")

        pod = await starting.pod_when(session, space, name, is_over, self.pod_running_timeout)
        if objects.status(pod).get("phase") == "Failed":
            self._failed(pod)

    def _failed(self, pod: dict[str, Any]) -> None:
        """Raises Exit with the container's code."""
        where = f"pod {objects.namespace(pod)}/{objects.name(pod)}"
        statuses = objects.status(pod).get("containerStatuses") or [{}]
        ended = (statuses[0].get("state") or {}).get("terminated") or {}
        code = int(ended.get("exitCode") or 0)
        if not code:
            raise CommandError(f"{where} failed with unknown exit code")
        self.session.streams.out.flush()
        self.session.error(f"{where} terminated ({ended.get('reason', '')})\n{ended.get('message', '')}".rstrip("\n"))
        raise Exit(code)

    async def _remove(self, space: str, made: Sequence[tuple[ResourceType, str]]) -> None:
        """--rm"""
        client = await self.session.client()
        for resource, name in made:
            try:
                await client.delete(resource, name, space, propagation_policy=propagation(self.cascade))
            except NotFound:
                continue
            if not self.quiet:
                self.session.print(f'{resource.singular} "{name}" deleted from {space} namespace')

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
        if self.stdin:
            container |= {"stdin": True, **({} if self.leave_stdin_open else {"stdinOnce": True})}
        if self.tty:
            container["tty"] = True
        return container


def is_image(name: str) -> bool:
    """Whether it may be an image's name (reference.ReferenceRegexp)."""
    return _IMAGE.fullmatch(name) is not None


def pairs(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    for key, equals, _ in pairs:
        if not equals or not key:
            raise CommandError(f"unexpected label spec: {key}")
    return {key: value for key, _, value in pairs}
