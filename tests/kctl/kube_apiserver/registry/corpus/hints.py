"""Likely values of fields, so that random objects get past the first refusal: by Type.field, or by the field's name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.apimachinery.schema.enums import _ITEMS, _VALUES

HINTS: dict[str, Sequence[Any]] = {
    **{key: text.split() for key, text in {**_VALUES, **_ITEMS}.items()},
    "Subject.kind": ("ServiceAccount", "User", "Group"),
    "RoleRef.kind": ("Role", "ClusterRole"),
    "MetricSpec.type": ("Resource", "Pods", "Object", "External", "ContainerResource"),
    "MetricTarget.type": ("Value", "AverageValue", "Utilization"),
    "LimitRangeItem.type": ("Pod", "Container", "PersistentVolumeClaim"),
    "DeviceRequestAllocationMode": ("All", "ExactCount"),
    "allocationMode": ("All", "ExactCount"),
    "PriorityLevelConfigurationSpec.type": ("Exempt", "Limited"),
    "LimitResponse.type": ("Queue", "Reject"),
    "sideEffects": ("None", "NoneOnDryRun"),
    "admissionReviewVersions": ("v1", "v1beta1"),
    "validationActions": ("Deny", "Warn", "Audit"),
    "patchType": ("ApplyConfiguration", "JSONPatch"),
    "expression": ("true", "object.a == 1", "1", "object.spec.replicas <"),
    "PersistentVolumeClaimRetentionPolicyType": ("Retain", "Delete"),
    "whenDeleted": ("Retain", "Delete"),
    "whenScaled": ("Retain", "Delete"),
    "schedule": ("*/5 * * * *", "TZ=UTC 0 0 * * *", "@daily", "x"),
    "apiVersion": ("apps/v1", "v1", "a/b/c"),
    "resources": ("pods", "pods/*", "*", "*/*", "nodes"),
    "image": ("nginx", " nginx", ""),
    "namespaces": ("*", "default", "-x"),
    "nonResourceURLs": ("*", "/healthz", "/a/*", "x"),
    "IPBlock.cidr": ("10.0.0.0/8", "fd00::/64", "10.0.0.1/8"),
    "IPBlock.except": ("10.1.0.0/16", "10.0.0.0/8", "fd00::/80", "x"),
    "Endpoint.addresses": ("1.2.3.4", "fd00::1", "127.0.0.1", "a.b", "a"),
    "ServiceReference.path": ("/", "/a/b", "/a//b", "/A", "x"),
    "WebhookClientConfig.url": ("https://a.b/c", "http://u@a?x#y", "%zz", "https://[", "https://a:x"),
    "messageExpression": ("'a'", " ", "1"),
    "Validation.message": ("a", " ", "a\nb"),
    "LimitRangeItem.max{": ("cpu", "memory", "storage", "pods"),
    "LimitRangeItem.min{": ("cpu", "memory", "storage", "pods"),
    "LimitRangeItem.default{": ("cpu", "memory", "storage"),
    "LimitRangeItem.defaultRequest{": ("cpu", "memory", "storage"),
    "LimitRangeItem.maxLimitRequestRatio{": ("cpu", "memory"),
    "ResourceQuotaSpec.hard{": ("pods", "cpu", "requests.memory", "count/pods", "x", "services.nodeports"),
    "ResourceRequirements.limits{": ("cpu", "memory", "example.com/gpu", "hugepages-2Mi", "ephemeral-storage"),
    "ResourceRequirements.requests{": ("cpu", "memory", "example.com/gpu", "hugepages-2Mi", "ephemeral-storage"),
    "VolumeResourceRequirements.requests{": ("storage",),
    "VolumeResourceRequirements.limits{": ("storage",),
    "PersistentVolumeSpec.capacity{": ("storage", "storage", "cpu"),
}
BY_KIND: dict[str, dict[str, Sequence[Any]]] = {
    "FlowSchema": {"verbs": ("*", "get", "list"), "matchingPrecedence": (1, 100, 0, 10001)},
    "HorizontalPodAutoscaler": {"maxReplicas": (1, 3, 10, 0), "minReplicas": (1, 2, 0)},
    "CertificateSigningRequest": {
        "usages": ("client auth", "digital signature", "x"),
        "signerName": ("a.b/c", "kubernetes.io/kubelet-serving"),
    },
}
