"""kctl schedule --dry-run: where pods would go that are not there yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS
from kctl.cli import options
from kctl.cli.builder import Builder, Info
from kctl.cli.command import Command
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.options import Manifests
from kctl.cli.why import ask, print_object
from kctl.client.scheduling import PREFIX
from kctl.printers.table import TableWriter

_PARALLEL = {"Job": "parallelism"}
_MOST_PODS = 10_000


class Schedule(Manifests, Command):
    """Show where pods would be placed, without creating them.

    Takes pods and whatever makes pods of a template (deployments, replica sets, stateful sets, jobs, replication controllers). Each kind of pod is
    defaulted and admitted by the server first, as a dry run; then the scheduler places all of them on a copy of the present cluster. Ends
    with 1 where some find no node. Needs a cluster of `kctl run-cluster`.
    """

    name = "schedule"
    usage = "--dry-run -f FILENAME [--nodes-from-file FILENAME] [--node-shape RESOURCES]"
    blocking = True
    examples = """
  # Would it fit?
  kctl schedule --dry-run -f deployment.yaml

  # How many nodes of 4 cores and 16 GiB would be needed for what does not fit?
  kctl schedule --dry-run -f deployment.yaml --node-shape=cpu=4,memory=16Gi

  # On a cluster that consists of these nodes alone
  kctl schedule --dry-run -f deployment.yaml --nodes-from-file nodes.yaml
"""
    dry_run: bool = flag("--dry-run", kind="bool", help="Required: nothing is created.")
    filename: Sequence[str] = options.filename("Filename, directory, or URL to files with the pods to place.")
    node_shape: str = flag(
        "--node-shape",
        help="Allocatable of a node, as cpu=4,memory=16Gi,pods=110: how many of those would be needed for what does not fit.",
    )
    nodes_from_file: str = flag("--nodes-from-file", help="A file of Nodes to place the pods on instead of those of the cluster.")
    output: str = flag("-o", "--output", help="One of 'json' or 'yaml'.")

    def validate(self) -> None:
        if not self.dry_run:
            raise CommandError("--dry-run is required: pods are placed by the scheduler when they are created")
        if self.output not in ("", "json", "yaml"):
            raise CommandError(f'unable to match a printer suitable for the output format "{self.output}", allowed formats are: json,yaml')
        if self.arguments:
            raise CommandError(f"unexpected arguments: {' '.join(self.arguments)}")
        if not self.filename and not self.kustomize:
            raise CommandError("must specify one of -f and -k")

    async def run(self) -> None:
        builder = Builder(self.session, self.filename, self.kustomize, self.recursive)
        pods = [pod for info in await builder.objects() for pod in await self._pods_of(info)]
        builder.finish()
        if not pods:
            raise CommandError("no objects passed to schedule")
        asked: Object = {"pods": pods}
        if self.nodes_from_file:
            asked["nodes"] = await self._nodes()
        if self.node_shape:
            asked["shape"] = {"status": {"allocatable": shape_of(self.node_shape)}}
        import orjson

        spaces = {objects.namespace(pod) for pod in pods}
        within = f"/namespaces/{quote(spaces.pop(), safe='')}" if len(spaces) == 1 else ""
        forecast = await ask(self.session, "POST", f"{PREFIX}{within}/pods", orjson.dumps(asked))
        if self.output:
            print_object(self.session, forecast, self.output)
        else:
            self.session.write(_told(forecast["status"]))
        if forecast["status"]["unplaced"]:
            from kctl.cli.errors import Exit

            raise Exit(1)

    async def _pods_of(self, info: Info) -> list[Object]:
        """One pod as the server would have it, as often as it is wanted."""
        if info.resource == PODS:
            return [await self._admitted(info.object, info.namespace)]
        spec = objects.spec(info.object)
        template = spec.get("template")
        if not isinstance(template, dict):
            return []  # Services, ConfigMaps and others in the same file make no pods
        if info.resource.kind == "DaemonSet":
            raise CommandError(f"{info.full_name}: pods of a daemon set go to every node; there is nothing to choose")
        count = int(spec.get(_PARALLEL.get(info.resource.kind, "replicas"), 1))
        if count > _MOST_PODS:
            raise CommandError(f"{info.full_name}: at most {_MOST_PODS} pods can be placed at a time")
        if not count:
            return []
        meta = {**(template.get("metadata") or {}), "name": f"{info.name}-0"}
        admitted = await self._admitted(
            {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}}, info.namespace
        )
        return [{**admitted, "metadata": {**admitted["metadata"], "name": f"{info.name}-{number}"}} for number in range(count)]

    async def _admitted(self, pod: Object, namespace: str) -> Object:
        client = await self.session.client()
        return await client.create(PODS, pod, namespace, dry_run=True)

    async def _nodes(self) -> list[Object]:
        builder = Builder(self.session, (self.nodes_from_file,))
        found = await builder.objects()
        builder.finish()
        for info in found:
            if info.resource != NODES:
                raise CommandError(f"{self.nodes_from_file}: {info.full_name} is no node")
        return [info.object for info in found]


def shape_of(text: str) -> dict[str, str]:
    """Raises CommandError."""
    shape: dict[str, str] = {"pods": "110"}
    for part in text.split(","):
        name, separator, amount = part.partition("=")
        try:
            quantity.parse(amount)
        except ValueError:
            separator = ""
        if not name or not separator:
            raise CommandError(f'--node-shape must be as cpu=4,memory=16Gi, not "{text}"')
        shape[name] = amount
    return shape


def _told(status: Any) -> str:
    placed, unplaced, needed = status["placed"], status["unplaced"], status.get("needed")
    text = f"{len(placed)} of {len(placed) + len(unplaced)} pods would be placed.\n"
    if placed:
        counts = Counter(each["nodeName"] for each in placed)
        text += "\n" + TableWriter().format([["NODE", "PODS"], *([name, str(count)] for name, count in sorted(counts.items()))])
    if unplaced:
        messages = Counter(each["message"] for each in unplaced)
        rows = [["PODS", "WHY NOT"], *([str(count), message] for message, count in messages.most_common())]
        text += "\n" + TableWriter().format(rows)
    if unplaced and needed is not None:
        rest = len(needed["stillUnplaced"])
        text += f"\n{needed['nodes']} more nodes of that shape would be needed" + (
            f"; {rest} pods fit on none of them.\n" if rest else ".\n"
        )
    return text
