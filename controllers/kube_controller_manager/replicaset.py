"""replicaset-controller: as many pods as spec.replicas says, from the template (controllers/runtime/replicas.py)."""

from __future__ import annotations

from controllers.runtime.replicas import ReplicaKind, ReplicasController
from kctl.apimachinery.resources import REPLICA_SETS


class ReplicaSetController(ReplicasController):
    name = "replicaset-controller"
    kind = ReplicaKind(REPLICA_SETS, "replicaset-controller", plain_selector=False, counts_terminating=True)
