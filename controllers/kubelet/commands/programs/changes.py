"""What changes files: mkdir, rmdir, rm, cp, mv, ln, touch, chmod, chown, chgrp, mktemp, truncate."""

from __future__ import annotations

import errno
import re
from contextlib import suppress

from controllers.kubelet.commands.errors import NotInterpreted
from controllers.kubelet.commands.programs.call import Applet, Call, programs, walk
from controllers.kubelet.commands.programs.users import group_number, user_number
from controllers.kubelet.files.tree import LARGEST_FILE_BYTES, Device, Directory, Symlink, failure

# ---- modes

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")
_CHANGE = re.compile(r"([-+=])([rwxXst]*|[ugo])")
_BITS = {"r": 4, "w": 2, "x": 1}
_SHIFTS = {"u": 6, "g": 3, "o": 0}


def changed_mode(text: str, mode: int, umask: int, *, directory: bool) -> int | None:
    """What chmod makes of `mode`; None for what is not a mode."""
    if re.fullmatch(r"[0-7]{1,4}", text):
        return int(text, 8)
    for clause in text.split(","):
        matched = _CLAUSE.fullmatch(clause)
        if matched is None:
            return None
        who = matched.group(1) or ""
        classes = "ugo" if not who or "a" in who else who
        for operator, letters in _CHANGE.findall(matched.group(2)):
            mode = _applied(mode, classes, operator, letters, 0 if who else umask, directory=directory)
    return mode


def _applied(mode: int, classes: str, operator: str, letters: str, umask: int, *, directory: bool) -> int:
    if letters and letters in _SHIFTS:
        bits = (mode >> _SHIFTS[letters]) & 7
    else:
        bits = sum(_BITS[letter] for letter in set(letters) & _BITS.keys())
        if "X" in letters and (directory or mode & 0o111):
            bits |= 1
    change = sum(bits << _SHIFTS[each] for each in set(classes)) & ~umask
    if "s" in letters:
        change |= (0o4000 if "u" in classes else 0) | (0o2000 if "g" in classes else 0)
    if "t" in letters:
        change |= 0o1000
    if operator == "=":
        mode &= ~sum(7 << _SHIFTS[each] for each in set(classes))
    return mode & ~change if operator == "-" else mode | change


# ---- folders


def _mkdir(call: Call) -> int:
    given, names = call.options("pv", "m", {"parents": "p", "mode": "m", "verbose": "v"})
    if not names:
        raise call.missing_operand()
    mode = 0o777 & ~call.process.umask
    if "m" in given:
        wanted = changed_mode(given["m"], 0o777, call.process.umask, directory=True)
        if wanted is None:
            raise call.usage(f"invalid mode '{given['m']}'")
        mode = wanted
    code = 0
    for name in names:
        try:
            call.files.make_directory(call.path(name), call.who, mode=mode, parents="p" in given)
        except OSError as error:
            code = call.failed(name, error, "can't create directory '{}'", "cannot create directory '{}'")
            continue
        if "v" in given:
            call.print(f"{call.name}: created directory '{name}'\n" if call.gnu else f"created directory: '{name}'\n")
    return code


def _rmdir(call: Call) -> int:
    given, names = call.options("p")
    if not names:
        raise call.missing_operand()
    code = 0
    for name in names:
        while name:
            try:
                call.files.remove_directory(call.path(name), call.who)
            except OSError as error:
                code = call.failed(name, error, "'{}'", "failed to remove '{}'")
                break
            name = name.rpartition("/")[0] if "p" in given else ""
    return code


def _rm(call: Call) -> int:
    given, names = call.options("rRfiv", long={"recursive": "r", "force": "f", "verbose": "v"})
    recursive = bool(given.keys() & {"r", "R"})
    if not names:
        if "f" in given:
            return 0
        raise call.missing_operand()
    code = 0
    for name in names:
        if name.rstrip("/").rpartition("/")[2] in (".", "..") or not name.strip("/"):
            call.complain(f"refusing to remove '.' or '..' directory: skipping '{name}'" if call.gnu else "can't remove '.' or '..'")
            code = 1
            continue
        try:
            call.files.remove(call.path(name), call.who, recursive=recursive)
        except FileNotFoundError as error:
            if "f" not in given:
                code = call.failed(name, error, "can't remove '{}'", "cannot remove '{}'")
        except IsADirectoryError as error:
            if call.gnu:
                code = call.failed(name, error, gnu="cannot remove '{}'")
            else:
                call.complain(f"'{name}' is a directory")
                code = 1
        except OSError as error:
            code = call.failed(name, error, "can't remove '{}'", "cannot remove '{}'")
        else:
            if "v" in given:
                call.print(f"removed '{name}'\n")
    return code


