"""What `--controllers` may name beside the controllers that run here: their old names, and upstream's controllers that do not."""

from __future__ import annotations

from collections.abc import Container, Sequence

ALIASES = {
    "serviceaccount-token": "serviceaccount-token-controller",
    "endpoint": "endpoints-controller",
    "endpointslice": "endpointslice-controller",
    "endpointslicemirroring": "endpointslice-mirroring-controller",
    "replicationcontroller": "replicationcontroller-controller",
    "podgc": "pod-garbage-collector-controller",
    "resourcequota": "resourcequota-controller",
    "namespace": "namespace-controller",
    "serviceaccount": "serviceaccount-controller",
    "garbagecollector": "garbage-collector-controller",
    "daemonset": "daemonset-controller",
    "job": "job-controller",
    "deployment": "deployment-controller",
    "replicaset": "replicaset-controller",
    "horizontalpodautoscaling": "horizontal-pod-autoscaler-controller",
    "disruption": "disruption-controller",
    "statefulset": "statefulset-controller",
    "cronjob": "cronjob-controller",
    "csrsigning": "certificatesigningrequest-signing-controller",
    "csrapproving": "certificatesigningrequest-approving-controller",
    "csrcleaner": "certificatesigningrequest-cleaner-controller",
    "ttl": "ttl-controller",
    "bootstrapsigner": "bootstrap-signer-controller",
    "tokencleaner": "token-cleaner-controller",
    "nodeipam": "node-ipam-controller",
    "nodelifecycle": "node-lifecycle-controller",
    "service": "service-lb-controller",
    "route": "node-route-controller",
    "cloud-node-lifecycle": "cloud-node-lifecycle-controller",
    "persistentvolume-binder": "persistentvolume-binder-controller",
    "attachdetach": "persistentvolume-attach-detach-controller",
    "persistentvolume-expander": "persistentvolume-expander-controller",
    "clusterrole-aggregation": "clusterrole-aggregation-controller",
    "pvc-protection": "persistentvolumeclaim-protection-controller",
    "pv-protection": "persistentvolume-protection-controller",
    "ttl-after-finished": "ttl-after-finished-controller",
    "root-ca-cert-publisher": "root-ca-certificate-publisher-controller",
    "ephemeral-volume": "ephemeral-volume-controller",
    "storage-version-gc": "storageversion-garbage-collector-controller",
    "resource-claim-controller": "resourceclaim-controller",
    "legacy-service-account-token-cleaner": "legacy-serviceaccount-token-cleaner-controller",
    "validatingadmissionpolicy-status": "validatingadmissionpolicy-status-controller",
}
"""ControllerDescriptor.GetAliases of upstream."""
NOT_RUN = {
    "cloud-node-lifecycle-controller": "a simulated cluster has no cloud whose machines could be asked about",
    "node-route-controller": "a simulated cluster has no cloud whose routes could be set; pods reach each other without",
    "legacy-serviceaccount-token-cleaner-controller": "service accounts get no tokens that nobody asked for, so there are none to clean",
    "storageversion-garbage-collector-controller": "the feature StorageVersionAPI is off, as it is in Kubernetes by default",
    "selinux-warning-controller": "simulated nodes have no SELinux",
}
"""Upstream's, with the reason why they do not run here: `*` is without them, and `-NAME` is always fulfilled."""
ELSEWHERE = {"validatingadmissionpolicy-status-controller": "kube-apiserver does its work"}
"""Upstream's whose work another component does: `*` and their names are fulfilled, and they cannot be switched off."""


def official(wanted: Sequence[str]) -> list[str]:
    """With the official names in the places of old ones."""
    return [f"-{ALIASES.get(name[1:], name[1:])}" if name.startswith("-") else ALIASES.get(name, name) for name in wanted]


def refused(wanted: Sequence[str], running: Container[str]) -> str:
    for name in sorted(set(official(wanted)), key=lambda name: name.removeprefix("-")):
        bare = name.removeprefix("-")
        if name in NOT_RUN:
            return f'"{name}" does not run here: {NOT_RUN[name]}'
        if name != bare and bare in ELSEWHERE:
            return f'"{bare}" cannot be switched off: {ELSEWHERE[bare]}'
        if bare != "*" and bare not in running and bare not in NOT_RUN and bare not in ELSEWHERE:
            return f'"{repr(bare)[1:-1]}" is not in the list of known controllers'
    return ""
