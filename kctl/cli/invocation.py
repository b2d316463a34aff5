"""One run of kctl as typed: its streams, its global flags, the configuration they lead to, and what it has said so far."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from kctl.cli.errors import CommandError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from kctl.cli.terminal import Progress
    from kctl.client.kubeconfig import Kubeconfig, ResolvedConfig


_DIFFERENCE_SECONDS = 3.0


class Streams(NamedTuple):
    """Where a command reads and writes; tests pass their own."""

    out: TextIO
    err: TextIO
    input: TextIO

    @classmethod
    def standard(cls) -> Streams:
        return cls(sys.stdout, sys.stderr, sys.stdin)


class Invocation:
    """`program` is the command as typed ('kctl get'); `changed` the flags given on the command line, by parameter name;
    `dash` how many arguments came before `--` (-1 without one); `blocking` is set while a command runs without an event
    loop, over the blocking transport."""

    def __init__(self, streams: Streams | None = None, now: Callable[[], datetime] | None = None) -> None:
        self.streams = streams or Streams.standard()
        self._now = now
        self.program = "kctl"
        self.changed: set[str] = set()
        self.dash = -1
        self.embedded = False
        self.blocking = False
        self.flags: dict[str, Any] = {}
        self.progress: Progress | None = None
        """What is shown at the bottom of the terminal; it gives way to what is printed."""
        self.warned: set[str] = set()
        self.may_run_plugin: Callable[[str], bool] = lambda command: True
        """Whether a program may be asked for credentials, by the user's preferences."""
        self._date: tuple[bytes, float] | None = None
        self._kubeconfig: Kubeconfig | None = None
        self._configuration: ResolvedConfig | None = None

    def accept(self, global_flags: dict[str, Any], changed: set[str], dash: int) -> None:
        """Called by the command that has parsed the line."""
        self.flags.update(global_flags)
        self.changed = changed
        self.dash = dash

    def now(self) -> datetime:
        """The cluster's wall time, UTC: this machine's, unless the cluster has said that it is another there."""
        if self._now is not None:
            return self._now()
        from datetime import UTC, datetime

        return datetime.now(UTC) + self._ahead() if self._date else datetime.now(UTC)

    def use_time(self, now: Callable[[], datetime]) -> None:
        """Of an API server in this process."""
        self._now = self._now or now

    def heard_date(self, text: bytes) -> None:
        """What an answer says the time is."""
        import time

        self._date = (text, time.time()) if text else None

    def _ahead(self) -> timedelta:
        """Of this machine's time, where that is more than clocks differ anyway."""
        from datetime import UTC, datetime, timedelta

        from kctl.apimachinery import times

        text, heard_at = self._date or (b"", 0.0)
        try:
            ahead = times.parse_http_date(text.decode("latin-1")) - datetime.fromtimestamp(heard_at, UTC)
        except ValueError:
            return timedelta(0)
        return ahead if abs(ahead.total_seconds()) >= _DIFFERENCE_SECONDS else timedelta(0)

    @property
    def verbosity(self) -> int:
        return int(self.flags.get("v") or 0)

    def print(self, text: str) -> None:
        self.write(text + "\n")

    def write(self, text: str) -> None:
        if self.progress is not None:
            self.progress.end()
        self.streams.out.write(text)

    def error(self, text: str) -> None:
        """A line on stderr."""
        if self.progress is not None:
            self.progress.end()
        self.streams.err.write(text + "\n")

    def warn(self, text: str) -> None:
        """A warning of the server, once each, as client-go's deduplicating writer."""
        if text not in self.warned:
            self.warned.add(text)
            self.error(f"Warning: {text}")

    def check_warnings(self) -> None:
        """--warnings-as-errors: after the command has done its work."""
        if self.warned and self.flags.get("warnings_as_errors"):
            count = len(self.warned)
            raise CommandError(f"{count} {'warning' if count == 1 else 'warnings'} received")

    @property
    def kubeconfig(self) -> Kubeconfig:
        """The merged kubeconfig, empty where there is none."""
        if self._kubeconfig is None:
            from kctl.cli.configuration import load_kubeconfig

            self._kubeconfig = load_kubeconfig(self.flags)
        return self._kubeconfig

    @property
    def configuration(self) -> ResolvedConfig:
        if self._configuration is None:
            from kctl.cli.configuration import resolve_configuration

            self._configuration = resolve_configuration(self.kubeconfig, self.flags, self.program)
        return self._configuration

    @configuration.setter
    def configuration(self, value: ResolvedConfig) -> None:
        self._configuration = value

    @property
    def namespace(self) -> str:
        """The namespace a command works in: -n, else the context's, else default."""
        return self.configuration.namespace

    @property
    def namespace_is_explicit(self) -> bool:
        """Whether -n was given: objects of another namespace are then an error."""
        return self.configuration.namespace_is_explicit