# ---- copies, moves, links


def _into(call: Call, target: str, source: str) -> str:
    """`target`, or where in it the copy of `source` belongs."""
    try:
        node = call.node(target)
    except OSError:
        return target
    return f"{target.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}" if isinstance(node, Directory) else target


def _operands(call: Call, given: dict[str, str], names: list[str]) -> tuple[list[str], str]:
    """(the sources, the target)"""
    if "t" in given:
        return names, given["t"]
    if len(names) < 2:
        if call.gnu and names:
            raise call.usage(f"missing destination file operand after '{names[0]}'")
        raise call.missing_operand()
    target = names[-1]
    if len(names) > 2:
        try:
            whole = isinstance(call.node(target), Directory)
        except OSError:
            whole = False
        if not whole:
            raise call.usage(f"target '{target}' is not a directory" if call.gnu else f"can't stat '{target}': No such file or directory")
    return names[:-1], target


def _cp(call: Call) -> int:
    given, names = call.options("rRafpPLdvinTHu", "t", {"recursive": "r", "archive": "a", "force": "f", "target-directory": "t"})
    sources, target = _operands(call, given, names)
    recursive = bool(given.keys() & {"r", "R", "a"})
    keep_links = bool(given.keys() & {"a", "P", "d"}) or (recursive and "L" not in given)
    code = 0
    for source in sources:
        into = target if "T" in given else _into(call, target, source)
        try:
            if isinstance(call.node(source, follow=not keep_links), Directory):
                if not recursive:
                    call.complain(f"-r not specified; omitting directory '{source}'" if call.gnu else f"omitting directory '{source}'")
                    code = 1
                    continue
                if (call.path(into) + "/").startswith(call.path(source).rstrip("/") + "/"):
                    raise failure(errno.EINVAL, source)
        except OSError as error:
            code = call.failed(source, error, "can't stat '{}'", "cannot stat '{}'")
            continue
        code = _copy(call, source, into, preserve=bool(given.keys() & {"a", "p"}), links=keep_links, depth=0) or code
        if "v" in given and not code:
            call.print(f"'{source}' -> '{into}'\n")
    return code


def _copy(call: Call, source: str, target: str, *, preserve: bool, links: bool, depth: int) -> int:
    files, who = call.files, call.who
    if depth > 64:
        raise NotInterpreted("cp of so deep a tree")
    try:
        node = call.node(source, follow=not links)
    except OSError as error:
        return call.failed(source, error, "can't stat '{}'", "cannot stat '{}'")
    try:
        if isinstance(node, Symlink):
            files.link(call.path(target), node.target, who)
            return 0
        if isinstance(node, Directory):
            if not files.exists(call.path(target), who):
                files.make_directory(call.path(target), who, mode=node.mode if preserve else node.mode & ~call.process.umask)
        else:
            data = call.process.read(source)
            files.write(call.path(target), data, who, mode=node.mode if preserve else node.mode & ~call.process.umask)
            _keep_owner(call, target, node.uid, node.gid, node.mode, preserve=preserve)
            return 0
        names = files.names(call.path(source), who)
    except OSError as error:
        opened = error.filename == call.path(source)
        path, busybox, gnu = (
            (source, "can't open '{}'", "cannot open '{}' for reading")
            if opened
            else (target, "can't create '{}'", "cannot create regular file '{}'")
        )
        return call.failed(path, error, busybox, gnu)
    code = 0
    for name in names:
        code = (
            _copy(call, f"{source.rstrip('/')}/{name}", f"{target.rstrip('/')}/{name}", preserve=preserve, links=links, depth=depth + 1)
            or code
        )
    return code


def _keep_owner(call: Call, target: str, uid: int, gid: int, mode: int, *, preserve: bool) -> None:
    if preserve:
        call.files.change_mode(call.path(target), mode, call.who)
        if call.who.uid == 0:
            call.files.change_owner(call.path(target), uid, gid, call.who)


