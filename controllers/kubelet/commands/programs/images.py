"""Images that are known: what each runs of itself, which tools and files it carries. Data; imported with the first program.

The names and entry points are those of the images that Kubernetes tests with and of the official ones everybody uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

BUSYBOX, GNU, NOTHING = "busybox", "gnu", ""


@dataclass(frozen=True, slots=True)
class Image:
    """`tools`: whose small programs it carries. `carries`: programs beside them; `own`: its own programs by path, each
    'module:function' below this package. `files`: path > content. `user`: who runs where nothing else is said."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    tools: str = BUSYBOX
    carries: frozenset[str] = frozenset()
    own: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    user: int = 0
    says: str = ""
    """What its own entry point writes at its start."""


_SERVERS = frozenset(["nginx", "httpd", "httpd-foreground", "pause", "python", "python3", "redis-server", "redis-cli"])
_EXTRAS = frozenset(["curl", "dig", "host", "netcat", "bash", "gawk", "mawk", "xxd", "ss", "ncat", "telnet"])
"""What an image has only where it says so."""

_AGNHOST = dict.fromkeys(("/agnhost", "/agnhost-2", "agnhost", "agnhost-2"), "agnhost.main:main")
_NGINX_PAGE = b"""<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, nginx is successfully installed and working.</p>
</body>
</html>
"""
_CURL = frozenset(["curl"])
_ALPINE = frozenset(["alpine", "agnhost", "kitten", "nautilus", "nonewprivs"])

_IMAGES: Mapping[str, Image] = {
    "agnhost": Image(
        ("/agnhost",),
        ("pause",),
        carries=frozenset(["curl", "dig", "host", "netcat", "ncat", "bash", "ss"]),
        own=_AGNHOST,
        says="Paused\n",
    ),
    "pause": Image(("/pause",), tools=NOTHING, own={"/pause": "servers:pause", "pause": "servers:pause"}),
    "busybox": Image((), ("sh",)),
    "alpine": Image((), ("/bin/sh",)),
    "nginx": Image(
        (), ("nginx", "-g", "daemon off;"), GNU, _CURL | {"nginx", "bash"}, files={"/usr/share/nginx/html/index.html": _NGINX_PAGE}
    ),
    "httpd": Image(
        (),
        ("httpd-foreground",),
        GNU,
        frozenset(["httpd", "httpd-foreground", "bash"]),
        files={"/usr/local/apache2/htdocs/index.html": b"<html><body><h1>It works!</h1></body></html>\n"},
    ),
    "redis": Image((), ("redis-server",), GNU, frozenset(["redis-server", "redis-cli", "bash"])),
    "python": Image((), ("python3",), GNU, _CURL | {"python", "python3", "bash"}),
    "perl": Image((), ("perl", "-de0"), GNU, frozenset(["perl", "bash"]), own={"perl": "servers:perl"}),
    "nautilus": Image(
        ("/test-webserver",),
        tools=NOTHING,
        own={"/test-webserver": "servers:files_at_root"},
        files={"/data.json": b'{"image": "nautilus.jpg"}\n'},
    ),
    "kitten": Image(
        ("/test-webserver",),
        tools=NOTHING,
        own={"/test-webserver": "servers:files_at_root"},
        files={"/data.json": b'{"image": "kitten.jpg"}\n'},
    ),
    "nonewprivs": Image(("/nnp",), tools=NOTHING, own={"/nnp": "servers:no_new_privileges"}),
    "nonroot": Image((), ("sh",), user=1234),
    "resource-consumer": Image(("/consumer",), own={"/consumer": "consumer:main"}),
    "sample-apiserver": Image(
        ("/sample-apiserver",),
        tools=NOTHING,
        own=dict.fromkeys(("/sample-apiserver", "/kube-sample-apiserver", "sample-apiserver"), "sample_apiserver.main:main"),
    ),
    "etcd": Image((), ("/usr/local/bin/etcd",), tools=NOTHING, own={"/usr/local/bin/etcd": "etcd:main"}),
    "regression-issue-74839": Image(("/regression-issue-74839",), tools=NOTHING, own={"/regression-issue-74839": "servers:out_of_window"}),
    "ipc-utils": Image((), ("/bin/sh",)),
    "jessie-dnsutils": Image((), ("sh",), GNU, frozenset(["dig", "host", "bash", "curl"])),
    "curl": Image(("curl",), ("--help",), carries=_CURL),
    "echoserver": Image(("/usr/local/bin/run.sh",), own={"/usr/local/bin/run.sh": "servers:echo_server"}),
    "http-echo": Image(("/http-echo",), tools=NOTHING, own={"/http-echo": "servers:http_echo", "http-echo": "servers:http_echo"}),
    "whoami": Image(("/whoami",), tools=NOTHING, own={"/whoami": "servers:who_am_i"}),
    "hello-app": Image(("./hello-app",), tools=NOTHING, own={"./hello-app": "servers:hello_app"}),
    "debian": Image((), ("bash",), GNU, frozenset(["bash"])),
    "ubuntu": Image((), ("/bin/bash",), GNU, frozenset(["bash"])),
    "centos": Image((), ("/bin/bash",), GNU, _CURL | {"bash"}),
    "fedora": Image((), ("/bin/bash",), GNU, _CURL | {"bash"}),
}
_SAME = {
    "rockylinux": "centos",
    "almalinux": "centos",
    "ubi8": "centos",
    "ubi9": "centos",
    "dnsutils": "jessie-dnsutils",
    "apache": "httpd",
    "nfs": "ubuntu",
    "iscsi": "ubuntu",
}
_SAME |= {
    "netshoot": "agnhost",
    "agnhost-amd64": "agnhost",
    "hello-world": "pause",
    "perl5": "perl",
    "distroless": "pause",
    "busyboxplus": "busybox",
    "toybox": "busybox",
}
_UNKNOWN = Image(tools=GNU, carries=_EXTRAS | {"python", "python3"})
_UNKNOWN_SMALL = Image(tools=BUSYBOX, carries=_EXTRAS)


