"""kctl top node."""

from __future__ import annotations

from fractions import Fraction

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.metrics_resources import NODE_METRICS
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.top.usage import CPU, MEMORY, SWAP, TopCommand, Usage, cell, name_of, usage_of

_UNKNOWN = "<unknown>"


class TopNode(TopCommand):
    """Display resource (CPU/memory) usage of nodes."""

    name = "node"
    usage = "[NAME | -l label]"
    examples = """
  # Of all nodes
  kctl top node

  # Of one node
  kctl top node NODE_NAME
"""
    metrics = NODE_METRICS
    show_capacity: bool = flag(
        "--show-capacity", kind="bool", help="Print node resources based on Capacity instead of Allocatable(default) of the nodes."
    )

    async def run(self) -> None:
        found = await self.ask()
        if not found:
            raise CommandError("metrics not available yet")
        nodes = await self._nodes()
        resources = [CPU, MEMORY, *([SWAP] if self.show_swap else [])]
        rows = []
        for metrics in self.ordered(found, usage_of, name_of):
            node = nodes.pop(objects.name(metrics), None)
            rows.append([objects.name(metrics), *self._cells(usage_of(metrics), node, resources)])
        rows += [[name, *[_UNKNOWN] * (2 * len(resources))] for name in sorted(nodes)]
        header = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)", *(["SWAP(bytes)", "SWAP(%)"] if self.show_swap else [])]
        self.show(header, rows)

    async def _nodes(self) -> dict[str, Object]:
        client = await self.session.client()
        if self.arguments:
            node = await client.get(NODES, self.arguments[0])
            return {objects.name(node): node}
        listed = await client.list(NODES, label_selector=self.selector)
        return {objects.name(node): node for node in listed.get("items") or ()}

    def _cells(self, usage: Usage, node: Object | None, resources: list[str]) -> list[str]:
        field = "capacity" if self.show_capacity else "allocatable"
        available = (objects.status(node).get(field) or {}) if node is not None else {}
        cells = []
        for resource in resources:
            if resource not in usage:
                cells += [_UNKNOWN, _UNKNOWN]
                continue
            value = usage[resource]
            cells += [cell(resource, value), _share(value, available.get(resource))]
        return cells


def _share(value: Fraction, available: object) -> str:
    """Whole percent."""
    whole = quantity.parse(available) if available is not None else Fraction(0)
    return f"{int(_milli(value) * 100 / _milli(whole))}%" if whole else _UNKNOWN


def _milli(value: Fraction) -> int:
    return int(-(-value * 1000 // 1))
