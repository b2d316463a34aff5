"""kctl cordon and uncordon: whether the scheduler may use a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kctl.apimachinery import objects
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import ApiError
from kctl.cli import options
from kctl.cli.builder import Builder, Selection
from kctl.cli.command import Command
from kctl.cli.errors import UsageError, plain
from kctl.cli.options import DryRun
from kctl.cli.results import MARKS
from kctl.cli.session import Session
from kctl.cli.targets import Target, fetch
from kctl.client.transport import STRATEGIC_MERGE_PATCH


class NodeCommand(Command):
    """What cordon, uncordon and drain share: which nodes are meant, and marking them."""

    usage = "NODE"
    desired: ClassVar[bool] = True
    dry_run: str = options.dry_run()
    selector: str = options.selector()
    chunk_size: int = 500

    def __init__(self, session: Session, arguments: Sequence[str] = (), **values: Any) -> None:
        super().__init__(session, arguments, **values)
        self.strategy: DryRun = "none"

    def complete(self) -> None:
        self.strategy = options.dry_run_strategy(self.dry_run, self.session.error)

    def validate(self) -> None:
        if not self.arguments and not self.changed("selector"):
            raise UsageError(f"USAGE: {self.name} NODE [flags]")
        if self.arguments and self.selector:
            raise UsageError("error: cannot specify both a node name and a --selector option")

    async def nodes(self) -> list[Target]:
        """All of them, before anything is done to one."""
        builder = Builder(self.session, selector=self.selector, chunk_size=max(self.chunk_size, 0))
        if self.selector:
            return await fetch(builder, Selection(NODES, ""))
        names = dict.fromkeys(argument.removeprefix("nodes/").removeprefix("node/") for argument in self.arguments)
        return [node for name in names for node in await fetch(builder, Selection(NODES, "", name))]

    async def mark(self, nodes: Sequence[Target]) -> None:
        """spec.unschedulable; a node that cannot be changed is reported and the others go on."""
        word = "cordoned" if self.desired else "uncordoned"
        for node in nodes:
            if bool(objects.spec(node.object).get("unschedulable")) == self.desired:
                self.say(f"node/{node.name}", f"already {word}")
                continue
            try:
                await self._patch(node.name)
            except ApiError as error:
                self.session.error(f'error: unable to {word.removesuffix("ed")} node "{node.name}": {plain(error)}')
                continue
            self.say(f"node/{node.name}", word)

    async def _patch(self, name: str) -> None:
        if self.strategy == "client":
            return
        patch = {"spec": {"unschedulable": True if self.desired else None}}
        client = await self.session.client()
        await client.patch(NODES, name, patch, patch_type=STRATEGIC_MERGE_PATCH, dry_run=self.strategy == "server")

    def say(self, name: str, operation: str) -> None:
        self.session.print(f"{name} {operation}{MARKS[self.strategy]}")


class Cordon(NodeCommand):
    """Mark a node as unschedulable: the scheduler places no new pods on it. What runs there goes on."""

    name = "cordon"
    blocking = True
    examples = '  # Keep new pods off node "foo"\n  kctl cordon foo\n'

    async def run(self) -> None:
        await self.mark(await self.nodes())


class Uncordon(NodeCommand):
    """Mark a node as schedulable again."""

    name = "uncordon"
    blocking = True
    desired = False
    examples = '  # Let the scheduler use node "foo" again\n  kctl uncordon foo\n'

    async def run(self) -> None:
        await self.mark(await self.nodes())
