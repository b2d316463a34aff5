"""tar (what `kubectl cp` speaks), gzip, gunzip, zcat: over the container's own files, in memory."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Generator

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Options, Waits, programs, walk
from controllers.kubelet.commands.programs.users import group_name, user_name
from controllers.kubelet.files.tree import LARGEST_FILE_BYTES, Device, Directory, Symlink

_MOST_BYTES = 8 * LARGEST_FILE_BYTES
_PIECE_BYTES = 64 * 1024
_LONG = {
    "create": "c",
    "extract": "x",
    "get": "x",
    "list": "t",
    "file": "f",
    "directory": "C",
    "gzip": "z",
    "verbose": "v",
    "no-same-permissions": "o",
    "no-same-owner": "o",
    "touch": "m",
    "to-stdout": "O",
    "overwrite": "k",
    "strip-components": "S",
}


def unzipped(call: Call, data: bytes) -> Generator[Waits, None, bytes]:
    """Raises zlib.error; bounded."""
    made, rest = bytearray(), data
    while rest:
        inflater = zlib.decompressobj(wbits=31)
        while rest and not inflater.eof:
            before = len(made)
            made += inflater.decompress(rest, _PIECE_BYTES)
            rest = inflater.unconsumed_tail
            if len(made) > _MOST_BYTES:
                raise NotInterpreted("an archive of that size")
            yield from call.pace(10 + (len(made) - before) // 200)
        if not inflater.eof:
            raise zlib.error("unexpected end of file")
        rest = inflater.unused_data.lstrip(b"\0")
    return bytes(made)


def zipped(call: Call, data: bytes) -> Generator[Waits, None, bytes]:
    deflater = zlib.compressobj(wbits=31)
    made = bytearray()
    for at in range(0, len(data), _PIECE_BYTES):
        made += deflater.compress(data[at : at + _PIECE_BYTES])
        yield from call.pace(_PIECE_BYTES // 30)
    return bytes(made + deflater.flush())


def _tar(call: Call) -> Run:
    if call.arguments and not call.arguments[0].startswith("-"):
        call.arguments[0] = "-" + call.arguments[0]
    excluded = [word.partition("=")[2] for word in call.arguments if word.startswith("--exclude=")]
    call.arguments = [word for word in call.arguments if not word.startswith(("--exclude=", "--warning="))]
    if excluded:
        raise NotInterpreted('"tar --exclude"')
    given, names = call.options("cxtzvmopkhOPS", "fC", _LONG)
    modes = [letter for letter in "cxt" if letter in given]
    if len(modes) != 1:
        call.complain(
            "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options" if call.gnu else "need at least one option"
        )
        return 2 if call.gnu else 1
    if modes[0] == "c":
        return (yield from _create(call, given, names))
    name = given.get("f", "-")
    if name == "-":
        data = yield from _archive_from(call)
    else:
        try:
            data = call.process.read(name)
        except OSError as error:
            return call.failed(name, error, "can't open '{}'", "{}: Cannot open") and (2 if call.gnu else 1)
    try:
        if data[:2] == b"\x1f\x8b":
            data = yield from unzipped(call, data)
        return (yield from _read(call, given, names, data))
    except (tarfile.TarError, zlib.error, EOFError):
        call.complain("This does not look like a tar archive" if call.gnu else "invalid tar magic")
        return 2 if call.gnu else 1


def _archive_from(call: Call) -> Generator[Waits, None, bytes]:
    taken = bytearray()
    stdin = call.process.stdin
    while True:
        taken += stdin.take()
        if len(taken) > _MOST_BYTES:
            raise NotInterpreted("an archive of that size")
        if stdin.closed:
            return bytes(taken + stdin.take())
        yield None


def _create(call: Call, given: Options, names: list[str]) -> Run:
    if not names:
        call.complain("Cowardly refusing to create an empty archive" if call.gnu else "empty archive")
        return 2 if call.gnu else 1
    folder = given.get("C", "").rstrip("/")
    made, code = io.BytesIO(), 0
    if "P" not in given and any(name.startswith("/") for name in names):
        call.complain("Removing leading `/' from member names" if call.gnu else "removing leading '/' from member names")
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in names:
            path = name if name.startswith("/") or not folder else f"{folder}/{name}"
            if not call.files.exists(call.path(path), call.who, follow=False):
                call.complain(f"{name}: Cannot stat: No such file or directory" if call.gnu else f"{name}: No such file or directory")
                code = 2 if call.gnu else 1
                continue
            for at, node, _ in walk(call, path):
                yield from call.pace(60)
                shown = at[len(folder) + 1 :] if folder and not name.startswith("/") else at
                if isinstance(node, Device):
                    continue
                try:
                    code = _add(call, archive, shown, at) or code
                except OSError as error:
                    code = call.failed(shown, error, "can't open '{}'", "{}: Cannot open")
                if made.tell() > _MOST_BYTES:
                    raise NotInterpreted("an archive of that size")
                if "v" in given:
                    call.process.complain(shown + "\n")
    if code:
        call.complain("Exiting with failure status due to previous errors" if call.gnu else "error exit delayed from previous errors")
    data = (yield from zipped(call, made.getvalue())) if "z" in given else made.getvalue()
    if given.get("f", "-") == "-":
        call.process.out(data)
    else:
        call.process.write(given["f"], data)
    return code


def _add(call: Call, archive: tarfile.TarFile, shown: str, path: str) -> int:
    node = call.node(path, follow=False)
    member = tarfile.TarInfo(shown.lstrip("/"))
    member.mode, member.uid, member.gid = node.mode, node.uid, node.gid
    member.uname, member.gname = user_name(call, node.uid), group_name(call, node.gid)
    member.mtime = int(call.process.world.clock.now().timestamp())
    if isinstance(node, Directory):
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif isinstance(node, Symlink):
        member.type, member.linkname = tarfile.SYMTYPE, node.target
        archive.addfile(member)
    else:
        data = call.process.read(path)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return 0


def _read(call: Call, given: Options, names: list[str], data: bytes) -> Run:
    folder = given.get("C", "").rstrip("/")
    code = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            yield from call.pace(80)
            name = member.name
            if names and not any(name == each.rstrip("/") or name.startswith(each.rstrip("/") + "/") for each in names):
                continue
            if "t" in given:
                call.print(name + ("/" if member.isdir() else "") + "\n")
                continue
            if "v" in given:
                call.print(name + "\n")
            content = archive.extractfile(member) if member.isfile() else None
            body = content.read() if content is not None else b""
            if "O" in given:
                call.process.out(body)
                continue
            target = name.lstrip("/") if not folder else f"{folder}/{name.lstrip('/')}"
            try:
                _extract(call, member, target, body)
            except OSError as error:
                code = call.failed(name, error, "can't open '{}'", "{}: Cannot open") and (2 if call.gnu else 1)
    return code


def _extract(call: Call, member: tarfile.TarInfo, target: str, body: bytes) -> None:
    files, who = call.files, call.who
    if ".." in target.split("/"):
        raise OSError(1, "Operation not permitted", target)
    path = call.path(target)
    head = path.rstrip("/").rpartition("/")[0]
    if head and not files.exists(head, who):
        files.make_directory(head, who, mode=0o755, parents=True)
    if member.isdir():
        files.make_directory(path, who, mode=member.mode & 0o7777, parents=True)
    elif member.issym():
        if files.exists(path, who, follow=False):
            files.remove(path, who)
        files.link(path, member.linkname, who)
    elif member.isfile():
        files.write(path, body, who, mode=member.mode & 0o7777)
        files.change_mode(path, member.mode & 0o7777, who)


def _gzip(call: Call) -> Run:
    given, names = call.options("cdfkvq123456789", long={"stdout": "c", "decompress": "d", "keep": "k", "force": "f"})
    inflate = call.name != "gzip" or "d" in given
    to_output = call.name == "zcat" or "c" in given or not names
    code, contents = yield from call.inputs(names, "{}", "{}")
    for name, data in contents:
        try:
            made = yield from unzipped(call, data) if inflate else zipped(call, data)
        except zlib.error:
            call.complain("invalid magic" if not call.gnu else f"\n{call.name}: {name}: not in gzip format")
            code = 1
            continue
        if to_output or name == "-":
            call.process.out(made)
            continue
        if inflate and not name.endswith(".gz"):
            call.complain(f"{name}: unknown suffix - ignored")
            code = 1
            continue
        call.process.write(name.removesuffix(".gz") if inflate else name + ".gz", made)
        if "k" not in given:
            call.files.remove(call.path(name), call.who)
    return code


_APPLETS: dict[str, Applet] = {"tar": _tar, "gzip": _gzip, "gunzip": _gzip, "zcat": _gzip}
program = programs(_APPLETS)
