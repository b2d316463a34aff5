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
}


def describer_for(resource: ResourceType) -> Describer:
    """Imported when asked for: describing a pod does not load how nodes are described."""
    module, function = _DESCRIBERS.get(resource.group_resource, ("generic", "describe_generic"))
    found: Describer = getattr(import_module(f"kctl.cli.describe.{module}"), function)
    return found
