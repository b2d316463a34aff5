"""`kctl run-cluster`: the only command that starts anything."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kctl.apimachinery.kubernetes_version import KUBERNETES_VERSION

if TYPE_CHECKING:
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.paths import ClusterPaths


@click.command("run-cluster", short_help="Start a local Kubernetes cluster of simulated nodes")
@click.option("--name", default="", help="Name of the cluster. [default: kctl]")
@click.option("--nodes", type=click.IntRange(1, 20000), default=None, help="Number of simulated nodes. [default: 3]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port of the API server. 0 chooses a free one. [default: 6443, or a free one if that is taken]",
)
@click.option("--node-cpu", default=None, help="CPU capacity of each node. [default: 32]")
@click.option("--node-memory", default=None, help="Memory capacity of each node. [default: 256Gi]")
@click.option("--node-pods", type=click.IntRange(1), default=None, help="How many pods a node takes. [default: 110]")
@click.option("--control-plane-taint/--no-control-plane-taint", default=None, help="Keep pods off the control-plane node.")
@click.option("--detach", "-d", is_flag=True, help="Return when the cluster is ready and leave it running.")
@click.option("--verbose", is_flag=True, help="Log more, to the files under the cluster's logs/.")
def run_cluster(
    name: str,
    nodes: int | None,
    port: int | None,
    node_cpu: str | None,
    node_memory: str | None,
    node_pods: int | None,
    control_plane_taint: bool | None,
    detach: bool,
    verbose: bool,
) -> None:
    """Start a local Kubernetes cluster: API server, scheduler, controllers and simulated nodes in one process.

    Its state is kept under $XDG_DATA_HOME/kctl/<name>/: a later start goes on where the last one stopped, with the
    same settings where no others are given. `kctl` finds the cluster by itself; for kubectl and other clients an export
    line is printed.
    """
    from kctl.apimachinery import quantity
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.lock import holder
    from kctl.daemon.paths import DEFAULT_CLUSTER, ClusterPaths, valid_cluster_name

    name = name or os.environ.get("KCTL_CLUSTER") or DEFAULT_CLUSTER
    if not valid_cluster_name(name):
        _fail(f"invalid cluster name {name!r}: a lowercase RFC 1123 label is needed (letters, digits and '-')")
    paths = ClusterPaths.of(name)
    wanted: dict[str, Any] = {
        "nodes": nodes,
        "port": port,
        "node_cpu": node_cpu,
        "node_memory": node_memory,
        "node_pods": node_pods,
        "control_plane_taint": control_plane_taint,
    }
    for option in ("node_cpu", "node_memory"):
        value = wanted[option]
        if value is not None and not quantity.valid(value):
            _fail(f"invalid --{option.replace('_', '-')} {value!r}: {quantity.WRONG}")
    running = holder(paths.process_id)
    if running is not None:
        _fail(f'cluster "{name}" is already running (process {running.process_id}, {running.server or "starting"})')
    config = ClusterConfig.load(paths.settings) or ClusterConfig(name)
    config = replace(config, **{key: value for key, value in wanted.items() if value is not None})
    started = time.perf_counter()
    if detach:
        _detached(paths, config, started, verbose)
    else:
        sys.exit(_foreground(paths, config, started, verbose))


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(1)


def _banner(name: str, url: str, nodes: int, seconds: float, kubeconfig: str) -> str:
    plural = "node" if nodes == 1 else "nodes"
    return (
        f'Cluster "{name}" is ready: Kubernetes {KUBERNETES_VERSION}, {nodes} {plural}, {url} ({seconds:.2f} s)\n'
        f"kctl uses it from now on. For kubectl, helm and other clients:\n\n"
        f"  export KUBECONFIG={kubeconfig}\n"
    )


def _foreground(paths: ClusterPaths, config: ClusterConfig, started: float, verbose: bool) -> int:
    show = sys.stderr.isatty()

    def component(name: str) -> None:
        if show:
            click.echo(f"\r\x1b[K{name} is ready", err=True, nl=False)

    def ready(url: str) -> None:
        if show:
            click.echo("\r\x1b[K", err=True, nl=False)
        seconds = time.perf_counter() - started
        click.echo(_banner(config.name, url, config.nodes, seconds, str(paths.kubeconfig)))
        if show:
            click.echo("Press Ctrl-C to stop it.", err=True)
        sys.stdout.flush()

    return _serve(paths, config, verbose, component, ready)


def _detached(paths: ClusterPaths, config: ClusterConfig, started: float, verbose: bool) -> None:
    """Fork before any thread or event loop exists; the child serves, the parent waits for its word."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os._exit(_child(paths, config, verbose, write_end))
    os.close(write_end)
    with os.fdopen(read_end) as words:
        word = words.read()
    kind, _, rest = word.partition(" ")
    if kind != "ready":
        logs = paths.logs
        _fail(rest.strip() or f"the cluster did not start; see {logs}")
    seconds = time.perf_counter() - started
    click.echo(_banner(config.name, rest.strip(), config.nodes, seconds, str(paths.kubeconfig)), nl=False)


def _child(paths: ClusterPaths, config: ClusterConfig, verbose: bool, write_end: int) -> int:
    os.setsid()
    paths.logs.mkdir(parents=True, exist_ok=True)
    output = os.open(paths.logs / "daemon.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)

    def say(word: str) -> None:
        nonlocal write_end
        if write_end >= 0:
            os.write(write_end, word.encode())
            os.close(write_end)
            write_end = -1

    try:
        return _serve(paths, config, verbose, lambda name: None, lambda url: say(f"ready {url}"), lambda why: say(f"error {why}"))
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1


def _serve(
    paths: ClusterPaths,
    config: ClusterConfig,
    verbose: bool,
    on_component: Callable[[str], None],
    on_ready: Callable[[str], None],
    on_error: Callable[[str], None] | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; the exit code."""
    import asyncio

    from kctl.apimachinery.clock import RealClock
    from kctl.daemon.cluster import Cluster
    from kctl.daemon.components import PortInUse
    from kctl.daemon.lock import AlreadyServed
    from kctl.daemon.supervisor import ComponentCrashed

    cluster = Cluster(paths, config, RealClock(), random.Random())

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await cluster.run(stop, on_component=on_component, on_ready=lambda: on_ready(cluster.url), verbose=verbose)

    try:
        asyncio.run(main())
    except AlreadyServed as error:
        why = f'cluster "{config.name}" is already running (process {error.holder.process_id}, {error.holder.server or "starting"})'
    except ComponentCrashed as error:
        cause = error.__cause__
        why = str(cause) if isinstance(cause, PortInUse) else f"{error}; see {paths.logs}"
    else:
        return 0
    if on_error is not None:
        on_error(why)
    else:
        click.echo(f"error: {why}", err=True)
    return 1
