"""The strategies of coordination.k8s.io, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.coordination import lease
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {"leases.coordination.k8s.io": lease.LEASE, "leasecandidates.coordination.k8s.io": lease.LEASE_CANDIDATE}
