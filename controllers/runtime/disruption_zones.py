"""Zones of nodes, and how fast pods may be evicted from the nodes of one that are not ready (node-lifecycle-controller's limits). Pure.

    Normal               one node every ten seconds
    PartialDisruption    more than two nodes and 55 % of them not ready: one in a hundred seconds in zones of more than 50 nodes, else none
    FullDisruption       none is ready: as in a normal zone, for the others can take its pods

Where every zone is wholly disrupted nobody is evicted: it is more likely the control plane that cannot see, than all nodes that died.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

EVICTION_SECONDS, SECONDARY_EVICTION_SECONDS = 10.0, 100.0
LARGE_ZONE, UNHEALTHY_SHARE = 50, 0.55
NORMAL, PARTIAL, FULL = "Normal", "PartialDisruption", "FullDisruption"
_ZONE, _REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


def zone_of(node: Object) -> str:
    labels = objects.labels(node)
    return f"{labels.get(_REGION, '')}/{labels.get(_ZONE, '')}"


@dataclass(slots=True)
class _Zone:
    nodes: int = 0
    not_ready: dict[str, None] = field(default_factory=dict)
    last_at: float = -math.inf
    """When a node of it was granted last."""

    @property
    def state(self) -> str:
        bad = len(self.not_ready)
        if bad and bad == self.nodes:
            return FULL
        return PARTIAL if bad > 2 and bad / self.nodes >= UNHEALTHY_SHARE else NORMAL

    @property
    def interval(self) -> float:
        """Seconds from one node to the next."""
        if self.state != PARTIAL:
            return EVICTION_SECONDS
        return SECONDARY_EVICTION_SECONDS if self.nodes > LARGE_ZONE else math.inf


class EvictionPace:
    """Follows the nodes; `observe` and `forget` say whether that changed the state of any zone."""

    def __init__(self) -> None:
        self._zones: dict[str, _Zone] = {}
        self._known: dict[str, tuple[str, bool]] = {}
        self._states: tuple[object, ...] = ()

    def observe(self, node: Object) -> bool:
        name, facts = objects.name(node), (zone_of(node), objects.is_condition_true(node, "Ready"))
        if self._known.get(name) == facts:
            return False
        self._drop(name)
        zone = self._zones.setdefault(facts[0], _Zone())
        zone.nodes += 1
        if not facts[1]:
            zone.not_ready[name] = None
        self._known[name] = facts
        return self._changed()

    def forget(self, name: str) -> bool:
        self._drop(name)
        return self._changed()

    def _drop(self, name: str) -> None:
        facts = self._known.pop(name, None)
        if facts is None:
            return
        zone = self._zones[facts[0]]
        zone.nodes -= 1
        zone.not_ready.pop(name, None)
        if not zone.nodes:
            del self._zones[facts[0]]

    def _changed(self) -> bool:
        states = (self.suspended, *sorted((name, zone.state) for name, zone in self._zones.items()))
        changed, self._states = states != self._states, states
        return changed

    @property
    def suspended(self) -> bool:
        """Every zone is wholly disrupted."""
        return bool(self._zones) and all(zone.state == FULL for zone in self._zones.values())

    def not_ready(self) -> Iterator[str]:
        for zone in self._zones.values():
            yield from zone.not_ready

    def wait_seconds(self, name: str, now: float) -> float:
        """Until the pods of this node may be evicted: 0 for now, which is then taken as done; infinite while the zones are as they are."""
        facts = self._known.get(name)
        if facts is None:
            return 0.0
        if self.suspended:
            return math.inf
        zone = self._zones[facts[0]]
        left = zone.last_at + zone.interval - now if zone.interval < math.inf else math.inf
        if left <= 0:
            zone.last_at = now
            return 0.0
        return left
