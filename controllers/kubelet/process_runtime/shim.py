"""The parent of a container's processes (containerd's shim): it starts them, keeps their log, hands streams on, and says how they ended.

One for each run of a container. It outlives the kubelet, which finds it again by its socket in the container's folder:

    config.json   what to run (ShimConfig)
    state.json    {"shim", "shim_started", "pid", "pid_started"}: process ids with their start times
    exit.json     {"code", "signal", "oom", "finished"}, or {"failed"}: why nothing could be started
    log           as log_file has it
    shim.sock     one JSON line asks: monitor, signal, kill, exec (with descriptors), attach

Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, TypedDict

from controllers.kubelet.process_runtime import process_tree, program, rootfs, syscalls
from controllers.kubelet.process_runtime.log_file import LogFile
from controllers.kubelet.process_runtime.shim_clients import AttachClient, Client, ExecClient, read_request

LOOK_SECONDS = 0.25
"""How often the memory of a container is looked at whose limit no cgroup keeps."""
_READ = 64 * 1024
_LONGEST_END_SECONDS = 10.0


class ShimConfig(TypedDict):
    id: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int
    gid: int
    groups: list[int] | None
    no_new_privileges: bool
    hostname: str
    lower: str
    """The root of the image; "/" is the host's."""
    read_only: bool
    mounts: list[rootfs.MountSpec]
    stdin: bool
    stdin_once: bool
    tty: bool
    memory_limit: int
    """Bytes, 0 for none."""
    cgroup: str
    log_size: int
    log_files: int


