"""What `kctl run-cluster` says while a cluster starts and when it stops: on this terminal, or from a background process over a pipe."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION
from kctl.cli.terminal import Progress, bar, coloured

_COMPONENTS = 5
"""Of a cluster: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet."""

if TYPE_CHECKING:
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.paths import ClusterPaths


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a cluster, as asked for."""

    paths: ClusterPaths
    config: ClusterConfig
    verbose: bool
    existed: bool
    began: float = field(default_factory=time.perf_counter)

    @property
    def name(self) -> str:
        return self.paths.name


def _show_ready(start: Start, url: str) -> None:
    """On stdout. A kubeconfig in the environment goes before the current cluster, so kctl then needs the export line too."""
    from kctl.client.kubeconfig import environment_paths

    nodes, seconds = start.config.nodes, time.perf_counter() - start.began
    name = coloured(sys.stdout, f'Cluster "{start.name}" is ready', "green")
    click.echo(f"{name}: Kubernetes {KUBERNETES_VERSION}, {nodes} {'node' if nodes == 1 else 'nodes'}, {url} ({seconds:.2f} s)")
    chosen = os.environ.get("KCTL_CLUSTER") or start.name
    if environment_paths() and start.paths.kubeconfig not in environment_paths():
        click.echo("KUBECONFIG is set, so kctl does not use it by itself. For kctl, kubectl, helm and other clients:\n")
    elif chosen != start.name:
        click.echo(f"KCTL_CLUSTER is set to {chosen}, so kctl does not use it by itself. For kctl, kubectl, helm and other clients:\n")
    else:
        click.echo("kctl uses it from now on. For kubectl, helm and other clients:\n")
    click.echo(f"  export KUBECONFIG={start.paths.kubeconfig}")


class Report:
    """What a start says as it goes on. The one who watches it may be in another process."""

    def component(self, name: str) -> None: ...

    def notice(self, text: str) -> None: ...

    def ready(self, url: str) -> None: ...

    def failed(self, why: str) -> None: ...


class OnTerminal(Report):
    """In the process that the user started."""

    def __init__(self, start: Start, *, foreground: bool) -> None:
        self._start = start
        self._foreground = foreground
        self._ready = 0
        self._progress = Progress(sys.stderr, f'Starting cluster "{start.name}"')
        self._progress.show()

    def component(self, name: str) -> None:
        self._ready += 1
        self._progress.show(f"{bar(self._ready, _COMPONENTS)} {name} is ready")

    def notice(self, text: str) -> None:
        self._progress.end()
        click.echo(f"Warning: {text}", err=True)

    def ready(self, url: str) -> None:
        self._progress.end()
        _show_ready(self._start, url)
        if self._foreground and sys.stderr.isatty():
            click.echo("\nPress Ctrl-C to stop it.", err=True)
        sys.stdout.flush()

    def failed(self, why: str) -> None:
        self._progress.end()
        click.echo(f"error: {why}", err=True)


class Stopping:
    """From the signal to the end, on the terminal that sent it."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._progress = Progress(sys.stderr, f'Stopping cluster "{start.name}"')

    def show(self) -> None:
        self._progress.show()

    def end(self) -> None:
        self._progress.end()
        again = f"kctl run-cluster --name {self._start.name}"
        click.echo(f'Cluster "{self._start.name}" stopped. Its state stays in {self._start.paths.directory}; go on with: {again}', err=True)


class OverPipe(Report):
    """In a background process: one line for each word; the pipe is closed with the last one."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w")

    def _say(self, kind: str, text: str) -> None:
        if not self._pipe.closed:
            with contextlib.suppress(BrokenPipeError):
                self._pipe.write(f"{kind} {' '.join(text.split())}\n")
                self._pipe.flush()

    def component(self, name: str) -> None:
        self._say("component", name)

    def notice(self, text: str) -> None:
        self._say("notice", text)

    def ready(self, url: str) -> None:
        self._say("ready", url)
        self._close()

    def failed(self, why: str) -> None:
        self._say("failed", why)
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
