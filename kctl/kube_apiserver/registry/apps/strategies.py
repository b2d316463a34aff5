"""The strategies of this API group, by group resource."""

from __future__ import annotations

from kctl.kube_apiserver.registry.apps.controller_revision import ControllerRevisionStrategy
from kctl.kube_apiserver.registry.apps.daemonset import DaemonSetStrategy
from kctl.kube_apiserver.registry.apps.deployment import DeploymentStrategy
from kctl.kube_apiserver.registry.apps.replicaset import ReplicaSetStrategy
from kctl.kube_apiserver.registry.apps.statefulset import StatefulSetStrategy
from kctl.kube_apiserver.registry.strategy import Strategy

STRATEGIES: dict[str, Strategy] = {
    "controllerrevisions.apps": ControllerRevisionStrategy(),
    "daemonsets.apps": DaemonSetStrategy(),
    "deployments.apps": DeploymentStrategy(),
    "replicasets.apps": ReplicaSetStrategy(),
    "statefulsets.apps": StatefulSetStrategy(),
}
