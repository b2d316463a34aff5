"""kctl attach, and the attaching of `kctl run -i`."""

from __future__ import annotations

from contextlib import nullcontext

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.cli.pods_of import chosen_container
from kctl.cli.remote.command import COMPLETED, InteractiveFlags, pod_of, pod_path, query_of, run_remote, target_of
from kctl.cli.remote.exec import NO_TERMINAL
from kctl.cli.remote.streams import DetachableInput, Ends, Input, NoInput, Sizes, Source, detach_keys, is_terminal, raw, writer
from kctl.cli.session import Session
from kctl.client.streaming.remote_command import Wanted

DETACH_KEYS = "ctrl-p,ctrl-q"
NOTES = (
    "All commands and output from this session will be recorded in container logs, including credentials and sensitive information passed through the command prompt.",
    "If you don't see a command prompt, try pressing enter.",
)


class Attach(InteractiveFlags):
    """Attach to a process that is already running inside an existing container."""

    name = "attach"
    usage = "(POD | TYPE/NAME) -c CONTAINER"
    examples = """
  # See what the process of pod mypod prints: of the container that an annotation names, or the first
  kctl attach mypod

  # Of container ruby
  kctl attach mypod -c ruby

  # Type to it: keys go there, its screen comes here; ctrl-p ctrl-q leaves it running
  kctl attach mypod -c ruby -i -t

  # To the first pod of a replica set
  kctl attach rs/nginx
"""

    detach_keys: str = flag("--detach-keys", default=DETACH_KEYS, help="Override the key sequence for detaching a container")

    def validate(self) -> None:
        words = self.arguments
        if not words:
            raise CommandError("at least 1 argument is required for attach")
        if len(words) > 2:
            raise CommandError(f"expected POD, TYPE/NAME, or TYPE NAME, (at most 2 arguments) saw {len(words)}: [{' '.join(words)}]")
        if self.pod_running_timeout <= 0:
            raise UsageError("--pod-running-timeout must be higher than zero")

    async def run(self) -> None:
        target = await target_of(self.session, self.arguments)
        pod = await pod_of(self.session, target, self.pod_running_timeout)
        phase = objects.status(pod).get("phase")
        if phase in COMPLETED:
            raise CommandError(f"cannot attach a container in a completed pod; current phase is {phase}")
        await attach(
            self.session,
            pod,
            self.container,
            stdin=self.stdin,
            tty=self.tty,
            quiet=self.quiet,
            keys=self.detach_keys,
            program=self.session.program,
        )


def container_to_attach(session: Session, pod: Object, name: str, *, quiet: bool) -> Object:
    """Raises CommandError."""
    try:
        chosen = chosen_container(pod, name, (lambda text: None) if quiet else session.error)
    except CommandError as error:
        raise CommandError(f"cannot attach to the container: {error.message}") from None
    spec = objects.spec(pod)
    every = [container for field in ("initContainers", "containers", "ephemeralContainers") for container in spec.get(field) or ()]
    return dict(next(container for container in every if container["name"] == chosen))


async def attach(
    session: Session,
    pod: Object,
    container_name: str,
    *,
    stdin: bool,
    tty: bool,
    quiet: bool,
    keys: str = DETACH_KEYS,
    program: str = "kctl attach",
) -> None:
    """Until the container's process ends, or the user detaches."""
    container = container_to_attach(session, pod, container_name, quiet=quiet)
    name, streams = container["name"], session.streams
    if tty and not container.get("tty"):
        tty = False
        if not quiet:
            session.error(f"error: Unable to use a TTY - container {name} did not allocate one")
    elif container.get("tty"):
        tty = True
    terminal = stdin and tty and is_terminal(streams.input)
    if stdin and tty and not terminal and not quiet:
        session.error(NO_TERMINAL)
    if not quiet:
        for note in NOTES:
            session.error(note)
    source: Source = Input(streams.input) if stdin else NoInput()
    sizes = None
    if terminal:
        try:
            source = DetachableInput(source, detach_keys(keys or DETACH_KEYS))
        except ValueError as error:
            raise CommandError(f"could not bind detach keys: {error}") from None
        sizes = Sizes(streams.out, redraw=True)
    wanted = Wanted(stdin, stdout=True, stderr=not terminal, tty=terminal)
    path = pod_path(objects.namespace(pod), objects.name(pod), "attach", query_of(wanted, name))
    with raw(streams.input) if terminal else nullcontext():
        await run_remote(session, path, wanted, Ends(source, writer(streams.out), writer(streams.err), sizes))
    if terminal and not quiet:
        session.print(_ended(pod, name, program))


def _ended(pod: Object, container: str, program: str) -> str:
    again = f"'{program} {objects.name(pod)} -c {container} -n {objects.namespace(pod)} -i -t'"
    if any(ephemeral["name"] == container for ephemeral in objects.spec(pod).get("ephemeralContainers") or ()):
        what = "Session ended, the ephemeral container will not be restarted but may be reattached using"
        return f"{what} {again} if it is still running"
    return f"Session ended, resume using {again} command"
