"""ttl-controller: tells each kubelet, in an annotation, how long it may cache Secrets and ConfigMaps; longer in larger
clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controllers.runtime.informer import Change
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Follows, Source
from kctl.apimachinery import objects
from kctl.apimachinery.resources import NODES
from kctl.apimachinery.status import NotFound

_ANNOTATION = "node.alpha.kubernetes.io/ttl"
# (fewest nodes, most nodes, seconds): the bounds overlap so that a cluster at one does not go back and forth.
_STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 10000, 300), (9000, 1 << 31, 600))


class TtlController(LoopController):
    name = "ttl-controller"
    workers = 10

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._client = context.client
        self._nodes = context.informers.informer(NODES)
        self._step = 0

    def wakes(self) -> Sequence[Source]:
        return (Follows(NODES, self._count),)

    def _count(self, changes: Sequence[Change]) -> Iterable[str]:
        """All nodes when their number passes a bound, else those whose annotations changed."""
        count, before = len(self._nodes), self._step
        while count > _STEPS[self._step][1]:
            self._step += 1
        while count < _STEPS[self._step][0]:
            self._step -= 1
        if self._step != before:
            return [objects.name(node) for node in self._nodes.list()]
        return [
            objects.name(new)
            for old, new in changes
            if new is not None and (old is None or objects.annotations(old) != objects.annotations(new))
        ]

    async def reconcile(self, key: str) -> None:
        node = self._nodes.get(key)
        wanted = str(_STEPS[self._step][2])
        if node is None or objects.annotations(node).get(_ANNOTATION) == wanted:
            return
        try:
            written = await self._client.patch(NODES, key, {"metadata": {"annotations": {_ANNOTATION: wanted}}})
        except NotFound:
            return
        self._nodes.observe([written])