@lru_cache(maxsize=4096)
def family(image: str) -> str:
    """The name by which an image is known here, with what its tag tells about its base."""
    name = image.partition("@")[0].rstrip("/").rpartition("/")[2]
    repository, _, tag = name.partition(":")
    repository = _SAME.get(repository, repository)
    return f"{repository}:alpine" if "alpine" in tag and repository != "alpine" else repository


def known(name: str) -> Image:
    repository, _, base = name.partition(":")
    return _IMAGES.get(repository) or (_UNKNOWN_SMALL if base else _UNKNOWN)


def special(name: str, program: str) -> str:
    """A program that only images of this family have: 'module:function' below this package; '' where it has none."""
    return known(name).own.get(program, "")


def has_tools(name: str) -> bool:
    return known(name).tools != NOTHING


def offers(name: str, program: str) -> bool:
    image = known(name)
    if program in _SERVERS or program in _EXTRAS:
        return program in image.carries
    return True


def is_gnu(name: str) -> bool:
    return known(name).tools == GNU and not name.endswith(":alpine")


def entrypoint(image: str) -> tuple[str, ...]:
    found = known(family(image))
    return found.entrypoint + found.command


def command_line(image: str, command: Sequence[str], args: Sequence[str]) -> tuple[str, ...]:
    """What a container runs: its command replaces the image's entry point and arguments, its args the latter alone."""
    found = known(family(image))
    if command:
        return (*command, *args)
    return (*found.entrypoint, *(args or found.command))


def files(image: str) -> Mapping[str, bytes]:
    """What the image's root holds beside the folders that every one has: path > content."""
    name = family(image)
    system = _system_of(name)
    return known(name).files if system is None else {"/etc/os-release": system, **known(name).files}


@lru_cache(maxsize=64)
def _system_of(name: str) -> bytes | None:
    """/etc/os-release of an image whose base is known."""
    repository = name.partition(":")[0]
    if name.endswith(":alpine") or repository in _ALPINE:
        title, identity = "Alpine Linux", "alpine"
    elif repository in ("ubuntu", "centos", "fedora"):
        title, identity = {"ubuntu": "Ubuntu", "centos": "CentOS Linux", "fedora": "Fedora Linux"}[repository], repository
    elif repository in _IMAGES and known(name).tools == GNU:
        title, identity = "Debian GNU/Linux", "debian"
    else:
        return None
    return f'NAME="{title}"\nID={identity}\nPRETTY_NAME="{title}"\n'.encode()


def user(image: str) -> int:
    return known(family(image)).user


def says(image: str) -> str:
    """What a container that runs nothing but the image's own entry point writes; '' where that is not known."""
    return known(family(image)).says


def is_known(image: str) -> bool:
    return family(image).partition(":")[0] in _IMAGES