def _mv(call: Call) -> int:
    given, names = call.options("fnvTiu", "t", {"force": "f", "no-clobber": "n", "no-target-directory": "T", "verbose": "v"})
    sources, target = _operands(call, given, names)
    code = 0
    for source in sources:
        into = target if "T" in given else _into(call, target, source)
        if "n" in given and call.files.exists(call.path(into), call.who):
            continue
        try:
            call.files.move(call.path(source), call.path(into), call.who)
        except FileNotFoundError as error:
            there = call.files.exists(call.path(source), call.who, follow=False)
            code = call.failed(source, error, "can't rename '{}'", f"cannot move '{{}}' to '{into}'" if there else "cannot stat '{}'")
        except OSError as error:
            code = call.failed(source, error, "can't rename '{}'", f"cannot move '{{}}' to '{into}'")
        else:
            if "v" in given:
                call.print(f"renamed '{source}' -> '{into}'\n" if call.gnu else f"'{source}' -> '{into}'\n")
    return code


def _ln(call: Call) -> int:
    given, names = call.options("sfnvTr", long={"symbolic": "s", "force": "f", "no-dereference": "n"})
    if not names:
        raise call.missing_operand()
    target = names[-1] if len(names) > 1 else names[0].rstrip("/").rpartition("/")[2]
    code = 0
    for source in names[:-1] or names:
        folder = False
        with suppress(OSError):
            folder = isinstance(call.node(target, follow="n" not in given), Directory)
        place = f"{target.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}" if folder and "T" not in given else target
        try:
            if "f" in given and call.files.exists(call.path(place), call.who, follow=False):
                call.files.remove(call.path(place), call.who)
            if "s" in given:
                call.files.link(call.path(place), source, call.who)
            else:
                _hard_link(call, source, place)
        except OSError as error:
            kind = "symbolic" if "s" in given else "hard"
            code = call.failed(place, error, "{}", f"failed to create {kind} link '{{}}'")
    return code


def _hard_link(call: Call, source: str, place: str) -> None:
    """A name more for the same file."""
    node = call.node(source, follow=False)
    if isinstance(node, Directory):
        raise failure(errno.EPERM, source)
    if call.files.exists(call.path(place), call.who, follow=False):
        raise failure(errno.EEXIST, place)
    call.files.write(call.path(place), b"", call.who)
    parent = call.node(call.path(place).rpartition("/")[0] or "/")
    if isinstance(parent, Directory):
        parent.entries[place.rstrip("/").rpartition("/")[2]] = node


def _touch(call: Call) -> int:
    given, names = call.options("camhf", "tdr", {"no-create": "c", "date": "d", "reference": "r"})
    if not names:
        raise call.missing_operand()
    code = 0
    for name in names:
        try:
            if not call.files.exists(call.path(name), call.who):
                if "c" not in given:
                    call.process.write(name, b"")
            elif not isinstance(call.node(name), Directory | Device):
                call.process.write(name, b"", append=True)
        except OSError as error:
            code = call.failed(name, error, "{}", "cannot touch '{}'")
    return code


# ---- rights


def _chmod(call: Call) -> int:
    given, names = _mode_words(call)
    if len(names) < 2:
        raise call.missing_operand(f" after '{names[0]}'" if names else "")
    text, code = names[0], 0
    for name in names[1:]:
        for path in _each(call, name, recursive="R" in given):
            try:
                node = call.node(path)
                mode = changed_mode(text, node.mode, call.process.umask, directory=isinstance(node, Directory))
                if mode is None:
                    raise call.usage(f"invalid mode: '{text}'" if call.gnu else f"invalid mode '{text}'")
                call.files.change_mode(call.path(path), mode, call.who)
            except OSError as error:
                gnu = "cannot access '{}'" if error.errno == errno.ENOENT else "changing permissions of '{}'"
                if "f" not in given:
                    call.failed(path, error, "{}", gnu)
                code = 1
    return code


