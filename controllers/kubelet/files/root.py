"""The root of a simulated container: the folders and files that every image has, /dev and /proc.

`System` says what /proc shows. Programs are not files here: `commands.programs` finds them by name.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from controllers.kubelet.files.tree import Computed, Device, Directory, File, FileSystem, Mount, Node, Symlink, failure

_FOLDERS = """\
bin dev etc etc/ssl home lib media mnt opt proc root run sbin srv sys tmp usr usr/bin usr/lib usr/local usr/local/bin usr/sbin usr/share
var var/cache var/lib var/log var/run var/spool var/tmp"""
_MODES = {"tmp": 0o1777, "var/tmp": 0o1777, "root": 0o700}
_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
"""
_GROUP = """\
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
mail:x:8:
users:x:100:
www-data:x:33:
nobody:x:65534:
"""
_OS_RELEASE = 'NAME="Simulated"\nID=simulated\nPRETTY_NAME="A simulated container"\n'
_CAPABILITIES = 0x00000000A80425FB
"""What containerd gives to root."""
_ALL_CAPABILITIES = 0x000001FFFFFFFFFF
_BITS = {"NET_ADMIN": 12, "NET_RAW": 13, "SYS_ADMIN": 21, "SYS_PTRACE": 19, "SYS_TIME": 25, "NET_BIND_SERVICE": 10, "CHOWN": 0, "KILL": 5}
_BITS |= {"DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "SETGID": 6, "SETUID": 7, "SETPCAP": 8, "SYS_CHROOT": 18, "MKNOD": 27, "SETFCAP": 31}
_BITS |= {"AUDIT_WRITE": 29, "IPC_LOCK": 14, "SYS_RESOURCE": 24, "SYS_NICE": 23, "SYS_MODULE": 16, "SYS_BOOT": 22}


@dataclass
class System:
    """`sysctls`: dotted name > value, beside those a pod sets none. `age`: seconds since the node booted."""

    hostname: str = "localhost"
    command: tuple[str, ...] = ()
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    cpus: int = 4
    memory_bytes: int = 16 * 1024**3
    privileged: bool = False
    no_new_privileges: bool = False
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    age: Callable[[], float] = lambda: 0.0
    limits: Callable[[], Mapping[str, str]] = dict
    """The files of the container's cgroup: cpu.max, memory.max, ..."""


def root_of(files: Mapping[str, bytes], system: System) -> Directory:
    """`files`: what the image brings, path > content. Free of charge: what a container writes counts, not what it begins with."""
    root = Directory()
    for folder in _FOLDERS.split():
        folder_at(root, folder).mode = _MODES.get(folder, 0o755)
    etc = {"passwd": _PASSWD, "group": _GROUP, "os-release": _OS_RELEASE, "hostname": f"{system.hostname}\n"}
    for name, text in etc.items():
        put(root, f"etc/{name}", File(text.encode()))
    put(root, "etc/mtab", Symlink("/proc/mounts"))
    for path, content in files.items():
        put(root, path, File(content))
    return root


def folder_at(root: Directory, path: str) -> Directory:
    """Made where it is missing."""
    at = root
    for part in path.strip("/").split("/"):
        if part:
            below = at.entries.setdefault(part, Directory())
            if not isinstance(below, Directory):
                raise failure(errno.ENOTDIR, path)
            at = below
    return at


def put(root: Directory, path: str, node: Node) -> None:
    folder, _, name = path.strip("/").rpartition("/")
    folder_at(root, folder).entries[name] = node


def system_mounts(files: Callable[[], FileSystem], system: System, out: Callable[[bytes], None]) -> dict[str, Mount]:
    """/dev, /proc and /sys. `files` gives the container's file system, once there is one; `out` takes what goes to /dev/stdout by name."""
    return {
        "/proc": Mount(_proc(files, system), "proc"),
        "/dev": Mount(_dev(out), "tmpfs"),
        "/sys": Mount(_sys(system), "sysfs", read_only=not system.privileged),
    }


def _dev(out: Callable[[bytes], None]) -> Directory:
    entries: dict[str, Node] = {
        "null": Device(bytes, _ignore),
        "zero": Device(lambda: bytes(4096), _ignore),
        "random": Device(lambda: bytes(range(256)) * 2, _ignore),
        "urandom": Device(lambda: bytes(range(256)) * 2, _ignore),
        "full": Device(lambda: bytes(4096), _refuse),
        "tty": Device(bytes, out),
        "console": Device(bytes, out),
        "stdin": Device(bytes, _ignore),
        "stdout": Device(bytes, out),
        "stderr": Device(bytes, out),
        "fd": Directory({"0": Device(bytes, _ignore), "1": Device(bytes, out), "2": Device(bytes, out)}),
        "shm": Directory(mode=0o1777),
        "pts": Directory(),
        "mqueue": Directory(mode=0o1777),
    }
    return Directory(entries)


def _ignore(data: bytes) -> None:
    """/dev/null"""


def _refuse(data: bytes) -> None:
    raise failure(errno.ENOSPC)


def _sys(system: System) -> Directory:
    directory = Directory()

    def limit(name: str) -> Computed:
        return Computed(lambda: (system.limits().get(name, "max") + "\n").encode())

    for name in ("cpu.max", "cpu.weight", "memory.max", "memory.min", "memory.high", "pids.max"):
        put(directory, f"fs/cgroup/{name}", limit(name))
    put(directory, "fs/cgroup/cgroup.controllers", File(b"cpuset cpu io memory hugetlb pids rdma misc\n"))
    put(directory, "class/net/eth0/address", File(b"02:42:ac:11:00:02\n"))
    put(directory, "class/net/eth0/mtu", File(b"1500\n"))
    return directory


_SYSCTLS = {
    "kernel.hostname": "",
    "kernel.shm_rmid_forced": "0",
    "kernel.shmmax": "18446744073692774399",
    "kernel.shmall": "18446744073692774399",
    "kernel.shmmni": "4096",
    "kernel.msgmax": "8192",
    "kernel.msgmnb": "16384",
    "kernel.sem": "32000\t1024000000\t500\t32000",
    "kernel.pid_max": "4194304",
    "net.core.somaxconn": "4096",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.ip_forward": "1",
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0\t2147483647",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv4.tcp_keepalive_time": "7200",
    "net.ipv4.tcp_fin_timeout": "60",
    "vm.max_map_count": "65530",
    "vm.overcommit_memory": "1",
    "vm.swappiness": "60",
    "fs.file-max": "9223372036854775807",
}


def _proc(files: Callable[[], FileSystem], system: System) -> Directory:
    directory = Directory(mode=0o555)
    for name, value in {**_SYSCTLS, "kernel.hostname": system.hostname, **system.sysctls}.items():
        put(directory, f"sys/{name.replace('.', '/')}", File(f"{value}\n".encode()))
    status = Computed(lambda: _status(system).encode())
    mounts = Computed(lambda: mounts_text(files()).encode())
    command = b"".join(word.encode(errors="surrogateescape") + b"\0" for word in system.command)
    for process in ("1", "self"):
        put(directory, f"{process}/status", status)
        put(directory, f"{process}/mounts", mounts)
        put(directory, f"{process}/cmdline", File(command))
        put(directory, f"{process}/cgroup", File(b"0::/\n"))
        put(directory, f"{process}/environ", Computed(lambda: b"".join(f"{name}={value}\0".encode() for name, value in system.env.items())))
    put(directory, "mounts", Symlink("self/mounts"))
    put(directory, "uptime", Computed(lambda: f"{system.age():.2f} {system.age() * system.cpus:.2f}\n".encode()))
    put(directory, "loadavg", File(b"0.00 0.00 0.00 1/1 1\n"))
    put(directory, "version", File(b"Linux version 6.8.0-45-generic (simulated) #45-Ubuntu SMP PREEMPT_DYNAMIC\n"))
    put(directory, "meminfo", File(_meminfo(system.memory_bytes).encode()))
    put(
        directory, "cpuinfo", File("".join(f"processor\t: {number}\nmodel name\t: simulated\n\n" for number in range(system.cpus)).encode())
    )
    put(directory, "filesystems", File(b"nodev\tproc\nnodev\ttmpfs\nnodev\toverlay\n\text4\n"))
    return directory


def _meminfo(size: int) -> str:
    values = {"MemTotal": size // 1024, "MemFree": size // 2048, "MemAvailable": size // 4096 * 3, "SwapTotal": 0, "SwapFree": 0}
    return "".join(f"{name + ':':<16}{value:>8} kB\n" for name, value in values.items())


def _status(system: System) -> str:
    given = capabilities(system)
    held = given if system.uid == 0 else 0
    groups = " ".join(str(group) for group in system.groups)
    name = system.command[0].rpartition("/")[2] if system.command else "sh"
    return (
        f"Name:\t{name}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\nUid:\t{system.uid}\t{system.uid}\t{system.uid}\t"
        f"{system.uid}\nGid:\t{system.gid}\t{system.gid}\t{system.gid}\t{system.gid}\nGroups:\t{groups} \nCapInh:\t{0:016x}\n"
        f"CapPrm:\t{held:016x}\nCapEff:\t{held:016x}\nCapBnd:\t{given:016x}\nCapAmb:\t{0:016x}\n"
        f"NoNewPrivs:\t{int(system.no_new_privileges)}\nSeccomp:\t{0 if system.privileged else 2}\nThreads:\t1\n"
    )


def capabilities(system: System) -> int:
    if system.privileged:
        return _ALL_CAPABILITIES
    held = _CAPABILITIES
    for name in system.dropped:
        held = 0 if name == "ALL" else held & ~(1 << _BITS[name]) if name in _BITS else held
    for name in system.added:
        held = _ALL_CAPABILITIES if name == "ALL" else held | (1 << _BITS[name]) if name in _BITS else held
    return held


def mounts_text(files: FileSystem) -> str:
    """/proc/mounts"""
    lines = []
    for path, mount in files.mounts.items():
        source = {"overlay": "overlay", "ext4": "/dev/vda1"}.get(mount.kind, mount.kind)
        lines.append(f"{source} {path} {mount.kind} {'ro' if mount.read_only else 'rw'},relatime 0 0\n")
    return "".join(lines)


def add_mount(files: FileSystem, path: str, mount: Mount, root: Directory) -> None:
    """At a place that is made where it is missing. Raises OSError for one below a file."""
    path = "/" + "/".join(part for part in path.split("/") if part and part != ".")
    folder, _, name = path.rpartition("/")
    at: Node = root
    reached = ""
    for part in folder.split("/")[1:]:
        reached += f"/{part}"
        mounted = files.mounts.get(reached)
        if not isinstance(at, Directory):
            raise failure(errno.ENOTDIR, path)
        at = mounted.node if mounted is not None else at.look().setdefault(part, Directory())
    if isinstance(at, Directory) and name:
        at.look().setdefault(name, Directory() if isinstance(mount.node, Directory) else File())
    files.mounts[path] = mount
