"""Allowed values of string fields, by Type.field: the OpenAPI documents list them, `explain` shows them, validation asks for them.

The published definitions we build from leave them out. Fields whose values OpenAPI does not list (or which validation lists in
another order than the alphabet's) name theirs where they are validated.
"""

from __future__ import annotations

from functools import cache
from typing import Final

_PROTOCOL = "SCTP TCP UDP"
_ACCESS = "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod"
_POLICY = "Fail Ignore"
_EFFECT = "NoExecute NoSchedule PreferNoSchedule"
_MATCH = "Equivalent Exact"
_TERMINATION = "FallbackToLogsOnError File"
_PULL = "Always IfNotPresent Never"
_INCLUSION = "Honor Ignore"
_SELECT = "Disabled Max Min"

_VALUES: Final[dict[str, str]] = {
    "AppArmorProfile.type": "Localhost RuntimeDefault Unconfined",
    "AzureDiskVolumeSource.cachingMode": "None ReadOnly ReadWrite",
    "AzureDiskVolumeSource.kind": "Dedicated Managed Shared",
    "Container.imagePullPolicy": _PULL,
    "Container.terminationMessagePolicy": _TERMINATION,
    "ContainerPort.protocol": _PROTOCOL,
    "CronJobSpec.concurrencyPolicy": "Allow Forbid Replace",
    "DaemonSetUpdateStrategy.type": "OnDelete RollingUpdate",
    "DeploymentStrategy.type": "Recreate RollingUpdate",
    "EndpointPort.protocol": _PROTOCOL,
    "EndpointSlice.addressType": "FQDN IPv4 IPv6",
    "EphemeralContainer.imagePullPolicy": _PULL,
    "EphemeralContainer.terminationMessagePolicy": _TERMINATION,
    "HPAScalingPolicy.type": "Percent Pods",
    "HPAScalingRules.selectPolicy": _SELECT,
    "HTTPGetAction.scheme": "HTTP HTTPS",
    "HTTPIngressPath.pathType": "Exact ImplementationSpecific Prefix",
    "HostPathVolumeSource.type": "BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket",
    "JobSpec.completionMode": "Indexed NonIndexed",
    "JobSpec.podReplacementPolicy": "Failed TerminatingOrFailed",
    "MatchResources.matchPolicy": _MATCH,
    "MutatingWebhook.failurePolicy": _POLICY,
    "MutatingWebhook.matchPolicy": _MATCH,
    "MutatingWebhook.reinvocationPolicy": "IfNeeded Never",
    "MutatingWebhook.sideEffects": "None NoneOnDryRun Some Unknown",
    "NamespaceStatus.phase": "Active Terminating",
    "NetworkPolicyPort.protocol": _PROTOCOL,
    "NodeSelectorRequirement.operator": "DoesNotExist Exists Gt In Lt NotIn",
    "NodeStatus.phase": "Pending Running Terminated",
    "PersistentVolumeClaimSpec.volumeMode": "Block Filesystem",
    "PersistentVolumeClaimStatus.phase": "Bound Lost Pending",
    "PersistentVolumeSpec.persistentVolumeReclaimPolicy": "Delete Recycle Retain",
    "PersistentVolumeSpec.volumeMode": "Block Filesystem",
    "PersistentVolumeStatus.phase": "Available Bound Failed Pending Released",
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": "AlwaysAllow IfHealthyBudget",
    "PodFailurePolicyOnExitCodesRequirement.operator": "In NotIn",
    "PodFailurePolicyRule.action": "Count FailIndex FailJob Ignore",
    "PodSecurityContext.fsGroupChangePolicy": "Always OnRootMismatch",
    "PodSecurityContext.supplementalGroupsPolicy": "Merge Strict",
    "PodSpec.dnsPolicy": "ClusterFirst ClusterFirstWithHostNet Default None",
    "PodSpec.preemptionPolicy": "Never PreemptLowerPriority",
    "PodSpec.restartPolicy": "Always Never OnFailure",
    "PodStatus.phase": "Failed Pending Running Succeeded Unknown",
    "PodStatus.qosClass": "BestEffort Burstable Guaranteed",
    "PriorityClass.preemptionPolicy": "Never PreemptLowerPriority",
    "ScopedResourceSelectorRequirement.operator": "DoesNotExist Exists In NotIn",
    "ScopedResourceSelectorRequirement.scopeName": "BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass "
    "Terminating VolumeAttributesClass",
    "SeccompProfile.type": "Localhost RuntimeDefault Unconfined",
    "SecurityContext.procMount": "Default Unmasked",
    "ServicePort.protocol": _PROTOCOL,
    "ServiceSpec.externalTrafficPolicy": "Cluster Local",
    "ServiceSpec.internalTrafficPolicy": "Cluster Local",
    "ServiceSpec.ipFamilyPolicy": "PreferDualStack RequireDualStack SingleStack",
    "ServiceSpec.sessionAffinity": "ClientIP None",
    "ServiceSpec.type": "ClusterIP ExternalName LoadBalancer NodePort",
    "StatefulSetSpec.podManagementPolicy": "OrderedReady Parallel",
    "StatefulSetUpdateStrategy.type": "OnDelete RollingUpdate",
    "StorageClass.reclaimPolicy": "Delete Recycle Retain",
    "StorageClass.volumeBindingMode": "Immediate WaitForFirstConsumer",
    "Taint.effect": _EFFECT,
    "Toleration.effect": _EFFECT,
    "Toleration.operator": "Equal Exists Gt Lt",
    "TopologySpreadConstraint.nodeAffinityPolicy": _INCLUSION,
    "TopologySpreadConstraint.nodeTaintsPolicy": _INCLUSION,
    "TopologySpreadConstraint.whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
    "ValidatingAdmissionPolicySpec.failurePolicy": _POLICY,
    "ValidatingWebhook.failurePolicy": _POLICY,
    "ValidatingWebhook.matchPolicy": _MATCH,
    "ValidatingWebhook.sideEffects": "None NoneOnDryRun Some Unknown",
    "VolumeMount.mountPropagation": "Bidirectional HostToContainer None",
}
_ITEMS: Final[dict[str, str]] = {
    "NetworkPolicySpec.policyTypes": "Egress Ingress",
    "PersistentVolumeClaimSpec.accessModes": _ACCESS,
    "PersistentVolumeSpec.accessModes": _ACCESS,
    "PersistentVolumeClaimStatus.accessModes": _ACCESS,
    "ResourceQuotaSpec.scopes": "BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating "
    "PriorityClass Terminating VolumeAttributesClass",
}


@cache
def of(field: str) -> tuple[str, ...]:
    """The values of a field, or of the entries of a list field, given as Type.field. KeyError where OpenAPI lists none."""
    return tuple((_VALUES.get(field) or _ITEMS[field]).split())


def values(owner: str, field: str) -> list[str]:
    """The values a field of a type (PodSpec, restartPolicy) may have; [] where any."""
    return _VALUES.get(f"{owner}.{field}", "").split()


def item_values(owner: str, field: str) -> list[str]:
    """The same for the entries of a list."""
    return _ITEMS.get(f"{owner}.{field}", "").split()
