"""exec, attach and port-forward to simulated containers. Imported with the first of them."""

from __future__ import annotations

from collections.abc import Sequence

from controllers.kubelet.commands.outcome import outcome_of
from controllers.kubelet.pod_worker import PodWorker
from kctl.apimachinery import status
from kctl.apimachinery.clock import Clock
from kctl.client.kubelet import ByteStream, CannotRun, Forward, Process, Terminal


def exec_in(worker: PodWorker | None, name: str, command: Sequence[str], clock: Clock) -> Process:
    """Raises InternalError for a container that does not run."""
    _running(worker, name)

    async def run(terminal: Terminal) -> int:
        outcome = outcome_of(tuple(command))
        if outcome is None:
            word = command[0] if command else ""
            raise CannotRun(
                f'failed to exec in container: failed to start exec: OCI runtime exec failed: exec: "{word}": '
                "this container is simulated and does not know the command"
            )
        passed = 0.0
        for moment, text in outcome.output:
            await clock.sleep(moment - passed)
            passed = moment
            await terminal.write(text.encode())
        if outcome.seconds is None:
            while await terminal.read():
                pass
            await clock.sleep(10 * 365 * 86400.0)
        else:
            await clock.sleep(outcome.seconds - passed)
        return outcome.exit_code

    return run


def _running(worker: PodWorker | None, name: str) -> PodWorker:
    container = worker.container(name) if worker is not None else None
    if worker is None or container is None or "running" not in container.state:
        error = status.InternalError(f'container not found ("{name}")')
        raise error
    return worker


def attach_to(worker: PodWorker | None, name: str) -> Process:
    worker = _running(worker, name)

    async def run(terminal: Terminal) -> int:
        container = worker.container(name)
        if container is not None and container.handle is not None:
            async for chunk in container.handle.logs({"follow": "true", "tailLines": "0"}):
                await terminal.write(chunk)
        return 0

    return run


def port_forward_to(worker: PodWorker | None, pod: str) -> Forward:
    if worker is None or worker.stopping:
        raise status.InternalError(f'unable to do port forwarding: pod not found ("{pod}")')

    async def forward(port: int, stream: ByteStream) -> None:
        raise CannotRun(
            f"failed to connect to localhost:{port} inside the pod: connection refused: its containers are simulated, nothing listens there"
        )

    return forward
