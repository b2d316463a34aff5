"""What exec, attach, cp and run share: the flags, which pod is meant, and one command's streams from here to there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.cli.builder import Builder
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, Exit
from kctl.cli.flags import flag
from kctl.cli.pods_of import pods_of
from kctl.cli.remote.streams import Ends
from kctl.cli.session import Session
from kctl.cli.targets import Target, described
from kctl.client.http_messages import quote
from kctl.client.streaming.dialing import Dialer, StreamingError
from kctl.client.streaming.remote_command import CommandTerminated, Wanted, stream
from kctl.client.streaming.upgrade import Upgrading

COMPLETED = ("Succeeded", "Failed")


def container_flag() -> Any:
    return flag(
        "-c",
        "--container",
        help="Container name. If omitted, use the kubectl.kubernetes.io/default-container annotation for selecting the container to be attached or the first container in the pod will be chosen",
    )


def pod_running_timeout(seconds: float = 60.0) -> Any:
    return flag(
        "--pod-running-timeout",
        kind="duration",
        default=seconds,
        help="The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    )


class InteractiveFlags(Command):
    container: str = container_flag()
    pod_running_timeout: float = pod_running_timeout()
    quiet: bool = flag("-q", "--quiet", kind="bool", help="Only print output from the remote session")
    stdin: bool = flag("-i", "--stdin", kind="bool", help="Pass stdin to the container")
    tty: bool = flag("-t", "--tty", kind="bool", help="Stdin is a TTY")


async def target_of(session: Session, words: Sequence[str], filenames: Sequence[str] = ()) -> Target:
    """The one object that is named: POD, TYPE/NAME or TYPE NAME, or what a file describes. Raises CommandError."""
    builder = Builder(session, filenames)
    words = ["pods", *words] if len(words) == 1 and "/" not in words[0] else list(words)
    if builder.has_files and words:
        words = [f"pods/{word}" if "/" not in word else word for word in words]
    targets = await described(builder, words)
    builder.finish()
    if len(targets) != 1:
        raise CommandError("expected exactly one object" if targets else "no objects passed to exec")
    return targets[0]


async def pod_of(session: Session, target: Target, timeout_seconds: float) -> Object:
    """The pod itself, or the first of the target's."""
    if target.resource is PODS:
        return target.object
    return (await pods_of(session, target, timeout_seconds, "attach to"))[0]


def websockets_wanted(variable: str) -> bool:
    return os.environ.get(variable, "").lower() not in ("false", "0", "f")


async def dialer(session: Session, variable: str = "KUBECTL_REMOTE_COMMAND_WEBSOCKETS") -> Dialer:
    transport = (await session.client()).transport
    transport = getattr(transport, "inner", transport)
    if not isinstance(transport, Upgrading):
        raise CommandError("a stopped cluster runs no containers")
    return Dialer(transport, websockets=websockets_wanted(variable), random_bytes=os.urandom)


def pod_path(namespace: str, name: str, subresource: str, query: Sequence[tuple[str, str]] = ()) -> str:
    path = PODS.path(quote(namespace), quote(name), subresource)
    return path + ("?" + "&".join(f"{quote(key)}={quote(value)}" for key, value in query) if query else "")


def query_of(wanted: Wanted, container: str, command: Sequence[str] = ()) -> list[tuple[str, str]]:
    """PodExecOptions and PodAttachOptions as URL parameters, in the order of their names."""
    query = [*(("command", word) for word in command), ("container", container)]
    named = (("stderr", wanted.stderr), ("stdin", wanted.stdin), ("stdout", wanted.stdout), ("tty", wanted.tty))
    return query + [(name, "true") for name, asked in named if asked]


async def run_remote(session: Session, path: str, wanted: Wanted, ends: Ends) -> None:
    """To the end of the command. A failure of the command itself ends kctl with its exit code, as kubectl."""
    try:
        await stream(await dialer(session), path, wanted, ends)
    except CommandTerminated as ended:
        session.streams.out.flush()
        session.error(str(ended))
        raise Exit(ended.code) from None
    except StreamingError as error:
        raise CommandError(str(error)) from None
