"""What `top node` and `top pod` share: asking metrics.k8s.io, adding up, sorting, and kubectl's way to print it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.metrics_resources import GROUP
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.cli import options
from kctl.cli.command import Command
from kctl.cli.errors import CommandError, UsageError
from kctl.cli.flags import flag
from kctl.client.discovery import NoResource
from kctl.printers.table import TableWriter

CPU, MEMORY, SWAP = "cpu", "memory", "swap"
Usage = dict[str, Fraction]
"""By resource: cores, bytes."""


def usage_of(part: Object) -> Usage:
    return {name: quantity.parse(value) for name, value in (part.get("usage") or {}).items()}


def total(usages: Sequence[Usage]) -> Usage:
    found: Usage = {}
    for usage in usages:
        for name, value in usage.items():
            found[name] = found.get(name, Fraction(0)) + value
    return found


def cell(resource: str, value: Fraction) -> str:
    """Thousandths of a core, rounded up as Go's MilliValue; whole Mi."""
    if resource == CPU:
        return f"{-(-value * 1000 // 1)}m"
    return f"{-(-value // 1) // (1024 * 1024)}Mi"


class TopCommand(Command):
    """The flags of both. Which resource is asked for is `metrics`."""

    metrics: ResourceType
    selector: str = options.selector()
    sort_by: str = flag("--sort-by", help="If non-empty, sort the list using specified field. The field can be either 'cpu' or 'memory'.")
    no_headers: bool = flag("--no-headers", kind="bool", help="If present, print output without headers.")
    show_swap: bool = flag("--show-swap", kind="bool", help="Print resources related to swap memory.")
    use_protocol_buffers: bool = flag(
        "--use-protocol-buffers", kind="bool", default=True, help="Enables using protocol-buffers to access Metrics API. JSON is used here."
    )
    without_effect = frozenset({"use_protocol_buffers"})

    def validate(self) -> None:
        if self.sort_by and self.sort_by not in (CPU, MEMORY):
            raise CommandError("--sort-by accepts only cpu or memory")
        if len(self.arguments) > 1:
            raise UsageError(f"error: {self.name} {self.usage}")
        if self.arguments and self.selector:
            raise CommandError("only one of NAME or selector can be provided")

    async def ask(self, namespace: str = "", field_selector: str = "") -> list[Object]:
        """The metrics wanted. Raises CommandError where nobody serves any."""
        client = await self.session.client()
        if not await self._is_served():
            raise CommandError("Metrics API not available")
        if self.arguments:
            return [await client.get(self.metrics, self.arguments[0], namespace)]
        listed = await client.list(self.metrics, namespace, label_selector=self.selector, field_selector=field_selector)
        return list(listed.get("items") or ())

    async def _is_served(self) -> bool:
        try:
            await (await self.session.mapper()).resource(f"{self.metrics.plural}.{GROUP}")
        except NoResource:
            return False
        return True

    def ordered(self, rows: list[Any], usage: Callable[[Any], Usage], name: Callable[[Any], str]) -> list[Any]:
        if not self.sort_by:
            return sorted(rows, key=name)
        return sorted(rows, key=lambda row: (-usage(row).get(self.sort_by, Fraction(0)), name(row)))

    def show(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Every cell ends its column, the last one too."""
        lines = ([] if self.no_headers else [list(header)]) + [list(row) for row in rows]
        self.session.write(TableWriter().format([[*line, ""] for line in lines]))


def name_of(obj: Object) -> str:
    return objects.name(obj)
