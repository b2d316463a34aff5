"""One run of a container as real processes: its shim is asked to start and to stop them, and tells how they went."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from controllers.kubelet.process_runtime import listeners, log_reader, process_tree
from controllers.kubelet.process_runtime.commands_beside import run_command
from controllers.kubelet.process_runtime.connection import Monitor, connect
from controllers.kubelet.process_runtime.identity import CannotMake
from controllers.kubelet.process_runtime.pod_folder import CannotMount, PodFolder
from controllers.kubelet.process_runtime.reaping import as_found, kill_lost
from controllers.kubelet.process_runtime.shim import ShimConfig
from controllers.kubelet.runtime import ContainerListener, Exit, ProbeOutcome, StartFailure
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock, Timer
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import ApiError

if TYPE_CHECKING:
    import socket

    from controllers.kubelet.network.probing import NetworkProber
    from kctl.client.kubelet import Process

KILLED = 128 + signal.SIGKILL
_TERMINATION_LOG_BYTES = 4096
_LOG_LINES = 80
_LOST = Exit(KILLED, "ContainerStatusUnknown", "The container could not be located when the pod was terminated")


class ContainerRuntimeSide(Protocol):
    """What a container asks of its runtime."""

    clock: Clock

    async def prepare(self) -> None:
        """What it will need of the cluster."""
        ...

    def shim_config(self, folder: PodFolder, container: Object, run: Path, container_id: str) -> ShimConfig:
        """Raises CannotMake, CannotMount, OSError."""
        ...

    def start_shim(self, run: Path) -> socket.socket: ...

    def ended(self, container: ProcessContainer) -> None:
        """Nothing of it runs any more."""
        ...

    def forget(self, container: ProcessContainer) -> None:
        """Its pod is gone."""
        ...


class ProcessContainer:
    ready_after_seconds = 0.0

    def __init__(
        self,
        runtime: ContainerRuntimeSide,
        folder: PodFolder,
        spec: Object,
        attempt: int,
        listener: ContainerListener,
        container_id: str,
    ) -> None:
        self._runtime = runtime
        self.folder = folder
        self.spec = spec
        self.attempt = attempt
        self.run_folder = folder.run_folder(str(spec["name"]), attempt)
        self._listener = listener
        self.container_id = container_id
        self.started_at = runtime.clock.now()
        self.running = False
        self.start_failure: StartFailure | None = None
        self.over = False
        """Nothing of it runs, or will."""
        self.pid = self._shim = 0
        self._told_started = self._detached = self._stopping = False
        self._monitor: Monitor | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._hook: asyncio.Task[None] | None = None
        self._timers: list[Timer] = []
        self._tasks: dict[asyncio.Task[None], None] = {}

    @property
    def uid(self) -> str:
        return objects.uid(self.folder.pod)

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def shim(self) -> int:
        """The process id of its shim; 0 while it is not known."""
        if not self._shim:
            self._shim = int(as_found(self.run_folder / "state.json").get("shim") or 0)
        return self._shim

    # ---- starting

    def start(self) -> None:
        self._beginning = asyncio.get_running_loop().create_task(self._begin())

    async def _begin(self) -> None:
        try:
            with contextlib.suppress(ApiError):  # it will see that they are not there
                await self.folder.sandbox.fetch_tokens()
            await self._runtime.prepare()
            self._tell_ports_in_use()
            config = self._runtime.shim_config(self.folder, self.spec, self.run_folder, self.container_id)
            (self.run_folder / "config.json").write_text(json.dumps(config))
            self._follow(self._runtime.start_shim(self.run_folder))
        except CannotMount as failed:
            self._listener.pod.event("Warning", "FailedMount", str(failed))
            self._cannot("CreateContainerError", str(failed))
        except CannotMake as failed:
            self._cannot("CreateContainerError", str(failed))
        except OSError as failed:
            where = f"{failed.filename}: " if failed.filename else ""
            self._cannot("CreateContainerError", f"{where}{(failed.strerror or str(failed)).lower()}")
        finally:
            self._beginning = None

    def _tell_ports_in_use(self) -> None:
        """Its servers will say so themselves, but not why."""
        for port in listeners.ports_in_use(self.spec, self.address):
            message = (
                f"Something listens at port {port} of this machine already, and process pods share its network: a server that binds it "
                f"fails. Another port, or one that is bound at the pod's own address ({self.address}) alone, does not collide"
            )
            self._event("Warning", "PortInUse", message)

    def _cannot(self, reason: str, message: str) -> None:
        self._finish()
        if not self._detached:
            self._listener.on_start_failed(StartFailure(reason, message))

    def adopt(self) -> bool:
        """Go on with what an earlier kubelet started. False where nothing is left of it, not even how it ended."""
        state, ended = as_found(self.run_folder / "state.json"), as_found(self.run_folder / "exit.json")
        self._told_started = True
        if "code" in ended or "failed" in ended:
            self.over = True
            return True
        if not state:
            return False
        self.pid = int(state.get("pid") or 0)
        if process_tree.is_alive(int(state.get("shim") or 0), int(state.get("shim_started") or 0)):
            with contextlib.suppress(OSError):
                self._follow(connect(self.run_folder))
                assert self._monitor is not None
                self._monitor.send({"op": "monitor"})
                self.running = True
                return True
        kill_lost(self.run_folder)
        self.over = True
        return True

    def tell_end(self) -> None:
        """Of one that ended while no kubelet looked."""
        self._runtime.clock.call_later(0.0, lambda: None if self._detached else self._listener.on_exit(self._result()))

    def _follow(self, connection: socket.socket) -> None:
        self._monitor = Monitor(connection, self._heard)

    # ---- what the shim tells

    def _heard(self, message: dict[str, Any] | None) -> None:
        if self.over:
            return
        if message is None:
            kill_lost(self.run_folder)
            self._ended(self._result())
        elif "failed" in message:
            if self._stopping:
                self._ended(Exit(KILLED, "Error"))
            else:
                self._cannot("RunContainerError", self._start_error(str(message["failed"])))
        elif "started" in message and not self._told_started:
            self._told_started = self.running = True
            self.pid = int(message["started"])
            self.started_at = self._runtime.clock.now()
            if self._stopping:
                self._terminate()
            self._listener.on_started(self)
        elif "exited" in message:
            self._ended(self._result())

    def _start_error(self, why: str) -> str:
        return f"failed to create containerd task: failed to create shim task: unable to start container process: {why}"

    def _ended(self, result: Exit) -> None:
        self._finish()
        if not self._detached:
            self._listener.on_exit(result)

    def _finish(self) -> None:
        self.over, self.running = True, False
        for timer in self._timers:
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        self._runtime.ended(self)

    def _result(self) -> Exit:
        ended = as_found(self.run_folder / "exit.json")
        if "code" not in ended:
            return _LOST
        code = int(ended["code"])
        reason = "OOMKilled" if ended.get("oom") else "Error" if code else "Completed"
        return Exit(code, reason, self._message(code))

    @property
    def ended_at(self) -> datetime | None:
        finished = as_found(self.run_folder / "exit.json").get("finished")
        return datetime.fromtimestamp(float(finished), UTC) if finished else None

    def _message(self, code: int) -> str:
        from controllers.kubelet.commands.outcome import Outcome
        from controllers.kubelet.commands.termination import path_of, termination_message

        written = ""
        with contextlib.suppress(OSError), open(self.run_folder / "termination-log", "rb") as file:
            file.seek(max(file.seek(0, 2) - _TERMINATION_LOG_BYTES, 0))
            written = file.read(_TERMINATION_LOG_BYTES).decode(errors="replace")
        output = ""
        if code and not written and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            with contextlib.suppress(OSError):
                output = log_reader.last_lines(self.run_folder / "log", _LOG_LINES)
        outcome = Outcome(0.0, code, ((0.0, output),), ((path_of(self.spec), written),))
        return termination_message(self.folder.pod, self.spec, outcome)

    # ---- stopping

    def stop(self, grace_seconds: float) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = [self._runtime.clock.call_later(max(grace_seconds, 0.0), self.kill)]
        if self._stopping:
            return
        self._stopping = True
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        if not self.running:
            self._terminate()
        elif "exec" in hook:
            self._spawn(self._pre_stop(list(hook["exec"].get("command") or ())))
        elif "httpGet" in hook:
            self.prober().hook(hook["httpGet"], self._pre_stopped)
        elif hook.get("sleep"):
            seconds = float(hook["sleep"].get("seconds") or 0)
            self._timers.append(self._runtime.clock.call_later(seconds, self._terminate))
        else:
            self._terminate()

    async def _pre_stop(self, command: Sequence[str]) -> None:
        code, output = await run_command(self.run_folder, command)
        self._pre_stopped(f"command '{' '.join(command)}' exited with {code}: {output}" if code else "")

    def _pre_stopped(self, error: str) -> None:
        if error:
            self._event("Warning", "FailedPreStopHook", f"PreStopHook failed: {error}")
        self._terminate()

    def _terminate(self) -> None:
        """SIGTERM, or what its lifecycle.stopSignal says."""
        if self._beginning is not None:
            self._beginning.cancel()
            self._runtime.clock.call_later(0.0, lambda: None if self.over else self._ended(Exit(KILLED, "Error")))
        elif self._monitor is not None and self.running:
            name = str((self.spec.get("lifecycle") or {}).get("stopSignal") or "SIGTERM")
            self._monitor.send({"op": "signal", "signal": int(getattr(signal, name, signal.SIGTERM))})

    def kill(self) -> None:
        """All of its processes, now."""
        if self._monitor is not None:
            self._monitor.send({"op": "kill"})
        elif not self.over:
            self._terminate()

    def _event(self, type: str, reason: str, message: str) -> None:
        self._listener.pod.event(type, reason, message, f"spec.containers{{{self.name}}}")

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    # ---- hooks and probes

    def post_start(self, hook: Object, done: Callable[[str], None]) -> str | None:
        if "httpGet" in hook:
            self.prober().hook(hook["httpGet"], done)
        elif "exec" in hook:
            self._spawn(self._post_start(list(hook["exec"].get("command") or ()), done))
        elif hook.get("sleep"):
            seconds = float(hook["sleep"].get("seconds") or 0)
            self._timers.append(self._runtime.clock.call_later(seconds, lambda: done("")))
        else:
            return ""
        return None

    async def _post_start(self, command: Sequence[str], done: Callable[[str], None]) -> None:
        code, output = await run_command(self.run_folder, command)
        done(f"command '{' '.join(command)}' exited with {code}: {output}" if code else "")

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> ProbeOutcome | None:
        if "exec" in probe:
            self._spawn(self._probe(probe, done))
        else:
            self.prober().probe(kind, probe, done)
        return None

    async def _probe(self, probe: Object, done: Callable[[ProbeOutcome], None]) -> None:
        from kctl.apimachinery.clock import timeout

        command, seconds = list(probe["exec"].get("command") or ()), float(probe.get("timeoutSeconds") or 1)
        try:
            async with timeout(self._runtime.clock, seconds):
                code, output = await run_command(self.run_folder, command)
        except TimeoutError:
            done(ProbeOutcome(False, f'command timed out: "{" ".join(command)}" timed out after {seconds:g}s'))
            return
        done(ProbeOutcome(code == 0, output.rstrip("\n")))

    def prober(self) -> NetworkProber:
        from controllers.kubelet.network.probing import NetworkProber
        from controllers.kubelet.process_runtime.real_network import RealNetwork

        clock, address = self._runtime.clock, self.address
        return NetworkProber(
            RealNetwork(clock), clock, self.spec, address, address, lambda reason, message: self._event("Warning", reason, message)
        )

    @property
    def address(self) -> str:
        """Where it listens: its pod's address, the machine's own with hostNetwork."""
        pod = self._listener.pod
        return "127.0.0.1" if objects.spec(pod.pod).get("hostNetwork") or not pod.ip else pod.ip

    def serve(self) -> None:
        """It does by itself."""

    # ---- what others see of it

    def logs(self, options: Mapping[str, str]) -> AsyncIterator[bytes]:
        return log_reader.stream(self.run_folder / "log", options, self._runtime.clock, lambda: self.over)

    def exec(self, command: Sequence[str]) -> Process:
        from controllers.kubelet.process_runtime import execution

        return execution.exec_in(self.run_folder, command, self._runtime.clock)

    def attach(self) -> Process:
        from controllers.kubelet.process_runtime import execution

        return execution.attach_to(self.run_folder, self.spec, self._runtime.clock)

    def detach(self) -> None:
        self._detached = True
        if self._beginning is not None:
            self._beginning.cancel()
        for timer in self._timers:
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None

    def release(self) -> None:
        """Its pod is gone: whatever still runs of it goes too, then its files."""
        self._detached = True
        if not self.over:
            self._stopping = True
            if self._monitor is None and self._beginning is None:
                self._finish()
            else:
                self.kill()
        self._runtime.forget(self)
