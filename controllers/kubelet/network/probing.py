"""Probes and lifecycle hooks that go over the network, as the kubelet's probers do them: httpGet, tcpSocket, grpc.

Only where a program that is interpreted stands behind them: others answer as their data say.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from controllers.kubelet.commands.network import ClusterNetwork, is_loopback
from controllers.kubelet.network.asking import Get, dial_failure, http_target, port_of
from controllers.kubelet.network.health_call import HealthCall
from controllers.kubelet.runtime import ProbeOutcome
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object

KINDS = ("httpGet", "tcpSocket", "grpc")
_HOOK_SECONDS = 30.0 * 60
"""A hook has no time limit of its own but the pod's grace period; a connection to nobody ends at some time."""
_SHOWN_CHARACTERS = 10 * 1024


class NetworkProber:
    """For one container: `address` is the pod's, `source` its node's. `warn` tells an event's reason and message."""

    def __init__(
        self, network: ClusterNetwork, clock: Clock, container: Object, address: str, source: str, warn: Callable[[str, str], None]
    ) -> None:
        self._network = network
        self._clock = clock
        self._container = container
        self._address = address
        self._source = source
        self._warn = warn

    def probe(self, kind: str, probe: Object, done: Callable[[ProbeOutcome], None]) -> Get | HealthCall | None:
        """`done` gets the outcome later. What is returned can be cancelled."""
        seconds = float(probe.get("timeoutSeconds") or 1)
        if "httpGet" in probe:
            target = http_target(probe["httpGet"], self._container, self._address, self._source, "kube-probe")
            if not 0 < target.port < 65536:
                self._later(done, _unknown_port(kind))
                return None

            def answered(response: object, why: str) -> None:
                done(self._judged(kind, response, why))

            host = self._source if is_loopback(target.host) else target.host
            made = type(target)(target.scheme, host, target.port, target.path, target.headers, target.source)
            return Get(self._network, self._clock, made, seconds, answered)
        if "tcpSocket" in probe:
            action = probe["tcpSocket"]
            self._connect(str(action.get("host") or self._address), port_of(action.get("port"), self._container), kind, seconds, done)
        else:
            return self._call(probe["grpc"], seconds, done)
        return None

    def _later(self, done: Callable[[ProbeOutcome], None], outcome: ProbeOutcome, seconds: float = 0.0) -> None:
        self._clock.call_later(seconds, lambda: done(outcome))

    def _judged(self, kind: str, response: object, why: str) -> ProbeOutcome:
        status = getattr(response, "status", 0)
        body = getattr(response, "body", b"")[:_SHOWN_CHARACTERS].decode("utf-8", "replace")
        if not 200 <= status < 400:
            return ProbeOutcome(False, why or f"HTTP probe failed with statuscode: {status}")
        if status >= 300:
            self._warn("ProbeWarning", f"{kind.capitalize()} probe warning: Probe terminated redirects, Response body: {body}")
        return ProbeOutcome(True, body)

    def _connect(self, host: str, port: int, kind: str, seconds: float, done: Callable[[ProbeOutcome], None]) -> None:
        if not 0 < port < 65536:
            self._later(done, _unknown_port(kind))
            return
        error = self._dialled(host, port)
        if error is None:
            self._later(done, ProbeOutcome(True))
        else:
            wait = seconds if error.errno == errno.ETIMEDOUT else 0.0
            self._later(done, ProbeOutcome(False, dial_failure(host, port, error)), wait)

    def _call(self, action: Object, seconds: float, done: Callable[[ProbeOutcome], None]) -> HealthCall:
        port = int(action.get("port") or 0)
        address = f"{self._address}:{port}" if ":" not in self._address else f"[{self._address}]:{port}"
        return HealthCall(
            self._network, self._clock, (self._address, port, self._source), address, str(action.get("service") or ""), seconds, done
        )

    def _dialled(self, host: str, port: int) -> OSError | None:
        try:
            self._network.open(self._source if is_loopback(host) else host, port, "TCP", source=self._source).close()
        except OSError as error:
            return error
        return None

    def is_served(self, action: Object) -> bool:
        """Something listens in the pod where an httpGet goes."""
        return self._network.is_served(self._address, port_of(action.get("port"), self._container))

    def hook(self, action: Object, done: Callable[[str], None]) -> None:
        """A lifecycle hook's httpGet: any answer will do. `done` gets '' or why there was none."""
        target = http_target(action, self._container, self._address, self._source, "kube-lifecycle")

        def answered(response: object, why: str) -> None:
            if why.endswith("http: server gave HTTP response to HTTPS client"):
                self._warn("LifecycleHTTPFallback", "request to HTTPS lifecycle hook got HTTP response, retrying over HTTP")
                Get(self._network, self._clock, http_target({**action, "scheme": "HTTP"}, *again), _HOOK_SECONDS, answered)
                return
            done(why)

        again = (self._container, self._address, self._source, "kube-lifecycle")
        Get(self._network, self._clock, target, _HOOK_SECONDS, answered)


def _unknown_port(kind: str) -> ProbeOutcome:
    """A kubelet throws the result of a probe away that it cannot even ask: nothing changes."""
    return ProbeOutcome(kind == "liveness", "couldn't find the port of the probe")
