"""`kctl run-cluster`: the only command that starts anything."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.named_cluster import fail
from kctl.cli.run_cluster_report import OnTerminal, OverPipe, Report, Start, Stopping

if TYPE_CHECKING:
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.paths import ClusterPaths


@click.command("run-cluster", short_help="Start a local Kubernetes cluster of simulated nodes")
@click.option("--name", default="", help="Name of the cluster. [default: the current cluster; at first kctl]")
@click.option("--nodes", type=click.IntRange(1, 20000), default=None, help="Number of simulated nodes. [default: 3]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port of the API server. 0 chooses a free one. [default: the one it had last; at first 6443, or a free one if that is taken]",
)
@click.option("--node-cpu", default=None, help="CPU capacity of each node. [default: 32]")
@click.option("--node-memory", default=None, help="Memory capacity of each node. [default: 256Gi]")
@click.option("--node-pods", type=click.IntRange(1), default=None, help="How many pods a node takes. [default: 110]")
@click.option("--control-plane-taint/--no-control-plane-taint", default=None, help="Keep pods off the control-plane node.")
@click.option(
    "--controllers",
    default=None,
    help="Controllers that run, joined by commas: '*' is all, 'foo' the one of that name, '-foo' all but that one. [default: *]",
)
@click.option(
    "--components",
    default=None,
    help="Which of kube-controller-manager, kube-scheduler and kubelet run in the cluster, joined by commas: '*' is all, 'foo' the one of "
    "that name, '-foo' all but that one. [default: *]",
)
@click.option("--speed", type=float, default=None, help="How many seconds of the cluster's time pass in one: 60 is a minute. [default: 1]")
@click.option(
    "--authorization-mode",
    default=None,
    help="Who decides what a user may do, in this order: AlwaysAllow, AlwaysDeny, Node, RBAC. [default: Node,RBAC]",
)
@click.option(
    "--runtime",
    type=click.Choice(["simulated", "process", "simulated-only"]),
    default=None,
    help="What pods without a runtimeClassName are: simulated, or processes of this machine; with simulated-only no pod can be a process. "
    "[default: simulated]",
)
@click.option(
    "--image",
    "images",
    multiple=True,
    metavar="NAME=PATH",
    help="Image for pods that are processes: its root folder, an OCI layout or a tarball (docker save); NAME=host is this machine's file "
    "system. Can be given more than once.",
)
@click.option("--audit-policy-file", default=None, help="File with the audit.k8s.io/v1 Policy: which requests are logged, and how closely.")
@click.option("--audit-log-path", default=None, help="File that requests are logged to, as the policy says; '-' is standard output.")
@click.option("--audit-log-maxsize", type=int, default=None, help="Megabytes at which the audit log is put aside. [default: 100]")
@click.option("--audit-log-maxbackup", type=int, default=None, help="How many audit logs that were put aside are kept; 0 is all.")
@click.option("--audit-log-maxage", type=int, default=None, help="Days for which audit logs that were put aside are kept; 0 is for ever.")
@click.option("--audit-log-compress/--no-audit-log-compress", default=None, help="Compress audit logs that were put aside with gzip.")
@click.option(
    "--store",
    default=None,
    help="An etcd cluster to keep the state in: etcd://HOST:PORT,HOST:PORT... [default: a SQLite file in the cluster's folder]",
)
@click.option("--etcd-cafile", default=None, help="Certificate authorities (PEM) that etcd's members are signed by.")
@click.option("--etcd-certfile", default=None, help="Client certificate (PEM) for etcd.")
@click.option("--etcd-keyfile", default=None, help="Key (PEM) of the client certificate for etcd.")
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
    controllers: str | None,
    components: str | None,
    speed: float | None,
    authorization_mode: str | None,
    runtime: str | None,
    images: tuple[str, ...],
    audit_policy_file: str | None,
    audit_log_path: str | None,
    audit_log_maxsize: int | None,
    audit_log_maxbackup: int | None,
    audit_log_maxage: int | None,
    audit_log_compress: bool | None,
    store: str | None,
    etcd_cafile: str | None,
    etcd_certfile: str | None,
    etcd_keyfile: str | None,
    detach: bool,
    verbose: bool,
) -> None:
    """Start a local Kubernetes cluster: API server, scheduler, controllers and simulated nodes in one process.

    Its state is kept under $XDG_DATA_HOME/kctl/<name>/: a later start goes on where the last one stopped, with the
    same settings where no others are given. `kctl` finds the cluster by itself; for kubectl and other clients an export
    line is printed.
    """
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import holder

    paths = _paths(name)
    wanted: dict[str, Any] = {
        "nodes": nodes,
        "port": port,
        "node_cpu": node_cpu,
        "node_memory": node_memory,
        "node_pods": node_pods,
        "control_plane_taint": control_plane_taint,
        "controllers": controllers,
        "components": components,
        "speed": speed,
        "authorization_mode": authorization_mode,
        "runtime": runtime,
        "images": _image_map(images),
        "audit_policy_file": _absolute(audit_policy_file),
        "audit_log_path": _absolute(audit_log_path),
        "audit_log_maxsize": audit_log_maxsize,
        "audit_log_maxbackup": audit_log_maxbackup,
        "audit_log_maxage": audit_log_maxage,
        "audit_log_compress": audit_log_compress,
        "store": store,
        "etcd_cafile": _absolute(etcd_cafile),
        "etcd_certfile": _absolute(etcd_certfile),
        "etcd_keyfile": _absolute(etcd_keyfile),
    }
    _check_quantities(wanted)
    _check_controllers(controllers)
    _check_components(components)
    _check_speed(speed)
    _check_authorization_mode(authorization_mode)
    _check_audit_log(wanted)
    try:
        running = holder(paths.process_id)
        config = ClusterConfig.load(paths.settings) or _new_config(paths)
    except DamagedFile as error:
        fail(_damaged(paths, error))
    if running is not None:
        fail(f'cluster "{paths.name}" is already running (process {running.process_id}, {running.server or "starting"})')
    _check_same_store(config, store)
    config = replace(config, **{key: value for key, value in wanted.items() if value is not None})
    _check_audit_policy(config)
    _check_store(config)
    start = Start(paths, config, verbose, existed=paths.exist)
    if detach:
        _detached(start)
    else:
        sys.exit(_foreground(start))


def _paths(name: str) -> ClusterPaths:
    """The cluster that is meant. Refuses where the file that names the current one could not be written later."""
    from kctl.daemon import current_cluster
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.paths import InvalidClusterName

    try:
        current_cluster.check_writable()
        return current_cluster.to_start(name)
    except (current_cluster.NoCluster, InvalidClusterName, DamagedFile) as error:
        fail(str(error))


def _new_config(paths: ClusterPaths) -> ClusterConfig:
    """Of a cluster that was not started before. Raises DamagedFile where it was, and its settings are gone."""
    from kctl.daemon.config import ClusterConfig
    from kctl.daemon.damage import DamagedFile

    if os.path.lexists(paths.pki):
        advice = f"restore it, or go on with the default settings: echo '{{}}' > {paths.settings}"
        raise DamagedFile(paths.settings, "is missing although the cluster has been started before", advice)
    return ClusterConfig(paths.name)


def _check_quantities(wanted: dict[str, Any]) -> None:
    from kctl.apimachinery import quantity

    for option in ("node_cpu", "node_memory"):
        value = wanted[option]
        if value is not None and not quantity.valid(value):
            fail(f"invalid --{option.replace('_', '-')} {value!r}: {quantity.WRONG}")


def _check_controllers(value: str | None) -> None:
    """The names are asked for only where there are any: they come with the controllers themselves."""
    if value is None or value == "*":
        return
    from kctl.daemon.components import unknown_controller

    if unknown := unknown_controller(value.split(",")):
        fail(f'invalid --controllers: "{unknown}" is not in the list of known controllers')


def _check_components(value: str | None) -> None:
    from kctl.daemon.config import COMPONENTS, components_of

    try:
        components_of("*" if value is None else value)
    except ValueError as error:
        fail(f'invalid --components: "{error}" is none of {", ".join(COMPONENTS)}')


def _check_speed(value: float | None) -> None:
    from kctl.apimachinery.times import FASTEST_SPEED, SLOWEST_SPEED
    from kctl.daemon.config import speed_valid

    if value is not None and not speed_valid(value):
        fail(f"invalid --speed {value:g}: must be between {SLOWEST_SPEED:g} and {FASTEST_SPEED:g}")


def _check_authorization_mode(value: str | None) -> None:
    from kctl.daemon.config import AUTHORIZATION_MODES, authorization_modes_valid

    if value is not None and not authorization_modes_valid(value):
        fail(f"invalid --authorization-mode {value!r}: must be some of {', '.join(AUTHORIZATION_MODES)}, joined by commas, each once")


def _image_map(entries: tuple[str, ...]) -> dict[str, str] | None:
    """None where none were given: those of the last start stay."""
    if not entries:
        return None
    from kctl.daemon.image_map import InvalidImageMap, parse

    try:
        return parse(entries)
    except InvalidImageMap as error:
        fail(f"invalid --image {error}")


def _absolute(path: str | None) -> str | None:
    """Later starts are made from other folders."""
    return os.path.abspath(path) if path and path != "-" else path


def _check_audit_log(wanted: dict[str, Any]) -> None:
    for name in ("audit_log_maxage", "audit_log_maxbackup", "audit_log_maxsize"):
        value = wanted[name]
        if isinstance(value, int) and not 0 <= value < 2**31:
            fail(
                f"--{name.replace('_', '-')} {value} can't be a negative number"
                if value < 0
                else f"--{name.replace('_', '-')} {value} is too large"
            )


def _check_same_store(config: ClusterConfig, wanted: str | None) -> None:
    """A cluster's state stays where it is: elsewhere it would be another cluster under its name."""
    if wanted is not None and config.starts and bool(wanted) != bool(config.store):
        kept = "on etcd" if config.store else "in a file of its own"
        fail(f'cluster "{config.name}" keeps its state {kept}, and --store does not move it; start another one with --name')


