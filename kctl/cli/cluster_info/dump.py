"""kctl cluster-info dump: what somebody else needs to see what is wrong with a cluster, as one stream or as files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    SERVICES,
    ResourceType,
)
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import ObjectOutput
from kctl.cli.results import Results

_SYSTEM = "kube-system"
_OF_NAMESPACE: tuple[tuple[ResourceType, str], ...] = (
    (EVENTS, "events"),
    (REPLICATION_CONTROLLERS, "replication-controllers"),
    (SERVICES, "services"),
    (DAEMON_SETS, "daemonsets"),
    (DEPLOYMENTS, "deployments"),
    (REPLICA_SETS, "replicasets"),
    (PODS, "pods"),
)


class ClusterInfoDump(ObjectOutput, Command):
    """Dump cluster information out suitable for debugging and diagnosing cluster problems.

    By default everything goes to stdout. With --output-directory it goes to files below that directory: one for the nodes, and
    for each namespace one for each type of resource and one for each pod's logs. The namespaces are the current one and
    kube-system unless others are named.
    """

    name = "dump"
    usage = "[flags]"
    examples = """
  # Dump current cluster state to stdout
  kctl cluster-info dump

  # Dump current cluster state to /path/to/cluster-state
  kctl cluster-info dump --output-directory=/path/to/cluster-state

  # Dump all namespaces to stdout
  kctl cluster-info dump --all-namespaces
"""

    all_namespaces: bool = flag(
        "-A", "--all-namespaces", kind="bool", help="If true, dump all namespaces.  If true, --namespaces is ignored."
    )
    namespaces: Sequence[str] = flag("--namespaces", kind="slice", help="A comma separated list of namespaces to dump.")
    output_directory: str = flag(
        "--output-directory",
        help="Where to output the files.  If empty or '-' uses stdout, otherwise creates a directory hierarchy in that directory",
    )
    output: str = options.output_flag("json")
    pod_running_timeout: float = flag(
        "--pod-running-timeout",
        kind="duration",
        default=20.0,
        help="The length of time (like 5s, 2m, or 3h, higher than zero) to wait until at least one pod is running",
    )

    results: Results

    def complete(self) -> None:
        self.results = Results.of(self, in_field_order=True)

    def validate(self) -> None:
        if self.pod_running_timeout <= 0:
            raise CommandError("--pod-running-timeout must be higher than zero")
        self.results.check()

    @property
    def _extension(self) -> str:
        return f".{self.output}" if self.output in ("json", "yaml") else ".txt"

    async def run(self) -> None:
        client = await self.session.client()
        self._show("nodes", await client.list(NODES))
        for namespace in await self._namespaces():
            for resource, name in _OF_NAMESPACE:
                listed = await client.list(resource, namespace)
                self._show(f"{namespace}/{name}", listed)
            for pod in listed.get("items") or ():  # the pods: they come last
                with self._file(f"{namespace}/{objects.name(pod)}/logs", ".txt") as out:
                    await self._logs(out, namespace, pod)
        if self._to_files:
            self.session.print(f"Cluster info dumped to {self.output_directory}")

    async def _namespaces(self) -> Sequence[str]:
        if self.all_namespaces:
            listed = await (await self.session.client()).list(NAMESPACES)
            return [objects.name(item) for item in listed.get("items") or ()]
        return self.namespaces or (_SYSTEM, self.session.namespace)

    @property
    def _to_files(self) -> bool:
        return self.output_directory not in ("", "-")

    @contextmanager
    def _file(self, name: str, extension: str) -> Iterator[TextIO]:
        if not self._to_files:
            yield self.session.streams.out
            return
        path = os.path.join(self.output_directory, name) + extension
        try:
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            with open(path, "w") as file:
                yield file
        except OSError as error:
            raise CommandError(f"open {path}: {(error.strerror or str(error)).lower()}") from None

    def _show(self, name: str, listed: Object) -> None:
        with self._file(name, self._extension) as out:
            out.write(self.results.text(listed))

    async def _logs(self, out: TextIO, namespace: str, pod: Object) -> None:
        spec, name = objects.spec(pod), objects.name(pod)
        client = await self.session.client()
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            title = f"logs for container {container['name']} of pod {namespace}/{name}"
            out.write(f"==== START {title} ====\n")
            try:
                async for chunk in await client.logs(name, namespace, container=container["name"]):
                    out.write(chunk.decode(errors="replace"))
            except ApiError as error:
                out.write(f"Request log error: {error.message}\n")
            out.write(f"==== END {title} ====\n")
