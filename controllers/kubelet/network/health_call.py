"""A grpc probe: one Check of gRPC's health protocol, with the words of pkg/probe/grpc."""

from __future__ import annotations

from collections.abc import Callable

from controllers.kubelet.commands.network import ClusterNetwork, Side
from controllers.kubelet.commands.programs import grpc
from controllers.kubelet.restart_policy import go_duration
from controllers.kubelet.runtime import ProbeOutcome
from kctl.apimachinery.clock import Clock, Timer


class HealthCall:
    """`target`: address, port, and the address that the pod sees; `authority` is how the first two are written."""

    def __init__(
        self,
        network: ClusterNetwork,
        clock: Clock,
        target: tuple[str, int, str],
        authority: str,
        service: str,
        seconds: float,
        done: Callable[[ProbeOutcome], None],
    ) -> None:
        self._network = network
        self._clock = clock
        self._target = target
        self._authority = authority
        self._service = service
        self._seconds = seconds
        self._done: Callable[[ProbeOutcome], None] | None = done
        self._reply = grpc.Reply()
        self._side: Side | None = None
        self._timers: list[Timer] = [clock.call_later(seconds, self._late), clock.call_later(0.0, self._begin)]

    def cancel(self) -> None:
        self._done = None
        for timer in self._timers:
            timer.cancel()
        if self._side is not None:
            self._side.close()

    def _begin(self) -> None:
        address, port, source = self._target
        try:
            self._side = self._network.open(address, port, "TCP", self._wake, source)
            self._side.write(grpc.request(self._authority, self._service, "kube-probe/1.37"))
        except (OSError, BufferError):
            return  # a client goes on trying until the time is over

    def _wake(self) -> None:
        """In a moment: who writes may be in the middle of something."""
        self._timers[1:] = [self._clock.call_later(0.0, self._step)]

    def _step(self) -> None:
        if self._side is None or self._done is None:
            return
        try:
            checked = self._reply.received(self._side.stdin.take())
        except grpc.NotHttp2:
            return  # as one that does not answer
        if checked is None:
            return
        if checked.code == grpc.UNIMPLEMENTED:
            what = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
            self._end(ProbeOutcome(False, f"error: {what}: {checked.message}"))
        elif checked.code:
            code = grpc.CODES[checked.code] if checked.code < len(grpc.CODES) else f"Code({checked.code})"
            self._end(ProbeOutcome(False, f"error: health rpc probe failed: rpc error: code = {code} desc = {checked.message}"))
        elif checked.state != 1:
            state = grpc.SERVICE_STATES[checked.state] if checked.state < len(grpc.SERVICE_STATES) else str(checked.state)
            self._end(ProbeOutcome(False, f'service unhealthy (responded with "{state}")'))
        else:
            self._end(ProbeOutcome(True, "service healthy"))

    def _late(self) -> None:
        within = go_duration(self._seconds)
        if not self._reply.begun:
            words = f'timeout: failed to connect service "{self._authority}" within {within}: context deadline exceeded'
        else:
            words = f"timeout: health rpc did not complete within {within}"
        self._end(ProbeOutcome(False, words))

    def _end(self, outcome: ProbeOutcome) -> None:
        done = self._done
        self.cancel()
        if done is not None:
            done(outcome)
