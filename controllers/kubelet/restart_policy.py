"""Whether and when an ended container starts again: restartPolicy and the crash-loop back-off. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kctl.apimachinery.objects import Object

INITIAL_BACKOFF_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 300.0
RESET_AFTER_SECONDS = 600.0


def restarts(container: Object, pod_policy: str, kind: str, exit_code: int) -> bool:
    """`kind`: init, sidecar, regular or ephemeral."""
    if kind == "ephemeral":
        return False
    if kind == "sidecar":
        return True
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = exit_code in (codes.get("values") or ())
        if rule.get("action") == "Restart" and listed == (codes.get("operator") == "In"):
            return True
    policy = container.get("restartPolicy") or pod_policy
    if policy == "Never":
        return False
    if policy == "OnFailure" or kind == "init":
        return exit_code != 0
    return True


@dataclass(slots=True)
class Backoff:
    """client-go's flowcontrol.Backoff for one key: doubles with every start, forgotten after ten quiet minutes."""

    seconds: float = 0.0
    updated: float = 0.0

    def _expired(self, event: float) -> bool:
        return event - self.updated > RESET_AFTER_SECONDS

    def remaining(self, event: float, now: float) -> float:
        """Seconds still to wait; `event` is when it last failed (monotonic, as `now`)."""
        if not self.seconds or self._expired(event):
            return 0.0
        return max(self.seconds - (now - event), 0.0)

    def next(self, event: float, now: float) -> None:
        """Another attempt begins."""
        if not self.seconds or self._expired(event):
            self.seconds = INITIAL_BACKOFF_SECONDS
        else:
            self.seconds = min(self.seconds * 2, MAX_BACKOFF_SECONDS)
        self.updated = now


def after_restarts(count: int) -> float:
    """The back-off that `count` restarts have led to, for a kubelet that starts anew: it continues rather than forgets."""
    if count <= 0:
        return 0.0
    return min(INITIAL_BACKOFF_SECONDS * 2.0 ** min(count - 1, 10), MAX_BACKOFF_SECONDS)


def go_duration(seconds: float) -> str:
    """time.Duration.String(): 10s, 1m20s, 5m0s, 1.5s, 250ms."""
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{seconds * 1000:.3f}".rstrip("0").rstrip(".") + "ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