class Shim:
    """`monitor` is the kubelet's end of what started this; `isolation` as in rootfs."""

    def __init__(self, folder: str, monitor: socket.socket, isolation: str) -> None:
        self._path = folder
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._isolation = isolation
        with open("config.json", opener=self._opener) as file:
            self._config: ShimConfig = json.load(file)
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, Client] = {}
        self._root = ""
        self._pid = 0
        self._status: int | None = None
        self._oom = False
        self._input = -1
        self._outputs: dict[int, bytes] = {}
        self._typed = bytearray()
        self._log: LogFile | None = None
        monitor.setblocking(False)
        self.add(Client(self, monitor))

    def _opener(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_CLOEXEC, 0o600, dir_fd=self._folder)

    def _write(self, name: str, value: object) -> None:
        """As a whole or not at all."""
        with open(f"{name}.new", "w", opener=self._opener) as file:
            json.dump(value, file)
        os.rename(f"{name}.new", name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    # ---- starting

    def run(self) -> None:
        os.umask(0o022)
        self._handle_signals()
        syscalls.become_subreaper()
        with contextlib.suppress(OSError):
            syscalls.name_process("kctl-shim")
        self._own = {"shim": os.getpid(), "shim_started": _started(os.getpid())}
        self._write("state.json", self._own)
        try:
            self._listen()
            self._prepare()
            self._start()
        except (OSError, program.CannotStart) as error:
            text = str(error) if isinstance(error, program.CannotStart) else f"{error.filename or 'container'}: {error.strerror or error}"
            self._write("exit.json", {"failed": text})
            self._tell({"failed": text})
            self._flush()
            return
        self._serve()

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        self._selector.register(read_end, selectors.EVENT_READ, self._children_changed)

    def _listen(self) -> None:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(f"/proc/self/fd/{self._folder}/shim.sock")
        listening.listen(16)
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, self._accept)

    def _prepare(self) -> None:
        config = self._config
        if self._isolation == rootfs.NONE:
            if config["lower"] != "/":
                raise program.CannotStart(
                    "the root of an image needs a mount namespace, which this machine allows neither to this user nor in a user namespace"
                )
            self._link_mounts()
            return
        rootfs.isolate(self._isolation)
        syscalls.set_hostname(config["hostname"])
        self._root = rootfs.build(self._path, config["lower"], config["mounts"], self._isolation, read_only=config["read_only"])

    def _link_mounts(self) -> None:
        """Without namespaces nothing can be mounted: $KCTL_ROOT has what would be, under its path."""
        root = os.path.join(self._path, "root")
        for each in self._config["mounts"]:
            place = os.path.join(root, each["target"].lstrip("/"))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.symlink(each["source"], place)
        self._config["env"].setdefault("KCTL_ROOT", root)

    def program(self, argv: list[str], env: dict[str, str], cwd: str) -> program.Program:
        """One of the container's, with its identity."""
        config = self._config
        return program.Program(
            argv,
            env,
            cwd,
            self._root,
            config["uid"],
            config["gid"],
            config["groups"],
            config["no_new_privileges"],
            config["cgroup"],
        )

    @property
    def config(self) -> ShimConfig:
        return self._config

    def _start(self) -> None:
        config = self._config
        self._log = LogFile(self._folder, "log", time.time_ns, config["log_size"], config["log_files"])
        if config["tty"]:
            master, slave = os.openpty()
            streams = (slave, slave, slave)
            self._outputs[master] = b"stdout"
            self._input = os.dup(master) if config["stdin"] else -1
            self._terminal = master
            ends: tuple[int, ...] = (slave,)
        else:
            standard_input, self._input = os.pipe2(os.O_CLOEXEC) if config["stdin"] else (os.open(os.devnull, os.O_RDONLY), -1)
            (out, out_end), (error, error_end) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
            streams = (standard_input, out_end, error_end)
            self._outputs |= {out: b"stdout", error: b"stderr"}
            self._terminal = -1
            ends = streams
        try:
            made = self.program(config["argv"], config["env"], config["cwd"])
            self._pid = program.start(made, streams, controlling_terminal=config["tty"])
        finally:
            for end in ends:
                os.close(end)
        for descriptor in self._outputs:
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ, self._output)
        if self._input >= 0:
            os.set_blocking(self._input, False)
        self._write("state.json", {**self._own, "pid": self._pid, "pid_started": _started(self._pid)})
        self._tell({"started": self._pid})

    # ---- going on

    def _serve(self) -> None:
        watched = self._config["memory_limit"] and not self._config["cgroup"]
        while self._status is None:
            for key, events in self._selector.select(LOOK_SECONDS if watched else None):
                key.data(key.fileobj, events)
            if watched and self._status is None:
                self._look_at_memory()
        self._finish()

    def _look_at_memory(self) -> None:
        used = sum(each.memory_bytes for each in process_tree.descendants(os.getpid()))
        if used > self._config["memory_limit"]:
            self._oom = True
            self.kill_all()

    def _children_changed(self, wakeup: Any, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 512)
        self._reap()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status
            for client in list(self._clients.values()):
                client.child_ended(pid, status)

    def _output(self, descriptor: Any, events: int) -> None:
        try:
            data = os.read(descriptor, _READ)
        except BlockingIOError:
            return
        except OSError:  # a terminal whose last user is gone
            data = b""
        if not data:
            self._selector.unregister(descriptor)
            return
        stream = self._outputs[descriptor]
        assert self._log is not None
        self._log.write(stream, data.replace(b"\r\n", b"\n") if self._config["tty"] else data)
        for client in list(self._clients.values()):
            client.output(stream, data)

    def feed(self, data: bytes) -> bool:
        """Standard input, from who is attached. False: enough waits already."""
        if self._input >= 0:
            self._typed += data
            self._pass_input(self._input, 0)
        return len(self._typed) < _READ

    def _pass_input(self, descriptor: Any, events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                written = os.write(self._input, self._typed)
            except BlockingIOError:
                raise
            except OSError:
                written = len(self._typed)
            del self._typed[:written]
        registered = self._input in self._selector.get_map()
        if self._typed and not registered:
            self._selector.register(self._input, selectors.EVENT_WRITE, self._pass_input)
        elif not self._typed and registered:
            self._selector.unregister(self._input)
            for client in list(self._clients.values()):
                client.input_taken()

    def end_input(self) -> None:
        """Whoever was attached with its standard input is gone: with stdinOnce that is its end."""
        if self._config["stdin_once"] and self._input >= 0 and not self._config["tty"]:
            if self._input in self._selector.get_map():
                self._selector.unregister(self._input)
            os.close(self._input)
            self._input = -1

    @property
    def terminal(self) -> int:
        """The master's side, -1 where there is none."""
        return self._terminal

    # ---- clients

    def _accept(self, listening: Any, events: int) -> None:
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            connection.setblocking(False)
            self.add(Client(self, connection))

    def add(self, client: Client) -> None:
        self._clients[client.socket.fileno()] = client
        self._selector.register(client.socket, selectors.EVENT_READ, self._client_ready)

    def want(self, client: Client, events: int) -> None:
        """What is to be waited for; 0 for nothing."""
        registered = client.socket.fileno() in self._selector.get_map()
        if not events:
            if registered:
                self._selector.unregister(client.socket)
        elif registered:
            self._selector.modify(client.socket, events, self._client_ready)
        else:
            self._selector.register(client.socket, events, self._client_ready)

    def drop(self, client: Client) -> None:
        if self._clients.pop(client.socket.fileno(), None) is not None:
            self.want(client, 0)
            client.closed()
            client.socket.close()

    def _client_ready(self, connection: Any, events: int) -> None:
        client = self._clients.get(connection.fileno())
        if client is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                client.writable()
            if events & selectors.EVENT_READ:
                client.readable()
        except OSError:
            self.drop(client)

    def asked(self, client: Client, request: dict[str, Any], descriptors: list[int]) -> Client:
        """What a client's line asks for; who answers it from now on."""
        operation = request.get("op")
        if operation == "signal":
            if self._pid and self._status is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, int(request["signal"]))
        elif operation == "kill":
            self.kill_all()
        elif operation == "monitor":
            client.send({"started": self._pid})
        elif operation in ("exec", "attach"):
            made: Callable[..., Client] = ExecClient if operation == "exec" else AttachClient
            successor = made(self, client.socket)
            self._clients[client.socket.fileno()] = successor
            successor.begin(request, descriptors)
            return successor
        return client

    def _tell(self, message: dict[str, Any]) -> None:
        for client in list(self._clients.values()):
            client.told(message)

    # ---- ending

    def kill_all(self) -> None:
        for each in process_tree.descendants(os.getpid()):
            if each.state != "Z":
                process_tree.kill(each.pid, each.started)

    def kill_session(self, session: int) -> None:
        for each in process_tree.descendants(os.getpid()):
            if each.session == session and each.state != "Z":
                process_tree.kill(each.pid, each.started)

    def _finish(self) -> None:
        """The first process is over: so are all others. What they have written is still kept."""
        deadline = time.monotonic() + _LONGEST_END_SECONDS
        while process_tree.descendants(os.getpid()) and time.monotonic() < deadline:
            self.kill_all()
            self._reap()
            time.sleep(0.002)
        for descriptor in self._outputs:
            while descriptor in self._selector.get_map() and self._has_more(descriptor):
                self._output(descriptor, 0)
        assert self._log is not None and self._status is not None
        self._log.close()
        number = os.WTERMSIG(self._status) if os.WIFSIGNALED(self._status) else 0
        code = 128 + number if number else os.WEXITSTATUS(self._status)
        ended = {"code": code, "signal": number, "oom": self._oom or self._killed_by_cgroup(), "finished": time.time_ns() / 1e9}
        self._write("exit.json", ended)
        self._tell({"exited": ended})
        self._flush()
        with contextlib.suppress(OSError):
            os.unlink("shim.sock", dir_fd=self._folder)

    def _has_more(self, descriptor: int) -> bool:
        with selectors.SelectSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            return bool(selector.select(0))

    def _killed_by_cgroup(self) -> bool:
        if not self._config["cgroup"]:
            return False
        with contextlib.suppress(OSError), open(os.path.join(self._config["cgroup"], "memory.events")) as file:
            return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in file)
        return False

    def _flush(self) -> None:
        """Everything waiting for clients, for a moment at most."""
        deadline = time.monotonic() + 1.0
        while any(client.waiting for client in self._clients.values()) and time.monotonic() < deadline:
            for client in list(self._clients.values()):
                try:
                    client.writable()
                except OSError:
                    self.drop(client)
            time.sleep(0.001)


def _started(pid: int) -> int:
    found = process_tree.process(pid)
    return found.started if found is not None else 0


__all__ = ["Shim", "ShimConfig", "read_request"]