def _mode_words(call: Call) -> tuple[dict[str, str], list[str]]:
    """A mode may begin with a minus: chmod -w file."""
    words = list(call.arguments)
    mode = next((word for word in words if re.fullmatch(r"-[rwxXst]+", word)), None)
    if mode is not None:
        call.arguments = [word for word in words if word != mode]
    given, names = call.options("Rvfc", long={"recursive": "R"})
    return given, [mode, *names] if mode is not None else names


def _each(call: Call, name: str, *, recursive: bool) -> list[str]:
    if not recursive or not call.files.exists(call.path(name), call.who):
        return [name]
    return [path for path, node, _ in walk(call, name) if not isinstance(node, Symlink)]


def _chown(call: Call) -> int:
    given, names = call.options("Rvfchn", long={"recursive": "R", "no-dereference": "h"})
    if len(names) < 2:
        raise call.missing_operand(f" after '{names[0]}'" if names else "")
    owner, _, group = names[0].replace(".", ":", 1).partition(":") if call.name == "chown" else ("", "", names[0])
    uid = user_number(call, owner) if owner else None
    gid = group_number(call, group) if group else None
    if owner and uid is None:
        raise call.usage(f"invalid user: '{names[0]}'" if call.gnu else f"unknown user {owner}")
    if group and gid is None:
        raise call.usage(f"invalid group: '{names[0]}'" if call.gnu else f"unknown group {group}")
    code = 0
    for name in names[1:]:
        for path in _each(call, name, recursive="R" in given):
            try:
                node = call.node(path)
                call.files.change_owner(call.path(path), node.uid if uid is None else uid, node.gid if gid is None else gid, call.who)
            except OSError as error:
                what = "ownership" if owner else "group"
                gnu = "cannot access '{}'" if error.errno == errno.ENOENT else f"changing {what} of '{{}}'"
                code = 1 if "f" in given else call.failed(path, error, "{}", gnu)
    return code


# ---- others


def _mktemp(call: Call) -> int:
    given, names = call.options("dqtu", "p", {"directory": "d", "tmpdir": "p"})
    template = names[0] if names else "tmp.XXXXXX" if not call.gnu else "tmp.XXXXXXXXXX"
    run = re.search(r"X{3,}$", template)
    if run is None:
        raise call.usage(f"too few X's in template '{template}'" if call.gnu else f"(null): {template}")
    folder = given.get("p") or call.process.env.get("TMPDIR", "/tmp")
    base = template if names and not given.keys() & {"p", "t"} else f"{folder.rstrip('/')}/{template}"
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    name = base[: len(base) - len(run.group(0))] + "".join(call.process.world.random.choice(letters) for _ in run.group(0))
    try:
        if "d" in given:
            call.files.make_directory(call.path(name), call.who, mode=0o700)
        elif "u" not in given:
            call.files.write(call.path(name), b"", call.who, mode=0o600)
    except OSError as error:
        return call.failed(name, error, "{}", "failed to create file via template '{}'")
    call.print(name + "\n")
    return 0


_UNITS = {"": 1, "K": 1024, "k": 1024, "M": 1024**2, "m": 1024**2, "G": 1024**3, "g": 1024**3}


def _truncate(call: Call) -> int:
    given, names = call.options("c", "s", {"size": "s", "no-create": "c"})
    matched = re.fullmatch(r"(\d{1,12})([KkMmGg]?)", given.get("s", ""))
    if matched is None:
        raise NotInterpreted('"truncate" without a size')
    size = int(matched.group(1)) * _UNITS[matched.group(2)]
    code = 0
    for name in names:
        try:
            there = call.files.exists(call.path(name), call.who)
            if not there and "c" in given:
                continue
            if size > LARGEST_FILE_BYTES:
                raise failure(errno.EFBIG, name)
            data = call.process.read(name) if there else b""
            call.process.write(name, data[:size].ljust(size, b"\0"))
        except OSError as error:
            code = call.failed(name, error, "{}: open", "cannot open '{}' for writing")
    return code


_APPLETS: dict[str, Applet] = {
    "mkdir": _mkdir,
    "rmdir": _rmdir,
    "rm": _rm,
    "cp": _cp,
    "mv": _mv,
    "ln": _ln,
    "touch": _touch,
    "chmod": _chmod,
    "chown": _chown,
    "chgrp": _chown,
    "mktemp": _mktemp,
    "truncate": _truncate,
}
program = programs(_APPLETS)
