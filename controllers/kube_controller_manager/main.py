"""kube-controller-manager: the table of controllers by their official names, and running those that are wanted.

`controllers` reads as the flag of that name: `*` all, `name` this one, `-name` not this one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controllers.kube_controller_manager import on_demand
from controllers.kube_controller_manager.clusterrole_aggregation import ClusterRoleAggregation
from controllers.kube_controller_manager.deployment.controller import DeploymentController
from controllers.kube_controller_manager.disruption import DisruptionController
from controllers.kube_controller_manager.endpoints import EndpointsController
from controllers.kube_controller_manager.endpointslice import EndpointSliceController
from controllers.kube_controller_manager.garbage_collector.controller import GarbageCollector
from controllers.kube_controller_manager.namespace import NamespaceController
from controllers.kube_controller_manager.node_ipam import DEFAULT_CLUSTER_CIDR, DEFAULT_NODE_MASK, NodeIpamController
from controllers.kube_controller_manager.node_lifecycle import NodeLifecycleController
from controllers.kube_controller_manager.pod_gc import PodGarbageCollector
from controllers.kube_controller_manager.replicaset import ReplicaSetController
from controllers.kube_controller_manager.root_ca_publisher import RootCaPublisher
from controllers.kube_controller_manager.service_account import ServiceAccountController
from controllers.kube_controller_manager.service_account_token import ServiceAccountTokenController
from controllers.kube_controller_manager.taint_eviction import TaintEvictionController
from controllers.kube_controller_manager.ttl import TtlController
from controllers.runtime.informer import InformerFactory
from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.on_demand import AFTER_START_SECONDS, OnDemand
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.user import User, component, service_account
from kctl.client.client import Client

log = logging.getLogger(__name__)

IDENTITY = component("kube-controller-manager")


@dataclass(frozen=True, slots=True)
class Options:
    """`root_ca`: PEM of the cluster's CA, for kube-root-ca.crt; without it that controller does not start. `signing_key`: PEM of its
    private key; without it nothing is signed."""

    cluster_cidr: str = DEFAULT_CLUSTER_CIDR
    node_cidr_mask: int = DEFAULT_NODE_MASK
    root_ca: str = ""
    signing_key: bytes = b""


Factory = Callable[[ControllerContext, Options], LoopController]

CONTROLLERS: dict[str, Factory] = {
    "serviceaccount-controller": lambda context, options: ServiceAccountController(context),
    "serviceaccount-token-controller": lambda context, options: ServiceAccountTokenController(context, options.root_ca),
    "root-ca-certificate-publisher-controller": lambda context, options: RootCaPublisher(context, options.root_ca),
    "node-ipam-controller": lambda context, options: NodeIpamController(context, options.cluster_cidr, options.node_cidr_mask),
    "node-lifecycle-controller": lambda context, options: NodeLifecycleController(context),
    "taint-eviction-controller": lambda context, options: TaintEvictionController(context),
    "ttl-controller": lambda context, options: TtlController(context),
    "deployment-controller": lambda context, options: DeploymentController(context),
    "replicaset-controller": lambda context, options: ReplicaSetController(context),
    "disruption-controller": lambda context, options: DisruptionController(context),
    "endpointslice-controller": lambda context, options: EndpointSliceController(context),
    "endpoints-controller": lambda context, options: EndpointsController(context),
    "namespace-controller": lambda context, options: NamespaceController(context),
    "clusterrole-aggregation-controller": lambda context, options: ClusterRoleAggregation(context),
    **on_demand.CONTROLLERS,
    "pod-garbage-collector-controller": lambda context, options: PodGarbageCollector(context),
    # Last: its watches on every kind start behind everybody else's.
    "garbage-collector-controller": lambda context, options: GarbageCollector(context),
}

ACCOUNTS = {
    "horizontal-pod-autoscaler-controller": "horizontal-pod-autoscaler",
    "persistentvolume-binder-controller": "persistent-volume-binder",
    "persistentvolume-attach-detach-controller": "attachdetach-controller",
    "persistentvolume-expander-controller": "expand-controller",
    "endpointslice-mirroring-controller": "endpointslicemirroring-controller",
    "resourceclaim-controller": "resource-claim-controller",
    "service-cidr-controller": "service-cidrs-controller",
    "certificatesigningrequest-signing-controller": "certificate-controller",
    "certificatesigningrequest-approving-controller": "certificate-controller",
    "certificatesigningrequest-cleaner-controller": "certificate-controller",
    "podcertificaterequest-cleaner-controller": "podcertificaterequestcleaner",
    "bootstrap-signer-controller": "bootstrap-signer",
    "token-cleaner-controller": "token-cleaner",
    "legacy-serviceaccount-token-cleaner-controller": "legacy-service-account-token-cleaner",
    "service-lb-controller": "service-controller",
    "node-route-controller": "route-controller",
    "kube-apiserver-serving-clustertrustbundle-publisher-controller": "kube-apiserver-serving-clustertrustbundle-publisher",
    "serviceaccount-controller": "service-account-controller",
    "root-ca-certificate-publisher-controller": "root-ca-cert-publisher",
    "node-ipam-controller": "node-controller",
    "node-lifecycle-controller": "node-controller",
    "taint-eviction-controller": "node-controller",
    "replicationcontroller-controller": "replication-controller",
    "daemonset-controller": "daemon-set-controller",
    "endpoints-controller": "endpoint-controller",
    "persistentvolumeclaim-protection-controller": "pvc-protection-controller",
    "persistentvolume-protection-controller": "pv-protection-controller",
    "pod-garbage-collector-controller": "pod-garbage-collector",
    "garbage-collector-controller": "generic-garbage-collector",
}
"""The service accounts of kube-system as which controllers write, where they are not called as their controller."""
_NEEDS: Sequence[tuple[str, Callable[[Options], bool]]] = (
    ("root-ca-certificate-publisher-controller", lambda options: bool(options.root_ca)),
    ("kube-apiserver-serving-clustertrustbundle-publisher-controller", lambda options: "BEGIN CERTIFICATE" in options.root_ca),
    ("certificatesigningrequest-signing-controller", lambda options: bool(options.signing_key)),
)
"""What a controller cannot run without."""
_OF_THE_MANAGER = "serviceaccount-token-controller"
"""It gives the others their tokens, so it has no account of its own."""


def identity_of(controller: str) -> User:
    """As with --use-service-account-credentials."""
    if controller == _OF_THE_MANAGER:
        return IDENTITY
    return service_account("kube-system", ACCOUNTS.get(controller, controller))


def refused_controller(wanted: Sequence[str]) -> str:
    """Why a list of `--controllers` cannot be followed, by the first name that is the reason; '' where it can."""
    from controllers.kube_controller_manager import names

    return names.refused(wanted, CONTROLLERS)


def is_enabled(name: str, wanted: Sequence[str]) -> bool:
    if f"-{name}" in wanted:
        return False
    return name in wanted or "*" in wanted


class KubeControllerManager:
    """A component of the daemon (kctl/daemon/component.py)."""

    name = "kube-controller-manager"
    dependencies: tuple[str, ...] = ("kube-apiserver",)

    def __init__(
        self,
        client_for: Callable[[User], Client],
        informers: InformerFactory,
        clock: Clock,
        randomness: random.Random,
        controllers: Sequence[str] = ("*",),
        *,
        options: Options | None = None,
    ) -> None:
        self._options = options or Options()
        client = client_for(IDENTITY)
        client.field_manager = client.field_manager or self.name
        self._informers = informers
        self.context = ControllerContext(client, informers, clock, randomness, client_for)
        if tuple(controllers) != ("*",):
            if why := refused_controller(controllers):
                raise ValueError(why)
            from controllers.kube_controller_manager import names

            controllers = names.official(controllers)
        lacking = [name for name, has_what_it_needs in _NEEDS if not has_what_it_needs(self._options)]
        self._wanted = [name for name in CONTROLLERS if is_enabled(name, controllers) and name not in lacking]
        self.running: dict[str, LoopController] = {}

    @property
    def idle(self) -> bool:
        """No controller has anything to do just now."""
        return all(controller.loop.idle for controller in self.running.values())

    def context_of(self, name: str) -> ControllerContext:
        """What the controller of that name is made from: it writes with its own identity."""
        return self.context.acting_as(identity_of(name))

    def _make(self, name: str) -> LoopController:
        made = self.running[name] = CONTROLLERS[name](self.context_of(name), self._options)
        return made

    async def run(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        for name in self._wanted:
            if name not in on_demand.CONTROLLERS:
                self._make(name).prepare()
        await self._informers.start()
        for name, controller in self.running.items():
            await controller.start()
            log.info("started %s", name)

        def listen() -> None:
            for name in self._wanted:
                if name in on_demand.CONTROLLERS:
                    made = self._make(name)
                    assert isinstance(made, OnDemand)
                    made.listen()

        waking = self.context.clock.call_later(AFTER_START_SECONDS, listen)
        ready()
        try:
            await stop.wait()
        finally:
            waking.cancel()
            await asyncio.gather(*(controller.stop() for controller in self.running.values()))
            await self.context.sink.stop()
