"""Names of users and groups, from the container's /etc/passwd and /etc/group, else from what every image has."""

from __future__ import annotations

from controllers.kubelet.commands.programs.call import Call, text_of

_USERS = {0: "root", 1: "bin", 2: "daemon", 33: "www-data", 65534: "nobody"}
_GROUPS = {0: "root", 1: "bin", 2: "daemon", 33: "www-data", 65534: "nogroup"}


def _table(call: Call, path: str) -> list[list[str]]:
    try:
        return [line.split(":") for line in text_of(call.files.read(path)).splitlines()]
    except OSError:
        return []


def user_name(call: Call, uid: int, unknown: str = "") -> str:
    for fields in _table(call, "/etc/passwd"):
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    return _USERS.get(uid, unknown or str(uid))


def group_name(call: Call, gid: int, unknown: str = "") -> str:
    for fields in _table(call, "/etc/group"):
        if len(fields) > 2 and fields[2] == str(gid):
            return fields[0]
    return _GROUPS.get(gid, unknown or str(gid))


def _number(call: Call, name: str, path: str, known: dict[int, str]) -> int | None:
    if name.isascii() and name.isdigit() and len(name) < 11:
        return int(name)
    for fields in _table(call, path):
        if len(fields) > 2 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    return next((number for number, each in known.items() if each == name), None)


def user_number(call: Call, name: str) -> int | None:
    return _number(call, name, "/etc/passwd", _USERS)


def group_number(call: Call, name: str) -> int | None:
    return _number(call, name, "/etc/group", _GROUPS)
