"""mounttest, etc-hosts, dns-suffix, dns-server-list: what a container sees of its files."""

from __future__ import annotations

import stat
from collections.abc import Generator, Mapping

from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs.golang import Flag, path_error, quoted, reason
from controllers.kubelet.files.tree import Device, Directory, Node, Symlink

_NEW_CONTENT = "mount-tester new file\n"
_RETRY_SECONDS = 2.0
_FILE_SYSTEMS = {"ext4": 0xEF53, "overlay": 0x794C7630, "proc": 0x9FA0, "sysfs": 0x62656572, "xfs": 0x58465342}


def go_mode(node: Node) -> str:
    """FileMode.String()"""
    kinds = "d" if isinstance(node, Directory) else "L" if isinstance(node, Symlink) else "Dc" if isinstance(node, Device) else ""
    kinds += "u" if node.mode & stat.S_ISUID else ""
    kinds += "g" if node.mode & stat.S_ISGID else ""
    kinds += "t" if node.mode & stat.S_ISVTX else ""
    return (kinds or "-") + permissions(node)[1:]


def permissions(node: Node) -> str:
    """FileMode.Perm().String()"""
    return "-" + "".join(letter if node.mode >> (8 - at) & 1 else "-" for at, letter in enumerate("rwxrwxrwx"))


def _content(process: Process, path: str) -> bool:
    try:
        data = process.read(path)
    except OSError as error:
        process.print(f"error reading file content for {quoted(path)}: {path_error('open', path, error)}\n")
        return False
    process.out(f"content of file {quoted(path)}: ".encode("utf-8", "surrogateescape") + data + b"\n")
    return True


def _file_system(process: Process, path: str) -> bool:
    try:
        real = process.world.files.real_path(process.path(path), process.who)
    except OSError as error:
        process.print(f"error from statfs({quoted(path)}): {reason(error)}\n")
        return False
    kind = process.world.files.mount_of(real).kind
    process.print(f"mount type of {quoted(path)}: {kind if kind == 'tmpfs' else _FILE_SYSTEMS.get(kind, 0xEF53)}\n")
    return True


def _new_file(process: Process, path: str, mode: int) -> bool:
    files = process.world.files
    try:
        files.write(process.path(path), _NEW_CONTENT.encode(), process.who, mode=mode)
    except OSError as error:
        process.print(f"error writing new file {quoted(path)}: {path_error('open', path, error)}\n")
        return False
    return _content(process, path)


def _look(process: Process, path: str, what: str) -> bool:
    try:
        node = process.world.files.node(process.path(path), process.who)
    except OSError as error:
        if what == "owner":
            process.print(f"error from stat({quoted(path)}): {reason(error)}\n")
        else:
            process.print(f"error from Stat({quoted(path)}): {path_error('stat', path, error)}\n")
        return False
    if what == "owner":
        process.print(f"owner UID of {quoted(path)}: {node.uid}\nowner GID of {quoted(path)}: {node.gid}\n")
    elif what == "mode":
        process.print(f"mode of file {quoted(path)}: {go_mode(node)}\n")
    else:
        process.print(f"perms of file {quoted(path)}: {permissions(node)}\n")
    return True


def _in_loop(process: Process, path: str, seconds: int, *, stop: bool) -> Generator[float | None, None, bool]:
    clock = process.world.clock
    start, read = clock.monotonic(), True
    while clock.monotonic() - start < seconds:
        try:
            data = process.read(path)
            read = True
        except OSError as error:
            read = False
            process.print(f"Error reading file {path}: {path_error('open', path, error)}, retrying\n")
        else:
            process.out(f"content of file {quoted(path)}: ".encode("utf-8", "surrogateescape") + data + b"\n")
            if stop and data == _NEW_CONTENT.encode():
                break
            if stop:
                process.print(f"Unexpected content. Expected: {_NEW_CONTENT}. Retrying")
        yield _RETRY_SECONDS
    return read


def _mounttest(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> Run:
    """In the order of the real one, so that one command can write a file and look at it."""
    process.umask = 0
    done = []
    path = {name: str(value) for name, value in values.items()}
    if path["fs_type"]:
        done.append(_file_system(process, path["fs_type"]))
    for mode in ("0644", "0666", "0660", "0777"):
        if path[f"new_file_{mode}"]:
            done.append(_new_file(process, path[f"new_file_{mode}"], int(mode, 8)))
    for flag, what in (("file_mode", "mode"), ("file_perm", "perm"), ("file_owner", "owner")):
        if path[flag]:
            done.append(_look(process, path[flag], what))
    if path["file_content"]:
        done.append(_content(process, path["file_content"]))
    if path["file_content_in_loop"]:
        seconds = int(values["retry_time"])
        done.append((yield from _in_loop(process, path["file_content_in_loop"], seconds, stop=bool(values["break_on_expected_content"]))))
    return int(not all(done))


def _etc_hosts(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> int:
    return _printed(process, "/etc/hosts")


def _printed(process: Process, path: str) -> int:
    try:
        process.out(process.read(path) + b"\n")
    except OSError as error:
        return _panic(process, path_error("open", path, error))
    return 0


def _panic(process: Process, message: str) -> int:
    process.complain(f"panic: {message}\n")
    return 2


def _resolver_line(process: Process, keyword: str) -> int:
    try:
        lines = process.read("/etc/resolv.conf").decode("utf-8", "replace").split("\n")
    except OSError as error:
        return _panic(process, path_error("open", "/etc/resolv.conf", error))
    for line in lines:
        if line.startswith(keyword):
            process.print(",".join(line.split(" ")[1:]) + "\n")
            return 0
    return _panic(process, "Could not find DNS search list!")


def _dns_suffix(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> int:
    return _resolver_line(process, "search")


def _dns_server_list(process: Process, values: Mapping[str, Flag], arguments: list[str]) -> int:
    return _resolver_line(process, "nameserver")


_PATHS = ("fs_type", "file_mode", "file_perm", "file_owner", "file_content", "file_content_in_loop")
FLAGS: Mapping[str, Mapping[str, Flag]] = {
    "mounttest": dict.fromkeys((*_PATHS, *(f"new_file_{mode}" for mode in ("0644", "0666", "0660", "0777"))), "")
    | {"retry_time": 180, "break_on_expected_content": True}
}
SHORT: Mapping[str, Mapping[str, str]] = {}
SUBCOMMANDS = {"mounttest": _mounttest, "etc-hosts": _etc_hosts, "dns-suffix": _dns_suffix, "dns-server-list": _dns_server_list}
