"""replicaset-controller: as many pods as spec.replicas says, from the template (controllers/runtime/replicas.py)."""

from __future__ import annotations

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.replicas import ReplicaKind, Replicas
from kctl.apimachinery.resources import REPLICA_SETS

KIND = ReplicaKind(REPLICA_SETS, "replicaset-controller", plain_selector=False, counts_terminating=True)


class ReplicaSetController(LoopController):
    name = "replicaset-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__()
        self.loops.append(Replicas(context, KIND, self.name).loop)
