"""Who and where: id, whoami, groups, hostname, uname, arch, nproc, env, printenv, tty."""

from __future__ import annotations

from controllers.kubelet.commands.process import Run
from controllers.kubelet.commands.programs.call import Applet, Call, programs
from controllers.kubelet.commands.programs.finding import start
from controllers.kubelet.commands.programs.users import group_name, user_name, user_number

_RELEASE = "6.8.0-45-generic"
_VERSION = "#45-Ubuntu SMP PREEMPT_DYNAMIC"


def _id(call: Call) -> int:
    given, names = call.options("ugGnr", long={"user": "u", "group": "g", "groups": "G", "name": "n", "real": "r"})
    who = call.who
    uid, gid, groups = who.uid, who.gid, [who.gid, *(each for each in who.groups if each != who.gid)]
    if names:
        number = user_number(call, names[0])
        if number is None:
            raise call.usage(f"'{names[0]}': no such user" if call.gnu else f"unknown user {names[0]}")
        uid, gid, groups = number, number, [number]
    named = "n" in given
    if "u" in given:
        call.print((user_name(call, uid) if named else str(uid)) + "\n")
    elif "g" in given:
        call.print((group_name(call, gid) if named else str(gid)) + "\n")
    elif "G" in given:
        call.print(" ".join(group_name(call, each) if named else str(each) for each in groups) + "\n")
    else:
        text = f"uid={_with_name(uid, user_name(call, uid))} gid={_with_name(gid, group_name(call, gid))}"
        if call.gnu or len(groups) > 1 or uid == 0:
            text += " groups=" + ",".join(_with_name(each, group_name(call, each)) for each in groups)
        call.print(text + "\n")
    return 0


def _with_name(number: int, name: str) -> str:
    return f"{number}({name})" if name != str(number) else str(number)


def _whoami(call: Call) -> int:
    call.options()
    name = user_name(call, call.who.uid)
    if name == str(call.who.uid):
        call.complain(f"cannot find name for user ID {name}" if call.gnu else f"unknown uid {name}")
        return 1
    call.print(name + "\n")
    return 0


def _groups(call: Call) -> int:
    who = call.who
    call.print(" ".join(group_name(call, each) for each in (who.gid, *who.groups)) + "\n")
    return 0


def _hostname(call: Call) -> int:
    given, names = call.options("sfidIA")
    world = call.process.world
    if names:
        call.complain("you must be root to change the host name" if call.gnu else "sethostname: Operation not permitted")
        return 1
    if given.keys() & {"i", "I"}:
        addresses = list(world.network.addresses) if world.network is not None else []
        call.print(" ".join(addresses) + (" \n" if "I" in given else "\n"))
    elif "s" in given:
        call.print(world.hostname.partition(".")[0] + "\n")
    elif "d" in given:
        call.print(world.hostname.partition(".")[2] + "\n")
    elif "f" in given:
        call.print(_full_name(call) + "\n")
    else:
        call.print(world.hostname + "\n")
    return 0


def _full_name(call: Call) -> str:
    """The first name that /etc/hosts gives to the address that has this host's name."""
    name = call.process.world.hostname
    try:
        lines = call.files.read("/etc/hosts").decode("utf-8", "replace").splitlines()
    except OSError:
        return str(name)
    for line in lines:
        fields = line.partition("#")[0].split()
        if name in fields[1:]:
            first: str = fields[1]
            return first
    return str(name)


def _uname(call: Call) -> int:
    given, _ = call.options("asnrvmpio", long={"all": "a", "kernel-name": "s", "nodename": "n", "kernel-release": "r", "machine": "m"})
    values = {
        "s": "Linux",
        "n": call.process.world.hostname,
        "r": _RELEASE,
        "v": _VERSION,
        "m": "x86_64",
        "p": "x86_64",
        "i": "x86_64",
        "o": "GNU/Linux" if call.gnu else "Linux",
    }
    wanted = "snrvmo" if "a" in given else "".join(given) or "s"
    call.print(" ".join(values[letter] for letter in values if letter in wanted) + "\n")
    return 0


def _arch(call: Call) -> int:
    call.print("x86_64\n")
    return 0


def _nproc(call: Call) -> int:
    call.print("2\n")
    return 0


def _env(call: Call) -> Run:
    process, words = call.process, list(call.arguments)
    env = dict(process.env)
    while words:
        word = words[0]
        if word in ("-i", "-", "--ignore-environment"):
            env = {}
        elif word in ("-u", "--unset") and len(words) > 1:
            words.pop(0)
            env.pop(words[0], None)
        elif word.startswith("-u") and len(word) > 2:
            env.pop(word[2:], None)
        elif word in ("-0", "--null"):
            process.print("".join(f"{name}={value}\0" for name, value in env.items()))
            return 0
        elif "=" in word and not word.startswith("="):
            name, _, value = word.partition("=")
            env[name] = value
        elif word.startswith("-"):
            raise call.usage(
                f"invalid option -- '{word[1:2]}'" if call.gnu else f"unrecognized option: {word[1:2]}", 125 if call.gnu else 1
            )
        else:
            break
        words.pop(0)
    if not words:
        process.print("".join(f"{name}={value}\n" for name, value in env.items()))
        return 0
    process.env = env
    return (yield from start(call, words))


def _printenv(call: Call) -> int:
    _, names = call.options("0")
    env = call.process.env
    if not names:
        call.print("".join(f"{name}={value}\n" for name, value in env.items()))
        return 0
    for name in names:
        if name in env:
            call.print(env[name] + "\n")
    return int(any(name not in env for name in names))


def _tty(call: Call) -> int:
    terminal = call.process.world.terminal
    call.print("/dev/pts/0\n" if terminal else "not a tty\n")
    return int(not terminal)


_APPLETS: dict[str, Applet] = {
    "id": _id,
    "whoami": _whoami,
    "logname": _whoami,
    "groups": _groups,
    "hostname": _hostname,
    "uname": _uname,
    "arch": _arch,
    "nproc": _nproc,
    "env": _env,
    "printenv": _printenv,
    "tty": _tty,
}
program = programs(_APPLETS)
