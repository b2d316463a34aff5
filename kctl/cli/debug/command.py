"""kctl debug."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import NotFound
from kctl.cli import options
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.debug import pods
from kctl.cli.debug.pods import Copy, DebugContainer
from kctl.cli.debug.profiles import LEGACY, PROFILES, Keep
from kctl.cli.errors import CommandError, FlagError
from kctl.cli.flags import flag
from kctl.cli.run import is_image
from kctl.cli.targets import Target, described
from kctl.client.transport import STRATEGIC_MERGE_PATCH, ApiRequest

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names, as the API server's."""
_PULL: Final = ("", "Always", "IfNotPresent", "Never")
_NO_POWER: Final = (
    "Warning: Non-root user is configured for the entire target Pod, and some capabilities granted by debug profile may not work. "
    'Please consider using "--custom" with a custom profile that specifies "securityContext.runAsUser: 0".'
)


class Debug(Command):
    """Debug pods and nodes with containers made for it.

    A pod gets an ephemeral container beside its own while it runs, or is copied with a container more, another image or another
    command. For a node a pod is made that shares its namespaces and sees its files at /host. Without a type the name is a pod's.
    """

    name = "debug"
    usage = "(POD | TYPE[[.VERSION].GROUP]/NAME) [ -- COMMAND [args...] ]"
    examples = """
  # A container of busybox in pod mypod, and a terminal in it
  kctl debug mypod -it --image=busybox

  # The same for the pod that a file describes
  kctl debug -f pod.yaml -it --image=busybox

  # A container with a name and an image of your own
  kctl debug --image=myproj/debug-tools -c debugger mypod

  # A copy of the pod with a container more
  kctl debug mypod -it --image=busybox --copy-to=my-debugger

  # A copy whose container runs another command
  kctl debug mypod -it --copy-to=my-debugger --container=mycontainer -- sh

  # A copy of which all containers have another image
  kctl debug mypod --copy-to=my-debugger --set-image=*=busybox

  # On a node, whose files are at /host
  kctl debug node/mynode -it --image=busybox
"""

    arguments_only: bool = flag(
        "--arguments-only",
        kind="bool",
        help="If specified, everything after -- will be passed to the new container as Args instead of Command.",
    )
    attach: bool = flag(
        "--attach",
        kind="bool",
        help="If true, wait for the container to start running, and then attach as if 'kctl attach ...' were called.  Default false, unless '-i/--stdin' is set, in which case the default is true.",
    )
    container: str = flag("-c", "--container", help="Container name to use for debug container.")
    copy_to: str = flag("--copy-to", help="Create a copy of the target Pod with this name.")
    custom: str = flag(
        "--custom", help="Path to a JSON or YAML file containing a partial container spec to customize built-in debug profiles."
    )
    env: Sequence[str] = flag("--env", kind="slice", help="Environment variables to set in the container.")
    filename: Sequence[str] = options.filename("identifying the resource to debug")
    image: str = flag("--image", help="Container image to use for debug container.")
    image_pull_policy: str = flag(
        "--image-pull-policy",
        help="The image pull policy for the container. If left empty, this value will not be specified by the client and defaulted by the server.",
    )
    keep_annotations: bool = flag(
        "--keep-annotations",
        kind="bool",
        help="If true, keep the original pod annotations.(This flag only works when used with '--copy-to')",
    )
    keep_init_containers: bool = flag(
        "--keep-init-containers",
        kind="bool",
        default=True,
        help="Run the init containers for the pod. Defaults to true.(This flag only works when used with '--copy-to')",
    )
    keep_labels: bool = flag(
        "--keep-labels", kind="bool", help="If true, keep the original pod labels.(This flag only works when used with '--copy-to')"
    )
    keep_liveness: bool = flag(
        "--keep-liveness",
        kind="bool",
        help="If true, keep the original pod liveness probes.(This flag only works when used with '--copy-to')",
    )
    keep_readiness: bool = flag(
        "--keep-readiness",
        kind="bool",
        help="If true, keep the original pod readiness probes.(This flag only works when used with '--copy-to')",
    )
    keep_startup: bool = flag(
        "--keep-startup",
        kind="bool",
        help="If true, keep the original startup probes.(This flag only works when used with '--copy-to')",
    )
    profile: str = flag(
        "--profile",
        default="general",
        help='Options are "general", "baseline", "restricted", "netadmin" or "sysadmin". Defaults to "general"',
    )
    quiet: bool = flag("-q", "--quiet", kind="bool", help="If true, suppress informational messages.")
    replace: bool = flag("--replace", kind="bool", help="When used with '--copy-to', delete the original Pod.")
    same_node: bool = flag("--same-node", kind="bool", help="When used with '--copy-to', schedule the copy of target Pod on the same node.")
    set_image: Sequence[str] = flag(
        "--set-image",
        kind="slice",
        help="When used with '--copy-to', a list of name=image pairs for changing container images, similar to how 'kctl set image' works.",
    )
    share_processes: bool = flag(
        "--share-processes",
        kind="bool",
        default=True,
        help="When used with '--copy-to', enable process namespace sharing in the copy.",
    )
    stdin: bool = flag("-i", "--stdin", kind="bool", help="Keep stdin open on the container(s) in the pod, even if nothing is attached.")
    target: str = flag("--target", help="When using an ephemeral container, target processes in this container name.")
    tty: bool = flag("-t", "--tty", kind="bool", help="Allocate a TTY for the debugging container.")

    def complete(self) -> None:
        dash, given = self.session.dash, list(self.arguments)
        self.targets, self.words = (given[:dash], given[dash:]) if 0 <= dash < len(given) else (given, [])
        if self.stdin and not self.changed("attach"):
            self.attach = True
        self.variables = _pairs(self.env, "env")
        self.images = dict(_pairs(self.set_image, "set-image"))
        if self.profile not in PROFILES:
            raise CommandError(f"unknown profile: {self.profile}")
        self.custom_container = _custom(self.custom) if self.custom else None

    def validate(self) -> None:
        if self.attach and self.changed("attach") and not self.image and not self.container:
            raise CommandError("you must specify --container or create a new container using --image in order to attach.")
        if self.copy_to:
            if not (self.image or self.images or self.words):
                raise CommandError("you must specify --image, --set-image or command arguments.")
            if self.words and not self.container and not self.image:
                raise CommandError("you must specify an existing container or a new image when specifying args.")
        else:
            self._refuse_without_copy()
        if self.image and not is_image(self.image):
            raise CommandError(f'invalid image name "{self.image}": invalid reference format')
        if not self.targets and not self.filename:
            raise CommandError("NAME or filename is required for debug")
        if self.image_pull_policy not in _PULL:
            raise CommandError(f"invalid image pull policy: {self.image_pull_policy}")
        for name, image in self.images.items():
            if not is_image(image):
                raise CommandError(f'invalid image name "{image}" for container "{name}": invalid reference format')
        if self.target:
            if self.copy_to:
                raise CommandError("--target is incompatible with --copy-to. Use --share-processes instead.")
            self._say(
                f'Targeting container "{self.target}". If you don\'t see processes from this container it may be because the '
                "container runtime doesn't support this feature."
            )
        if self.tty and not self.stdin:
            raise CommandError("-i/--stdin is required for containers with -t/--tty=true")
        if any(self.custom_container.get(field) for field in pods.UNCHANGEABLE) if self.custom_container else False:
            raise CommandError("name, command, image, lifecycle and volume devices are not modifiable via custom profile")
        if self.profile == LEGACY:
            self.session.error(
                "--profile=legacy is deprecated and will be removed in the future. It is recommended to explicitly specify a profile, "
                'for example "--profile=general".'
            )

    def _refuse_without_copy(self) -> None:
        for given, name in ((self.replace, "replace"), (self.same_node, "same-node"), (self.images, "set-image")):
            if given:
                raise CommandError(f"--{name} may only be used with --copy-to.")
        if not self.image:
            raise CommandError("you must specify --image when not using --copy-to.")

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.session.print(text)

    async def run(self) -> None:
        session = self.session
        for target in await self._found():
            kind = target.resource.group_resource
            if kind == "nodes":
                made, container = await self._on_node(objects.name(target.object))
            elif kind != "pods":
                version = target.resource.api_version if "/" in target.resource.api_version else f"/{target.resource.api_version}"
                raise CommandError(f'"{version}, Kind={target.resource.kind}" not supported by debug')
            elif self.copy_to:
                made, container = await self._copy(target.object)
            else:
                made, container = await self._ephemeral(target.object)
            if self.attach and container:
                await self._attach(made, container)
        session.streams.out.flush()

    async def _found(self) -> list[Target]:
        builder = Builder(self.session, self.filename)
        words = [word if "/" in word else f"pods/{word}" for word in self.targets]
        found = await described(builder, words)
        builder.finish()
        return found

    def _container(self) -> DebugContainer:
        return DebugContainer(
            self.image,
            self.image_pull_policy,
            self.variables,
            self.words,
            self.arguments_only,
            self.stdin,
            self.tty,
            PROFILES[self.profile],
            self.custom_container,
        )

    def _name_in(self, pod: Object) -> str:
        if self.container:
            return self.container
        taken = pods.names_of(pod)
        name = next(name for name in iter(lambda: f"debugger-{_suffix()}", "") if name not in taken)
        self._say(f"Defaulting debug container name to {name}.")
        return name

    def _warn_of(self, pod: Object, name: str) -> None:
        if pods.may_lack_power(pod, name):
            self.session.error(_NO_POWER)

    async def _ephemeral(self, pod: Object) -> tuple[Object, str]:
        name = self._name_in(pod)
        made = pods.with_ephemeral(pod, name, self._container(), self.target)
        self._warn_of(made, name)
        patch = {"spec": {"ephemeralContainers": [made["spec"]["ephemeralContainers"][-1]]}}
        namespace, pod_name = objects.namespace(pod), objects.name(pod)
        request = ApiRequest("patch", PODS, namespace, pod_name, "ephemeralcontainers", body=patch, content_type=STRATEGIC_MERGE_PATCH)
        try:
            answer = await (await self.session.client()).call(request)
        except NotFound as error:
            if error.details.get("name"):
                raise
            raise CommandError(f'ephemeral containers are disabled for this cluster (error from server: "{error.message}")') from None
        return answer.object, name

    async def _copy(self, pod: Object) -> tuple[Object, str]:
        keep = Keep(
            self.keep_labels,
            self.keep_annotations,
            self.keep_liveness,
            self.keep_readiness,
            self.keep_startup,
            self.keep_init_containers,
        )
        shared = self.share_processes if self.changed("share_processes") else None
        copy = Copy(self.copy_to, self.container, keep, self.same_node, shared, self.images)
        copied, name = copy.of(pod), ""
        if self.image or not self.images or self.container in pods.names_of(copied):
            name = self.container if self.container or not self.image else self._name_in(copied)
            copied = pods.with_debug_container(copied, name, copy, self._container())
        self._warn_of(copied, name)
        client = await self.session.client()
        created = await client.create(PODS, copied, objects.namespace(pod))
        if self.replace:
            await client.delete(PODS, objects.name(pod), objects.namespace(pod), grace_period_seconds=0)
        return created, name

    async def _on_node(self, node: str) -> tuple[Object, str]:
        name, pod_name = self.container or "debugger", f"node-debugger-{node}-{_suffix()}"
        self._say(f"Creating debugging pod {pod_name} with container {name} on node {node}.")
        made = pods.for_node(node, pod_name, name, self._container())
        created = await (await self.session.client()).create(PODS, made, self.session.namespace)
        return created, name

    async def _attach(self, pod: Object, container: str) -> None:
        from kctl.cli.remote.starting import attach_or_log, pod_when

        session = self.session
        warned: set[str] = set()

        def has_started(pod: Object) -> bool:
            state = _state(pod, container)
            waiting = (state.get("waiting") or {}).get("message", "")
            if waiting and not self.quiet and waiting not in warned:
                warned.add(waiting)
                session.error(f"Warning: container {container}: {waiting}")
            return bool(state.keys() & {"running", "terminated"})

        started = await pod_when(session, objects.namespace(pod), objects.name(pod), has_started, 0.0)
        await attach_or_log(
            session,
            started,
            container,
            stdin=self.stdin,
            tty=self.tty,
            quiet=self.quiet,
            ended="terminated" in _state(started, container),
            program=f"{session.program.partition(' ')[0]} attach",
        )


def _state(pod: Object, container: str) -> dict[str, Any]:
    status = objects.status(pod)
    every = [each for field in ("initC", "c", "ephemeralC") for each in status.get(f"{field}ontainerStatuses") or ()]
    return next((each.get("state") or {} for each in every if each["name"] == container), {})


def _suffix() -> str:
    return "".join(random.SystemRandom().choices(_LETTERS, k=5))


def _pairs(words: Sequence[str], name: str) -> list[tuple[str, str]]:
    """pflag's stringToString."""
    for word in words:
        if "=" not in word:
            shown = ",".join(words)
            raise FlagError(f'invalid argument "{shown}" for "--{name}" flag: {word} must be formatted as key=value')
    return [(word.partition("=")[0], word.partition("=")[2]) for word in words]


def _custom(path: str) -> Object:
    """Raises CommandError."""
    from kctl.apimachinery.yaml import load_all

    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CommandError(f"must pass a container spec json file for custom profile: open {path}: {why}") from None
    try:
        documents = list(load_all(text))
    except ValueError as error:
        raise CommandError(f"{path} does not contain a valid container spec: {error}") from None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise CommandError(f"{path} does not contain a valid container spec")
    return documents[0]
