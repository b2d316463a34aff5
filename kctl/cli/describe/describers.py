"""Which description belongs to which kind; the generic one for all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from importlib import import_module

from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import ResourceType
from kctl.client.client import Client

Describer = Callable[[Client, Object, datetime, bool], Awaitable[str]]

_DESCRIBERS = {
    "pods": ("pod", "describe_pod"),
    "nodes": ("node", "describe_node"),
    "services": ("service", "describe_service"),
    "namespaces": ("service", "describe_namespace"),
    "configmaps": ("service", "describe_config_map"),
    "secrets": ("service", "describe_secret"),
    "serviceaccounts": ("service", "describe_service_account"),
    "replicationcontrollers": ("workloads", "describe_replica_set"),
    "replicasets.apps": ("workloads", "describe_replica_set"),
    "deployments.apps": ("workloads", "describe_deployment"),
    "statefulsets.apps": ("workloads", "describe_stateful_set"),
    "daemonsets.apps": ("workloads", "describe_daemon_set"),
    "jobs.batch": ("workloads", "describe_job"),
    "cronjobs.batch": ("cronjob", "describe_cron_job"),
    "horizontalpodautoscalers.autoscaling": ("autoscaler", "describe_autoscaler"),
    "endpoints": ("network", "describe_endpoints"),
    "endpointslices.discovery.k8s.io": ("network", "describe_endpoint_slice"),
    "ingresses.networking.k8s.io": ("ingress", "describe_ingress"),
    "ingressclasses.networking.k8s.io": ("ingress", "describe_ingress_class"),
    "networkpolicies.networking.k8s.io": ("networkpolicy", "describe_network_policy"),
    "servicecidrs.networking.k8s.io": ("network", "describe_service_cidr"),
    "ipaddresses.networking.k8s.io": ("network", "describe_ip_address"),
    "persistentvolumes": ("storage", "describe_persistent_volume"),
    "persistentvolumeclaims": ("storage", "describe_claim"),
    "storageclasses.storage.k8s.io": ("storage", "describe_storage_class"),
    "volumeattributesclasses.storage.k8s.io": ("storage", "describe_volume_attributes_class"),
    "csinodes.storage.k8s.io": ("storage", "describe_csi_node"),
    "roles.rbac.authorization.k8s.io": ("rbac", "describe_role"),
    "clusterroles.rbac.authorization.k8s.io": ("rbac", "describe_role"),
    "rolebindings.rbac.authorization.k8s.io": ("rbac", "describe_binding"),
    "clusterrolebindings.rbac.authorization.k8s.io": ("rbac", "describe_binding"),
    "resourcequotas": ("policy", "describe_quota"),
    "limitranges": ("policy", "describe_limit_range"),
    "poddisruptionbudgets.policy": ("policy", "describe_disruption_budget"),
    "priorityclasses.scheduling.k8s.io": ("policy", "describe_priority_class"),
    "certificatesigningrequests.certificates.k8s.io": ("certificate", "describe_signing_request"),
}


def describer_for(resource: ResourceType) -> Describer:
    """Imported when asked for: describing a pod does not load how nodes are described."""
    module, function = _DESCRIBERS.get(resource.group_resource, ("generic", "describe_generic"))
    describer: Describer = getattr(import_module(f"kctl.cli.describe.{module}"), function)
    return describer
