"""The strategies of events.k8s.io, by group resource. Events are stored as core events and share their strategy."""

from __future__ import annotations

from kctl.kube_apiserver.registry.events import event
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"events.events.k8s.io": event.STRATEGY}
