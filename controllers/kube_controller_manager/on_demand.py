"""The controllers that begin with the first object of the kinds they act on: by official name, with those kinds.

What they are is imported then (controllers/runtime/on_demand.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.on_demand import Concerns, OnDemand
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType, built_in

Factory = Callable[[ControllerContext, Any], LoopController]
_ROOM = "controllers.kube_controller_manager"
_STANDARD = "host_path_provisioner.default_class"

_AUTOSCALERS = built_in("autoscaling/v2", "HorizontalPodAutoscaler")
_CLAIMS = built_in("v1", "PersistentVolumeClaim")
_VOLUMES = built_in("v1", "PersistentVolume")
_SERVICES = built_in("v1", "Service")
_ENDPOINTS = built_in("v1", "Endpoints")
_SECRETS = built_in("v1", "Secret")
_STATEFUL_SETS = built_in("apps/v1", "StatefulSet")
_DAEMON_SETS = built_in("apps/v1", "DaemonSet")
_REPLICATION_CONTROLLERS = built_in("v1", "ReplicationController")
_JOBS = built_in("batch/v1", "Job")
_CRON_JOBS = built_in("batch/v1", "CronJob")
_QUOTAS = built_in("v1", "ResourceQuota")
_JOB_TRACKING = "batch.kubernetes.io/job-tracking"
_MIGRATIONS = built_in("storagemigration.k8s.io/v1", "StorageVersionMigration")
_RESOURCE_CLAIMS = built_in("resource.k8s.io/v1", "ResourceClaim")
_SERVICE_CIDRS = built_in("networking.k8s.io/v1", "ServiceCIDR")
_ATTRIBUTES_CLASSES = built_in("storage.k8s.io/v1", "VolumeAttributesClass")
_POD_CERTIFICATES = built_in("certificates.k8s.io/v1", "PodCertificateRequest")
_NAMESPACES = built_in("v1", "Namespace")
_SIGNING_REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")


def _entry(
    name: str,
    module: str,
    controller: str,
    *kinds: ResourceType,
    of: Concerns | None = None,
    pods: Concerns | None = None,
    arguments: Callable[[Any], tuple[Any, ...]] = lambda options: (),
    at_start: str = "",
) -> tuple[str, Factory]:
    def make(context: ControllerContext, options: Any) -> LoopController:
        def begin() -> LoopController:
            made: LoopController = getattr(import_module(f"{_ROOM}.{module}"), controller)(context, *arguments(options))
            return made

        async def first(context: ControllerContext) -> None:
            loaded = await context.clock.beside(partial(import_module, f"{_ROOM}.{at_start}"))
            await loaded.at_start(context)

        return OnDemand(
            context, name, partial(import_module, f"{_ROOM}.{module}"), begin, kinds, of=of, pods=pods, at_start=first if at_start else None
        )

    return name, make


def _has_ephemeral_volumes(pod: Object) -> bool:
    return any("ephemeral" in volume for volume in pod["spec"].get("volumes") or ())


def _has_resource_claims(pod: Object) -> bool:
    return bool(pod["spec"].get("resourceClaims"))


def _is_balancer(service: Object) -> bool:
    return (service.get("spec") or {}).get("type") == "LoadBalancer"


def _is_written_by_hand(endpoints: Object) -> bool:
    labels = endpoints["metadata"].get("labels") or {}
    return "endpoints.kubernetes.io/managed-by" not in labels and labels.get("endpointslice.kubernetes.io/skip-mirror") != "true"


def _is_of_a_driver(volume: Object) -> bool:
    return "csi" in (volume.get("spec") or {})


def _is_bootstrap_token(secret: Object) -> bool:
    return secret.get("type") == "bootstrap.kubernetes.io/token"


def _is_tracked(pod: Object) -> bool:
    """Of a Job that may be gone: then its controller lets the pod go."""
    return _JOB_TRACKING in (pod["metadata"].get("finalizers") or ())


def _ends_by_itself(job: Object) -> bool:
    return (job.get("spec") or {}).get("ttlSecondsAfterFinished") is not None


_ENTRIES: Sequence[tuple[str, Factory]] = (
    _entry("replicationcontroller-controller", "replication_controller", "ReplicationControllerController", _REPLICATION_CONTROLLERS),
    _entry("statefulset-controller", "statefulset.controller", "StatefulSetController", _STATEFUL_SETS),
    _entry("daemonset-controller", "daemonset.controller", "DaemonSetController", _DAEMON_SETS),
    _entry("job-controller", "job.controller", "JobController", _JOBS, pods=_is_tracked),
    _entry("cronjob-controller", "cronjob", "CronJobController", _CRON_JOBS),
    _entry("ttl-after-finished-controller", "ttl_after_finished", "TtlAfterFinishedController", _JOBS, of=_ends_by_itself),
    _entry("resourcequota-controller", "resource_quota", "ResourceQuotaController", _QUOTAS),
    _entry(
        "horizontal-pod-autoscaler-controller",
        "horizontal_pod_autoscaler.controller",
        "HorizontalPodAutoscalerController",
        _AUTOSCALERS,
    ),
    _entry("service-lb-controller", "service_lb", "ServiceLoadBalancerController", _SERVICES, of=_is_balancer),
    _entry(
        "endpointslice-mirroring-controller",
        "endpointslice_mirroring",
        "EndpointSliceMirroringController",
        _ENDPOINTS,
        of=_is_written_by_hand,
    ),
    _entry("certificatesigningrequest-approving-controller", "certificate_approving", "ApprovingController", _SIGNING_REQUESTS),
    _entry(
        "certificatesigningrequest-signing-controller",
        "certificate_signing.controller",
        "SigningController",
        _SIGNING_REQUESTS,
        arguments=lambda options: (options.root_ca.encode(), options.signing_key),
    ),
    _entry("certificatesigningrequest-cleaner-controller", "certificate_cleaning", "CleanerController", _SIGNING_REQUESTS),
    _entry("token-cleaner-controller", "token_cleaner", "TokenCleaner", _SECRETS, of=_is_bootstrap_token),
    _entry("persistentvolume-binder-controller", "persistent_volume.controller", "PersistentVolumeBinder", _CLAIMS, _VOLUMES),
    _entry(
        "host-path-provisioner-controller",
        "host_path_provisioner.controller",
        "HostPathProvisioner",
        _CLAIMS,
        _VOLUMES,
        at_start="host_path_provisioner.default_class",
    ),
    _entry("persistentvolume-attach-detach-controller", "attach_detach", "AttachDetachController", _VOLUMES, of=_is_of_a_driver),
    _entry("simulated-csi-attacher-controller", "simulated_csi_attacher", "SimulatedCsiAttacher", _VOLUMES, of=_is_of_a_driver),
    _entry("persistentvolume-expander-controller", "volume_expand", "VolumeExpandController", _CLAIMS),
    _entry("ephemeral-volume-controller", "ephemeral_volume", "EphemeralVolumeController", pods=_has_ephemeral_volumes),
    _entry("resourceclaim-controller", "resource_claim", "ResourceClaimController", _RESOURCE_CLAIMS, pods=_has_resource_claims),
    _entry("device-taint-eviction-controller", "device_taint_eviction", "DeviceTaintEvictionController", _RESOURCE_CLAIMS),
    _entry("service-cidr-controller", "service_cidr", "ServiceCidrController", _SERVICE_CIDRS),
    _entry("bootstrap-signer-controller", "bootstrap_signer", "BootstrapSigner", _SECRETS, of=_is_bootstrap_token),
    _entry(
        "volumeattributesclass-protection-controller",
        "volume_attributes_class_protection",
        "VolumeAttributesClassProtection",
        _ATTRIBUTES_CLASSES,
    ),
    _entry("podcertificaterequest-cleaner-controller", "pod_certificate_cleaning", "PodCertificateCleaner", _POD_CERTIFICATES),
    _entry(
        "kube-apiserver-serving-clustertrustbundle-publisher-controller",
        "trust_bundle_publisher",
        "TrustBundlePublisher",
        _NAMESPACES,
        arguments=lambda options: (options.root_ca,),
    ),
    _entry("persistentvolumeclaim-protection-controller", "pvc_protection", "PvcProtectionController", _CLAIMS),
    _entry("persistentvolume-protection-controller", "pv_protection", "PvProtectionController", _VOLUMES),
    _entry("storage-version-migrator-controller", "storage_version_migrator", "StorageVersionMigrator", _MIGRATIONS),
)
CONTROLLERS: dict[str, Factory] = dict(_ENTRIES)
