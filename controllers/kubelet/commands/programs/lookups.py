"""What looks at files: ls, stat, readlink, realpath, basename, dirname, du, df, mount, mountpoint."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import datetime

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, Options, programs, reason, walk
from controllers.kubelet.commands.programs.users import group_name, user_name
from controllers.kubelet.files.tree import Device, Directory, File, Node, Symlink, mode_text, size_of, type_bits

# ---- ls


def _ls(call: Call) -> Run:
    long = {
        "all": "a",
        "almost-all": "A",
        "human-readable": "h",
        "recursive": "R",
        "directory": "d",
        "inode": "i",
        "size": "s",
        "color": "0",
    }
    given, names = call.options("1alAdnLhRrtStFpgoisH0kcuU", long=long)
    code = 0
    files: list[tuple[str, Node]] = []
    folders: list[str] = []
    for name in names or ["."]:
        try:
            node = call.node(name, follow="L" in given or not given.keys() & {"l", "d", "n"} or name.endswith("/"))
            if isinstance(node, Symlink):  # a link that leads nowhere is shown itself
                node = call.node(name, follow=False)
        except OSError as error:
            try:
                files.append((name, call.node(name, follow=False)))
            except OSError:
                code = call.failed(name, error, "{}", "cannot access '{}'")
                code = 2 if call.gnu else code
            continue
        if isinstance(node, Directory) and "d" not in given:
            folders.append(name)
        else:
            files.append((name, node))
    files.sort(key=lambda each: each[0])
    if files:
        call.print(_listing(call, given, files if "r" not in given else files[::-1], total=False))
    headed = len(names) > 1 or "R" in given
    shown = bool(files)
    for name in sorted(folders):
        below = [name] if "R" not in given else [path for path, node, _ in walk(call, name) if isinstance(node, Directory)]
        for path in below:
            code = (yield from _folder(call, given, path, headed=headed, blank=shown)) or code
            shown = True
    return code


def _folder(call: Call, given: Options, path: str, *, headed: bool, blank: bool) -> Run:
    try:
        names = call.files.names(call.path(path), call.who)
    except OSError as error:
        call.failed(path, error, "can't open '{}'", "cannot open directory '{}'")
        return 2 if call.gnu else 1
    if "a" in given:
        names = [".", "..", *names]
    elif "A" not in given:
        names = [name for name in names if not name.startswith(".")]
    entries: list[tuple[str, Node]] = []
    for name in names:
        entries.append((name, call.node(f"{path.rstrip('/')}/{name}", follow="L" in given)))
        yield from call.pace(4)
    if "S" in given:
        entries.sort(key=lambda each: -size_of(each[1]))
    if "r" in given:
        entries.reverse()
    call.print(("\n" if blank else "") + (f"{path}:\n" if headed else "") + _listing(call, given, entries, total=True))
    return 0


def _listing(call: Call, given: Options, entries: Sequence[tuple[str, Node]], *, total: bool) -> str:
    if not given.keys() & {"l", "n", "g", "o"}:
        if call.process.world.terminal and "1" not in given and entries:
            return "  ".join(_classified(given, name, node) for name, node in entries) + "\n"
        return "".join(_classified(given, name, node) + "\n" for name, node in entries)
    numeric = "n" in given
    rows = []
    for name, node in entries:
        owner = [] if "g" in given else [str(node.uid) if numeric else user_name(call, node.uid)]
        group = [] if "o" in given else [str(node.gid) if numeric else group_name(call, node.gid)]
        size = "1, 3" if isinstance(node, Device) else _human(size_of(node)) if "h" in given else str(size_of(node))
        links = 2 + sum(isinstance(each, Directory) for each in node.look().values()) if isinstance(node, Directory) else 1
        shown = _classified(given, name, node) + (f" -> {node.target}" if isinstance(node, Symlink) else "")
        rows.append((mode_text(node), str(links), [*owner, *group], size, shown))
    text = f"total {sum(_blocks(node) for _, node in entries)}\n" if total else ""
    moment = _moment(call.process.world.clock.now())
    if call.gnu:
        widths = [max((len(row[2][at]) for row in rows), default=0) for at in range(len(rows[0][2]))] if rows else []
        linked, sized = max((len(row[1]) for row in rows), default=1), max((len(row[3]) for row in rows), default=1)
        for permissions, count, owners, length, shown in rows:
            people = " ".join(owner.ljust(width) for owner, width in zip(owners, widths, strict=True))
            text += f"{permissions} {count:>{linked}} {people} {length:>{sized}} {moment} {shown}\n"
        return text
    for permissions, count, owners, length, shown in rows:
        people = " ".join(f"{owner:<8}" for owner in owners)
        text += f"{permissions} {count:>4} {people} {length:>9} {moment} {shown}\n"
    return text


def _classified(given: Options, name: str, node: Node) -> str:
    if isinstance(node, Directory) and given.keys() & {"F", "p"}:
        return name + "/"
    if "F" in given and isinstance(node, Symlink):
        return name + "@"
    return name + "*" if "F" in given and isinstance(node, File) and node.mode & 0o111 else name


def _blocks(node: Node) -> int:
    """KiB on the disk."""
    return 0 if isinstance(node, Symlink | Device) else (size_of(node) + 4095) // 4096 * 4


def _human(size: int) -> str:
    value = float(size)
    for unit in ("", "K", "M", "G"):
        if value < 1024:
            return f"{value:.1f}{unit}" if unit and value < 10 else f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.1f}T"


def _moment(now: datetime) -> str:
    return f"{now:%b} {now.day:>2} {now:%H:%M}"


# ---- stat

_KINDS = {stat.S_IFDIR: "directory", stat.S_IFLNK: "symbolic link", stat.S_IFCHR: "character special file", stat.S_IFREG: "regular file"}


def _stat(call: Call) -> int:
    given, names = call.options("Lftz", "c", {"format": "c", "dereference": "L", "printf": "c", "file-system": "f", "terse": "t"})
    if "t" in given or "z" in given:
        raise NotInterpreted('"stat -t"')
    if not names:
        raise call.missing_operand()
    code = 0
    for name in names:
        try:
            node = call.node(name, follow="L" in given)
            mounted = call.files.mount_of(call.files.real_path(call.path(name), call.who)).kind if "f" in given else ""
        except OSError as error:
            code = call.failed(name, error, "can't stat '{}'", "cannot statx '{}'")
            continue
        form = given.get("c")
        if "f" in given:
            if form is None:
                raise NotInterpreted('"stat -f" without a format')
            call.print(form.replace("%T", _FILE_SYSTEMS.get(mounted, mounted)).replace("%n", name) + "\n")
        elif form is not None:
            call.print(_formatted(call, form, name, node) + "\n")
        else:
            call.print(_status(call, name, node))
    return code


_FILE_SYSTEMS = {"ext4": "ext2/ext3", "overlay": "overlayfs"}


def _formatted(call: Call, form: str, name: str, node: Node) -> str:
    seconds = int(call.process.world.clock.now().timestamp())
    values = {
        "a": f"{node.mode & 0o7777:o}",
        "A": mode_text(node),
        "u": str(node.uid),
        "g": str(node.gid),
        "U": user_name(call, node.uid, "UNKNOWN"),
        "G": group_name(call, node.gid, "UNKNOWN"),
        "s": str(size_of(node)),
        "n": name,
        "N": f"'{name}' -> '{node.target}'" if isinstance(node, Symlink) else f"'{name}'" if not call.gnu else name,
        "F": "regular empty file" if isinstance(node, File) and not node.data else _KINDS[type_bits(node)],
        "f": f"{type_bits(node) | node.mode:x}",
        "h": "1",
        "b": str(_blocks(node) * 2),
        "B": "512",
        "o": "4096",
        "Y": str(seconds),
        "X": str(seconds),
        "Z": str(seconds),
        "%": "%",
    }
    made, at = "", 0
    while at < len(form):
        if form[at] == "%" and at + 1 < len(form):
            if form[at + 1] not in values:
                raise NotInterpreted(f'"stat -c %{form[at + 1]}"')
            made += values[form[at + 1]]
            at += 2
        else:
            made += form[at]
            at += 1
    return made


def _status(call: Call, name: str, node: Node) -> str:
    now = call.process.world.clock.now()
    moment = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond * 1000:09d} +0000"
    kind = "regular empty file" if isinstance(node, File) and not node.data else _KINDS[type_bits(node)]
    shown = f"{name} -> {node.target}" if isinstance(node, Symlink) else name
    people = (
        f"Uid: ({node.uid:>5}/{user_name(call, node.uid, 'UNKNOWN'):>8})   Gid: ({node.gid:>5}/{group_name(call, node.gid, 'UNKNOWN'):>8})"
    )
    text = f"  File: {shown}\n  Size: {size_of(node):<10}\tBlocks: {_blocks(node) * 2:<10} IO Block: 4096   {kind}\n"
    text += f"Device: 0,1\tInode: 1           Links: 1\nAccess: ({node.mode & 0o7777:04o}/{mode_text(node)})  {people}\n"
    return text + "".join(f"{label}: {moment}\n" for label in ("Access", "Modify", "Change"))


# ---- names of files


def _readlink(call: Call) -> int:
    given, names = call.options(
        "fenmqsvz", long={"canonicalize": "f", "canonicalize-existing": "e", "canonicalize-missing": "m", "no-newline": "n"}
    )
    code = 0
    for name in names:
        try:
            if given.keys() & {"f", "e", "m"}:
                text = _real(call, name, missing="e" not in given)
            else:
                node = call.node(name, follow=False)
                if not isinstance(node, Symlink):
                    code = 1
                    continue
                text = node.target
        except OSError:
            code = 1
            continue
        call.print(text + ("" if "n" in given else "\n"))
    return code


def _real(call: Call, name: str, *, missing: bool) -> str:
    """The path without links; with `missing` the last part need not be there."""
    path = call.path(name)
    try:
        return call.files.real_path(path, call.who)
    except FileNotFoundError:
        if not missing:
            raise
        head, _, last = path.rstrip("/").rpartition("/")
        return f"{call.files.real_path(head or '/', call.who).rstrip('/')}/{last}"


def _realpath(call: Call) -> int:
    given, names = call.options("emsq")
    code = 0
    for name in names:
        try:
            call.print(_real(call, name, missing="m" in given or (call.gnu and "e" not in given)) + "\n")
        except OSError as error:
            code = call.failed(name, error, "{}", "{}")
    return code


def _basename(call: Call) -> int:
    given, names = call.options("a", "s", permute=False)
    if not names:
        raise call.missing_operand()
    several = "a" in given or "s" in given
    suffix = given.get("s", "") if several else names[1] if len(names) > 1 else ""
    for name in names if several else names[:1]:
        base = name.rstrip("/").rpartition("/")[2] or ("/" if name else "")
        call.print((base[: -len(suffix)] if suffix and base.endswith(suffix) and base != suffix else base) + "\n")
    return 0


def _dirname(call: Call) -> int:
    _, names = call.options()
    if not names:
        raise call.missing_operand()
    for name in names:
        head, slash, _ = name.rstrip("/").rpartition("/")
        call.print((head.rstrip("/") or "/" if slash or name.startswith("/") else ".") + "\n")
    return 0


# ---- space and mounts


def _du(call: Call) -> int:
    given, names = call.options("shkmacxb", "d", {"summarize": "s", "human-readable": "h", "max-depth": "d"})
    code = 0
    for name in names or ["."]:
        sizes: dict[str, int] = {}
        found = list(walk(call, name))
        if not found:
            code = 1
            continue
        for path, node, _ in found:
            size = size_of(node) if "b" in given else _blocks(node)
            at = path
            while True:
                sizes[at] = sizes.get(at, 0) + size
                if at == name or "/" not in at:
                    break
                at = at.rpartition("/")[0] or "/"
        deepest = 0 if "s" in given else int(given["d"]) if given.get("d", "").isdigit() else 99
        for path, node, depth in reversed(found):
            if depth <= deepest and (isinstance(node, Directory) or "a" in given or depth == 0):
                value = sizes[path]
                shown = _human(value * 1024) if "h" in given else str(value // 1024 if "m" in given else value)
                call.print(f"{shown}\t{path}\n")
    return code


_DISK_KIB = 100 * 1024 * 1024
_USED_KIB = 10 * 1024 * 1024


def _df(call: Call) -> int:
    given, names = call.options("hkPTmai", "t")
    mounts = call.files.mounts
    wanted: list[str] = []
    for name in names:
        try:
            real = call.files.real_path(call.path(name), call.who)
        except OSError as error:
            return call.failed(name, error, "{}: can't find mount point", "{}")
        wanted.append(max((at for at in mounts if real == at or real.startswith(at.rstrip("/") + "/") or at == "/"), key=len))
    human = "h" in given
    kind = "Type       " if "T" in given else ""
    call.print(f"Filesystem           {kind}{'Size' if human else '1K-blocks'}      Used Available Use% Mounted on\n")
    for at in wanted or sorted(mounts):
        mount = mounts[at]
        device = mount.kind if mount.kind in ("overlay", "tmpfs") else "/dev/vda1"
        whole, used = (65536, 0) if mount.kind == "tmpfs" else (_DISK_KIB, _USED_KIB)
        numbers = [_human(each * 1024) if human else str(each) for each in (whole, used, whole - used)]
        shown = f"{mount.kind:<10} " if "T" in given else ""
        call.print(f"{device:<20} {shown}{numbers[0]:>9} {numbers[1]:>9} {numbers[2]:>9} {used * 100 // whole:>3}% {at}\n")
    return 0


def _mount(call: Call) -> int:
    given, names = call.options("lva", "to")
    if names:
        call.complain(f"{names[-1]}: must be superuser to use mount." if call.gnu else "permission denied (are you root?)")
        return 32 if call.gnu else 1
    for at, mount in sorted(call.files.mounts.items()):
        if given.get("t", mount.kind) == mount.kind:
            device = mount.kind if mount.kind in ("overlay", "tmpfs") else "/dev/vda1"
            call.print(f"{device} on {at} type {mount.kind} ({'ro' if mount.read_only else 'rw'},relatime)\n")
    return 0


def _mountpoint(call: Call) -> int:
    given, names = call.options("qd")
    if not names:
        raise call.missing_operand()
    try:
        real = call.files.real_path(call.path(names[0]), call.who)
    except OSError as error:
        if "q" not in given:
            call.complain(f"{names[0]}: {reason(error)}")
        return 1
    mounted = real in call.files.mounts
    if "q" not in given:
        call.print(f"{names[0]} is {'' if mounted else 'not '}a mountpoint\n")
    return int(not mounted)


_APPLETS: dict[str, Applet] = {
    "ls": _ls,
    "stat": _stat,
    "readlink": _readlink,
    "realpath": _realpath,
    "basename": _basename,
    "dirname": _dirname,
    "du": _du,
    "df": _df,
    "mount": _mount,
    "mountpoint": _mountpoint,
}
program = programs(_APPLETS)
