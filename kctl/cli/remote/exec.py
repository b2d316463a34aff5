"""kctl exec."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from kctl.apimachinery import objects
from kctl.cli import options
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.pods_of import chosen_container
from kctl.cli.remote.command import COMPLETED, InteractiveFlags, pod_of, pod_path, query_of, run_remote, target_of
from kctl.cli.remote.streams import Ends, Input, NoInput, Sizes, is_terminal, raw, writer
from kctl.client.streaming.remote_command import Wanted

NO_TERMINAL = "Unable to use a TTY - input is not a terminal or the right kind of file"


class Exec(InteractiveFlags):
    """Execute a command in a container."""

    name = "exec"
    usage = "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]"
    examples = """
  # Run 'date' in the first container of pod mypod and show what it prints
  kctl exec mypod -- date

  # Run it in container ruby of the pod
  kctl exec mypod -c ruby -- date

  # Work in a shell of the container: keys go there, its screen comes here
  kctl exec mypod -c ruby -i -t -- bash -il

  # Flags after the two dashes are the command's own; no quotes around all of it
  kctl exec mypod -i -t -- ls -t /usr

  # Run it in a pod of a deployment, or of a service
  kctl exec deploy/web -- date
  kctl exec svc/web -- date
"""

    filename: Sequence[str] = options.filename("to use to exec into the resource")

    def complete(self) -> None:
        dash, given = self.session.dash, list(self.arguments)
        self.target = given[0] if given and dash != 0 else ""
        self.command = given[dash:] if dash > -1 else []
        if dash < 0 and (len(given) > 1 or (given and self.filename)):
            raise UsageError("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead")

    def validate(self) -> None:
        if self.pod_running_timeout <= 0:
            raise UsageError("--pod-running-timeout must be higher than zero")
        if not self.target and not self.filename:
            raise CommandError("pod, type/name or --filename must be specified")
        if not self.command:
            raise CommandError("you must specify at least one command for the container")

    async def run(self) -> None:
        session = self.session
        target = await target_of(session, [self.target] if self.target else [], self.filename)
        pod = await pod_of(session, target, self.pod_running_timeout)
        phase = objects.status(pod).get("phase")
        if phase in COMPLETED:
            raise CommandError(f"cannot exec into a container in a completed pod; current phase is {phase}")
        tell = (lambda text: None) if self.quiet else session.error
        container = chosen_container(pod, self.container, tell)
        streams = session.streams
        terminal = self.stdin and self.tty and is_terminal(streams.input)
        if self.stdin and self.tty and not terminal:
            tell(NO_TERMINAL)
        wanted = Wanted(self.stdin, stdout=True, stderr=not terminal, tty=terminal)
        source = Input(streams.input) if self.stdin else NoInput()
        ends = Ends(source, writer(streams.out), writer(streams.err), Sizes(streams.out) if terminal else None)
        path = pod_path(objects.namespace(pod), objects.name(pod), "exec", query_of(wanted, container, self.command))
        with raw(streams.input) if terminal else nullcontext():
            await run_remote(session, path, wanted, ends)
