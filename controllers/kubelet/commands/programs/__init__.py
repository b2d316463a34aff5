"""The programs of simulated containers: what an image runs, and what each name in it does.

    find(image, name)    the program of that name in that image; None where the image has none
    entrypoint(image)    what the image runs where the container says nothing
    command_line(...)    what a container of the image runs

A program is imported when it is first asked for: a start of the daemon loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module

from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import images

Program = Callable[[Process], int | Run]
_SHELLS = ("sh", "ash", "dash", "bash")
_PLACES = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/", "/usr/local/sbin/")

_MODULES = {
    "changes": "mkdir rmdir rm cp mv ln touch chmod chown chgrp mktemp truncate",
    "lookups": "ls stat readlink realpath basename dirname du df mount mountpoint",
    "text": "cat tac rev head tail wc tee nl fold",
    "lines": "cut tr sort uniq seq paste",
    "grep": "grep egrep fgrep",
    "sed": "sed",
    "awk": "awk gawk mawk",
    "finding": "find xargs",
    "digests": "md5sum sha1sum sha256sum sha512sum base64 xxd od hexdump",
    "archives": "tar gzip gunzip zcat",
    "copying": "dd yes",
    "requests": "curl wget",
    "naming": "dig nslookup host getent",
    "connecting": "nc ncat netcat ping",
    "servers": "pause nginx httpd httpd-foreground python python3 redis-server redis-cli",
    "kernel": "sysctl ip",
    "identity": "id whoami groups logname hostname uname arch nproc env printenv tty",
    "system": "sleep date ps kill pidof free uptime sync nice nohup timeout which stty clear reset watch "
    "true false test [ expr printf echo pwd",
}


@lru_cache(maxsize=1)
def _modules() -> dict[str, str]:
    return {name: module for module, names in _MODULES.items() for name in names.split()}


@lru_cache(maxsize=4096)
def find(image: str, name: str) -> Program | None:
    """`name` as a command line has it: a bare name or a path."""
    family = images.family(image)
    for place in _PLACES:
        if name.startswith(place):
            bare = name[len(place) :]
            break
    else:
        bare = name
    special = images.special(family, name)
    if special:
        module_name, _, function = special.partition(":")
        loaded: Program = getattr(import_module(f"{__name__}.{module_name}"), function)
        return loaded
    if bare in _SHELLS:
        from controllers.kubelet.commands import shell

        return shell.main if images.has_tools(family) and images.offers(family, bare) else None
    if "/" in bare or not images.has_tools(family) or bare not in _modules() or not images.offers(family, bare):
        return None
    module = import_module(f"{__name__}.{_modules()[bare]}")
    make: Callable[[str, bool], Program] = module.program
    return make(bare, images.is_gnu(family))


def entrypoint(image: str) -> tuple[str, ...]:
    """() for an image that is not known: what it does nobody here can tell."""
    return images.entrypoint(image)


def command_line(image: str, command: Sequence[str], args: Sequence[str]) -> tuple[str, ...]:
    """What a container of the image runs, by its `command` and `args`; () where nobody can tell."""
    return images.command_line(image, command, args)


def files(image: str) -> Mapping[str, bytes]:
    """Path > content of what the image carries beside its programs."""
    return images.files(image)


def user(image: str) -> int:
    """Who runs in it where the pod does not say."""
    return images.user(image)
