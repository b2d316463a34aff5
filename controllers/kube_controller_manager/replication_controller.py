"""replicationcontroller-controller: the ReplicaSet's predecessor, the same logic under v1."""

from __future__ import annotations

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.replicas import ReplicaKind, Replicas
from kctl.apimachinery.resources import REPLICATION_CONTROLLERS

KIND = ReplicaKind(REPLICATION_CONTROLLERS, "replication-controller", plain_selector=True, counts_terminating=False)


class ReplicationControllerController(LoopController):
    name = "replicationcontroller-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self.loops.append(Replicas(context, KIND, self.name).loop)