def _check_store(config: ClusterConfig) -> None:
    from kctl.daemon.stores import wrong_store

    if wrong := wrong_store(config):
        fail(wrong)


def _check_audit_policy(config: ClusterConfig) -> None:
    if not config.audit_policy_file:
        return
    from kctl.daemon.audit_policy import InvalidPolicy, audit_policy

    try:
        audit_policy(config)
    except InvalidPolicy as error:
        fail(f"loading audit policy file: {error}")


def _damaged(paths: ClusterPaths, error: Exception) -> str:
    return f'cluster "{paths.name}" is damaged: {error}'


def _foreground(start: Start) -> int:
    stopping = Stopping(start)
    code = _serve(start, OnTerminal(start, foreground=True), stopping.show)
    if code == 0:
        stopping.end()
    return code


def _detached(start: Start) -> None:
    """Fork before any thread or event loop exists; the child serves, the parent passes on what it says."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        os._exit(_child(start, OverPipe(write_end)))
    os.close(write_end)
    try:
        came_up = _follow(read_end, OnTerminal(start, foreground=False))
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        Stopping(start).end()
        sys.exit(130)
    if not came_up:
        sys.exit(1)


def _follow(read_end: int, report: OnTerminal) -> bool:
    """Until the child is ready (True) or gone."""
    with os.fdopen(read_end) as words:
        for word in words:
            kind, _, text = word.rstrip("\n").partition(" ")
            getattr(report, kind)(text)
            if kind in ("ready", "failed"):
                return kind == "ready"
    report.failed("the cluster did not start; see its logs: kctl cluster status shows where they are")
    return False


def _child(start: Start, report: Report) -> int:
    from kctl.daemon import private_files

    os.setsid()
    try:
        private_files.make_folder(start.paths.logs)
        output = private_files.open_file(start.paths.logs / "daemon.out", os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        report.failed(f"{error.filename or start.paths.logs}: {(error.strerror or str(error)).lower()}")
        return 1
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    try:
        return _serve(start, report, lambda: None)
    except BaseException:
        import traceback

        traceback.print_exc()
        return 1


def _serve(start: Start, report: Report, on_stop: Callable[[], None]) -> int:
    """Serve until SIGINT, SIGTERM or the terminal is gone; the exit code."""
    import asyncio

    from kctl.apimachinery.clock import RealClock
    from kctl.apimachinery.virtual_time import QuietLoop
    from kctl.daemon import current_cluster, process_tuning
    from kctl.daemon.cluster import Cluster
    from kctl.daemon.damage import DamagedFile
    from kctl.daemon.lock import AlreadyServed
    from kctl.daemon.secure_serving import PortInUse
    from kctl.daemon.supervisor import ComponentCrashed

    process_tuning.tune()
    process_tuning.load_http_server()
    cluster = Cluster(start.paths, start.config, RealClock())

    def ready() -> None:
        process_tuning.freeze()
        current_cluster.use(start.paths)
        for text in cluster.notices:
            report.notice(text)
        report.ready(cluster.url)
        asyncio.get_running_loop().run_in_executor(None, process_tuning.load_what_comes_first)

    async def main() -> None:
        stop = asyncio.Event()

        def end() -> None:
            stop.set()
            on_stop()

        for number in _ending_signals():
            asyncio.get_running_loop().add_signal_handler(number, end)
        await cluster.run(stop, on_component=report.component, on_ready=ready, verbose=start.verbose)

    try:
        with asyncio.Runner(loop_factory=QuietLoop) as runner:
            runner.run(main())
    except AlreadyServed as error:
        why = f'cluster "{start.name}" is already running (process {error.holder.process_id}, {error.holder.server or "starting"})'
    except DamagedFile as error:
        why = _damaged(start.paths, error)
    except OSError as error:
        why = f"{error.filename or start.paths.directory}: {(error.strerror or str(error)).lower()}"
    except ComponentCrashed as error:
        cause = error.__cause__
        why = str(cause) if isinstance(cause, PortInUse) else f"{error}; see {start.paths.logs}"
        if isinstance(cause, PortInUse):
            _forget_new(start)
    else:
        return 0
    report.failed(why)
    return 1


def _ending_signals() -> list[signal.Signals]:
    """SIGHUP is not among them under nohup."""
    always = [signal.SIGINT, signal.SIGTERM]
    return always if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*always, signal.SIGHUP]


def _forget_new(start: Start) -> None:
    """A cluster that could not be made leaves nothing behind."""
    from kctl.daemon import cluster_files

    if not start.existed:
        with contextlib.suppress(cluster_files.ForeignFiles, OSError):
            cluster_files.delete(start.paths)
