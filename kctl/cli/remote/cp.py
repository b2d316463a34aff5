"""kctl cp: files between this machine and a container, as a tar archive through exec. Archives are spooled to disk, not held in memory."""

from __future__ import annotations

import os
import posixpath
import tarfile
import tempfile
from collections.abc import Sequence
from typing import IO, Final

from kctl.apimachinery import objects
from kctl.apimachinery.resources import PODS
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, Exit
from kctl.cli.flags import flag
from kctl.cli.pods_of import chosen_container
from kctl.cli.remote.command import COMPLETED, container_flag, dialer, pod_path, query_of
from kctl.cli.remote.file_specs import FileSpec, archive_prefix, destination, file_spec, is_below
from kctl.cli.remote.streams import Ends, NoInput, Source, writer
from kctl.client.streaming.dialing import StreamingError
from kctl.client.streaming.remote_command import CommandTerminated, Wanted, stream

_READ_BYTES: Final = 64 * 1024
_IN_MEMORY_BYTES: Final = 1024 * 1024


class Cp(Command):
    """Copy files and directories to and from containers.

    The container's image must have 'tar'. Links, file modes and wildcards are better served by 'tar' through 'kctl exec'.
    """

    name = "cp"
    usage = "<file-spec-src> <file-spec-dest>"
    examples = """
  # A folder of this machine, to a pod in the namespace of the context
  kctl cp /tmp/foo_dir some-pod:/tmp/bar_dir

  # A file, to a container that is named
  kctl cp /tmp/foo some-pod:/tmp/bar -c some-container

  # A file, to a pod in a namespace that is named
  kctl cp /tmp/foo some-namespace/some-pod:/tmp/bar

  # A file of a pod, to this machine
  kctl cp some-namespace/some-pod:/tmp/foo /tmp/bar

  # With links and modes: tar here and there
  tar cf - /tmp/foo | kctl exec -i -n some-namespace some-pod -- tar xf - -C /tmp/bar
  kctl exec -n some-namespace some-pod -- tar cf - /tmp/foo | tar xf - -C /tmp/bar
"""

    container: str = container_flag()
    no_preserve: bool = flag(
        "--no-preserve", kind="bool", help="The copied file/directory's ownership and permissions will not be preserved in the container"
    )
    retries: int = flag(
        "--retries",
        kind="int",
        help="Set number of retries to complete a copy operation from a container. Specify 0 to disable or any negative value for infinite retrying. The default is 0 (no retry).",
    )

    def validate(self) -> None:
        if len(self.arguments) != 2:
            raise CommandError("source and destination are required")

    async def run(self) -> None:
        source, target = map(file_spec, self.arguments)
        if source.pod and target.pod:
            raise CommandError("one of src or dest must be a local file specification")
        if not source.file or not target.file:
            raise CommandError("filepath can not be empty")
        if source.pod:
            await self._from_pod(source, target.file)
        elif target.pod:
            await self._to_pod(source.file, target)
        else:
            raise CommandError("one of src or dest must be a remote file specification")

    # ---- to a container

    async def _to_pod(self, local: str, remote: FileSpec) -> None:
        _must_exist(local)
        target = remote.file
        if await self._is_directory(remote):
            target = posixpath.join(target, posixpath.basename(posixpath.normpath(local)))
        folder, name = posixpath.split(posixpath.normpath(target))
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
            try:
                _pack(local, name, spool)
            except OSError as error:
                raise CommandError(_go_error(error)) from None
            spool.seek(0)
            keep = ["--no-same-permissions", "--no-same-owner"] if self.no_preserve else []
            await self._execute(remote, ["tar", *keep, "-xmf", "-", "-C", folder or "."], source=_Spooled(spool))

    async def _is_directory(self, remote: FileSpec) -> bool:
        """What goes wrong here goes wrong again when the file is sent, and is said then."""
        try:
            await self._execute(remote, ["test", "-d", remote.file], sink=_nowhere, quiet=True)
        except (Exit, Exception):
            return False
        return True

    # ---- from a container

    async def _from_pod(self, remote: FileSpec, local: str) -> None:
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
            await self._fetch(remote, spool)
            spool.seek(0)
            prefix = archive_prefix(remote.file)
            try:
                self._unpack(spool, prefix, remote, local)
            except tarfile.TarError as error:
                raise CommandError(f"archive/tar: invalid tar header: {error}" if str(error) else "unexpected EOF") from None
            except OSError as error:
                raise CommandError(_go_error(error)) from None

    async def _fetch(self, remote: FileSpec, spool: IO[bytes]) -> None:
        """The whole archive; where the connection broke off, from there on."""
        tries = 0
        command = ["tar", "cf", "-", remote.file]
        while True:
            if self.retries:
                command = ["sh", "-c", f"tar cf - {remote.file} | tail -c+{spool.tell() + 1 if tries else 0}"]
            try:
                await self._execute(remote, command, sink=lambda data: (spool.write(data), None)[1])
                return
            except StreamingError as error:
                if self.retries >= 0 and tries >= self.retries:
                    self.session.error(f"Dropping out copy after {tries} retries")
                    raise CommandError(str(error)) from None
                tries += 1
                self.session.error(f"Resuming copy at {spool.tell()} bytes, retry {tries}/{self.retries} - {error}")

    def _unpack(self, spool: IO[bytes], prefix: str, remote: FileSpec, local: str) -> None:
        warned = False
        with tarfile.open(fileobj=spool, mode="r|") as archive:
            for member in archive:
                target = destination(member.name, prefix, local)
                if not is_below(local, target):
                    self.session.error(f'warning: file "{target}" is outside target destination, skipping')
                    continue
                os.makedirs(os.path.dirname(target) or ".", 0o755, exist_ok=True)
                if member.isdir():
                    os.makedirs(target, 0o755, exist_ok=True)
                elif member.issym():
                    self._skip_link(member, target, remote, again=warned)
                    warned = True
                else:
                    content = archive.extractfile(member) if member.isfile() else None
                    with open(target, "wb") as file:
                        while content is not None and (part := content.read(_READ_BYTES)):
                            file.write(part)

    def _skip_link(self, member: tarfile.TarInfo, target: str, remote: FileSpec, *, again: bool) -> None:
        text = f'warning: skipping symlink: "{target}" -> "{member.linkname}"'
        if not again:
            program = self.session.program.partition(" ")[0]
            text += f' (consider using "{program} exec -n "{remote.namespace}" "{remote.pod}" -- tar cf - "{remote.file}" | tar xf -")'
        self.session.error(text)

    # ---- exec

    async def _execute(
        self,
        remote: FileSpec,
        command: Sequence[str],
        *,
        source: Source | None = None,
        sink: object = None,
        quiet: bool = False,
    ) -> None:
        """A command in the container. Raises StreamingError where the connection breaks; other failures end the command."""
        session = self.session
        namespace = remote.namespace or session.namespace
        pod = await (await session.client()).get(PODS, remote.pod, namespace)
        phase = objects.status(pod).get("phase")
        if phase in COMPLETED:
            raise CommandError(f"cannot exec into a container in a completed pod; current phase is {phase}")
        container = chosen_container(pod, self.container, _say_nothing if quiet else session.error)
        wanted = Wanted(stdin=source is not None, stdout=True, stderr=True, tty=False)
        out = sink if callable(sink) else writer(session.streams.out)
        ends = Ends(source or NoInput(), out, _nowhere if quiet else writer(session.streams.err))
        path = pod_path(namespace, remote.pod, "exec", query_of(wanted, container, command))
        try:
            await stream(await dialer(session), path, wanted, ends)
        except CommandTerminated as ended:
            if not quiet:
                session.error(str(ended))
            raise Exit(ended.code) from None
        except StreamingError as error:
            if source is not None:
                raise CommandError(str(error)) from None
            raise


