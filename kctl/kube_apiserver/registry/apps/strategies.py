"""The strategies of this API group, by group resource: in which module each is."""

from __future__ import annotations

STRATEGIES: dict[str, str] = {
    "controllerrevisions.apps": "controller_revision:ControllerRevisionStrategy",
    "daemonsets.apps": "daemonset:DaemonSetStrategy",
    "deployments.apps": "deployment:DeploymentStrategy",
    "replicasets.apps": "replicaset:ReplicaSetStrategy",
    "statefulsets.apps": "statefulset:StatefulSetStrategy",
}
