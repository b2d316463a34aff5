"""replicationcontroller-controller: the ReplicaSet's predecessor, the same logic under v1."""

from __future__ import annotations

from controllers.runtime.replicas import ReplicaKind, ReplicasController
from kctl.apimachinery.resources import REPLICATION_CONTROLLERS


class ReplicationControllerController(ReplicasController):
    name = "replicationcontroller-controller"
    kind = ReplicaKind(REPLICATION_CONTROLLERS, "replication-controller", plain_selector=True, counts_terminating=False)