def _must_exist(local: str) -> None:
    if not os.path.exists(local):
        raise CommandError(f"{local} doesn't exist in local filesystem")


def _nowhere(data: bytes) -> None:
    return


def _say_nothing(text: str) -> None:
    return


class _Spooled:
    """An archive as a command's input."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool

    async def read(self) -> bytes:
        return self._spool.read(_READ_BYTES)


def _pack(local: str, name: str, spool: IO[bytes]) -> None:
    """A file, or a folder with all that is in it, under `name`; folders have no entry of their own but where they are empty."""
    with tarfile.open(fileobj=spool, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        pending = [(os.path.normpath(local), name)]
        while pending:
            path, shown = pending.pop()
            if os.path.isdir(path) and not os.path.islink(path):
                inside = sorted(os.listdir(path), reverse=True)
                pending += [(os.path.join(path, each), posixpath.join(shown, each)) for each in inside]
                if inside:
                    continue
            member = archive.gettarinfo(path, shown)
            if member is None:  # a socket
                continue
            if member.islnk():  # a second name of a file that is there already: its content again
                member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.stat(path).st_size
            if member.isreg():
                with open(path, "rb") as file:
                    archive.addfile(member, file)
            else:
                archive.addfile(member)


def _go_error(error: OSError) -> str:
    why = os.strerror(error.errno).lower() if error.errno else str(error)
    return f"open {error.filename}: {why}" if error.filename else why
