"""Core kinds and their neighbours: what a create is refused for, what an update may not change, what is warned about."""

# ruff: noqa: E501 (tables of whole messages)

from __future__ import annotations

from typing import Any

import pytest

from tests.kctl.kube_apiserver.registry.harness import Harness

CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/a"}}
IMMUTABLE = "field is immutable"
GROUPS = {
    "LeaseCandidate": "coordination.k8s.io/v1beta1",
    "Lease": "coordination.k8s.io/v1",
    "RuntimeClass": "node.k8s.io/v1",
    "IPAddress": "networking.k8s.io/v1",
    "ServiceCIDR": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
}
ON_A_NODE = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "Exists"}]}]}}
PARENT = {"resource": "services", "namespace": "default", "name": "a"}


def harness(kind: str) -> Harness:
    return Harness(GROUPS.get(kind, "v1"), kind)


@pytest.mark.parametrize(
    ("kind", "obj", "problems"),
    [
        (
            "ResourceQuota",
            {
                "spec": {
                    "hard": {"pods": "1", "secrets": "1"},
                    "scopeSelector": {"matchExpressions": [{"scopeName": "BestEffort", "operator": "Exists"}]},
                }
            },
            [
                'spec.scopeSelector.matchExpressions: Invalid value: {"MatchExpressions":[{"ScopeName":"BestEffort","Operator":"Exists","Values":null}]}: unsupported scope applied to resource',
            ],
        ),
        ("ResourceQuota", {"spec": {"hard": {"requests.hugepages-2Mi": "1Gi", "requests.example.com/gpu": "500m"}}}, []),
        (
            "ResourceQuota",
            {"spec": {"hard": {"count/widgets.example.com": "500m"}}},
            ['spec.hard[count/widgets.example.com]: Invalid value: "500m": must be an integer'],
        ),
        (
            "Node",
            {"spec": {"podCIDRs": ["010.0.0.0/8"]}},
            ['spec.podCIDRs[0]: Invalid value: "010.0.0.0/8": must not have leading 0s in IP or prefix length'],
        ),
        (
            "Node",
            {"spec": {"podCIDRs": ["10.0.0.1/8"]}},
            ['spec.podCIDRs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
        ),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "010.0.0.1"}]}]},
            ['subsets[0].addresses[0].ip: Invalid value: "010.0.0.1": must not have leading 0s'],
        ),
        (
            "Endpoints",
            {"subsets": [{"addresses": [{"ip": "0.0.0.0"}]}]},
            ['subsets[0].addresses[0].ip: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)'],
        ),
        (
            "EndpointSlice",
            {"addressType": "FQDN", "endpoints": [{"addresses": ["host"]}]},
            ['endpoints[0].addresses[0]: Invalid value: "host": should be a domain with at least two segments separated by dots'],
        ),
        (
            "NetworkPolicy",
            {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x", "10.0.0.0/8"]}}]}]}},
            [
                'spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ],
        ),
        (
            "ServiceCIDR",
            {"spec": {"cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}},
            [
                'spec.cidrs: Invalid value: {"CIDRs":["10.0.0.0/8","11.0.0.0/8"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
            ],
        ),
        (
            "ServiceCIDR",
            {"spec": {"cidrs": ["2001:DB8::/64"]}},
            ['spec.cidrs[0]: Invalid value: "2001:DB8::/64": must be in canonical form ("2001:db8::/64")'],
        ),
        (
            "RuntimeClass",
            {
                "handler": "runc",
                "overhead": {"podFixed": {"pods": "1"}},
                "scheduling": {"tolerations": [{"operator": "Exists", "value": "x"}]},
            },
            [
                'overhead.limits[pods]: Invalid value: "pods": must be a standard resource for containers',
                "scheduling.tolerations[0].operator: Invalid value: \"x\": value must be empty when `operator` is 'Exists'",
            ],
        ),
        (
            "Lease",
            {"spec": {"strategy": "Newest"}},
            ['spec.strategy.strategy: Unsupported value: "Newest": supported values: "OldestEmulationVersion"'],
        ),
        (
            "LeaseCandidate",
            {"spec": {"binaryVersion": "1.36", "strategy": "OldestEmulationVersion"}},
            [
                "spec.leaseName: Required value",
                'spec.binaryVersion: Invalid value: "1.36": must be a valid semantic version',
                "spec.emulationVersion: Required value: must be specified when `strategy` is 'OldestEmulationVersion'",
            ],
        ),
        (
            "LeaseCandidate",
            {
                "spec": {
                    "leaseName": "a",
                    "binaryVersion": "1.36.0-rc.1",
                    "emulationVersion": "1.36.0",
                    "strategy": "OldestEmulationVersion",
                }
            },
            [
                'spec.binaryVersion: Invalid value: "1.36.0-rc.1": must be greater than or equal to `emulationVersion`',
            ],
        ),
        (
            "PersistentVolume",
            {"spec": {**VOLUME, "volumeAttributesClassName": ""}},
            [
                "spec.volumeAttributesClassName: Required value: an empty string is disallowed",
                "spec.csi: Required value: has to be specified when using volumeAttributesClassName",
            ],
        ),
        (
            "PersistentVolume",
            {"spec": {**VOLUME, "hostPath": {"path": "/a/../b", "type": "X"}}},
            [
                "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
                'spec.hostPath.type: Unsupported value: "X": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
            ],
        ),
        (
            "PersistentVolume",
            {"spec": {**VOLUME, "hostPath": None, "csi": {"driver": "a.io", "volumeHandle": "h", "nodeStageSecretRef": {"name": "s"}}}},
            ["spec.csi.nodeStageSecretRef.namespace: Required value"],
        ),
        (
            "PersistentVolumeClaim",
            {
                "spec": {
                    **CLAIM,
                    "dataSource": {"kind": "PersistentVolumeClaim", "name": "a"},
                    "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "b"},
                }
            },
            ["spec: Invalid value: {}: must match dataSourceRef"],
        ),
        (
            "Event",
            {
                "eventTime": "2026-01-01T00:00:00.000000Z",
                "involvedObject": {"namespace": "elsewhere"},
                "reportingInstance": "i",
                "action": "a",
                "reason": "r",
            },
            [
                "reportingComponent: Required value",
                'reportingComponent: Invalid value: "": name part must be non-empty',
                "reportingComponent: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
            ],
        ),
    ],
)
def test_create(kind: str, obj: dict[str, Any], problems: list[str]) -> None:
    assert harness(kind).problems(obj) == problems


@pytest.mark.parametrize(
    ("kind", "obj", "change", "problems"),
    [
        (
            "Node",
            {"spec": {"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}},
            {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24", "fd00:1::/64"]},
            ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'] * 2,
        ),
        ("Node", {"spec": {}}, {"externalID": "x"}, ["spec.externalID: Forbidden: may not be updated"]),
        (
            "ServiceCIDR",
            {"spec": {"cidrs": ["10.0.0.0/8"]}},
            {"cidrs": ["11.0.0.0/8"]},
            [f'spec.cidrs[0]: Invalid value: "11.0.0.0/8": {IMMUTABLE}'],
        ),
        ("ServiceCIDR", {"spec": {"cidrs": ["10.0.0.0/8"]}}, {"cidrs": ["10.0.0.0/8", "fd00::/64"]}, []),
        ("ServiceCIDR", {"spec": {"cidrs": ["10.0.0.0/8"]}}, {"cidrs": []}, [f"spec.cidrs: Invalid value: null: {IMMUTABLE}"]),
        (
            "IPAddress",
            {"spec": {"parentRef": PARENT}},
            {"parentRef": {**PARENT, "name": "b"}},
            [f'spec.parentRef: Invalid value: {{"Group":"","Resource":"services","Namespace":"default","Name":"b"}}: {IMMUTABLE}'],
        ),
        ("PersistentVolume", {"spec": VOLUME}, {"volumeMode": "Block"}, [f'volumeMode: Invalid value: "Block": {IMMUTABLE}']),
        (
            "PersistentVolume",
            {"spec": {**VOLUME, "nodeAffinity": ON_A_NODE}},
            {"nodeAffinity": None},
            [f"nodeAffinity: Invalid value: null: {IMMUTABLE}"],
        ),
        ("PersistentVolumeClaim", {"spec": {**CLAIM, "volumeAttributesClassName": "gold"}}, {"volumeAttributesClassName": "silver"}, []),
        (
            "PersistentVolumeClaim",
            {"spec": {**CLAIM, "volumeAttributesClassName": "gold"}},
            {"volumeAttributesClassName": None},
            ["spec.volumeAttributesClassName: Forbidden: update from non-nil value to nil is forbidden"],
        ),
    ],
)
def test_update_of_the_spec(kind: str, obj: dict[str, Any], change: dict[str, Any], problems: list[str]) -> None:
    at = harness(kind)
    old = at.create(obj)
    assert at.update(old, spec={**old["spec"], **change})[1] == problems


def test_a_volume_keeps_its_source_and_says_what_would_change() -> None:
    at = harness("PersistentVolume")
    old = at.create({"spec": VOLUME})
    _, problems = at.update(old, spec={**old["spec"], "hostPath": {"path": "/b", "type": ""}})
    assert len(problems) == 1
    assert problems[0].startswith("spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n@@ ")
    assert '\n-  "Path": "/a",\n+  "Path": "/b",\n   "Type": ""\n' in problems[0]


@pytest.mark.parametrize(
    ("kind", "obj", "warnings"),
    [
        (
            "PersistentVolume",
            {"spec": {**VOLUME, "persistentVolumeReclaimPolicy": "Recycle", "nodeAffinity": ON_A_NODE}},
            [
                "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
                'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead',
            ],
        ),
        (
            "PersistentVolumeClaim",
            {
                "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "a"}},
                "spec": {**CLAIM, "resources": {"requests": {"storage": "100m"}}},
            },
            [
                'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
                'spec.resources.requests[storage]: fractional byte value "100m" is invalid, must be an integer',
            ],
        ),
        (
            "Node",
            {"spec": {"externalID": "x", "configSource": {}}},
            [
                "spec.configSource: the feature is removed",
                "spec.externalID: this field is deprecated, and is unused by Kubernetes",
            ],
        ),
        ("EndpointSlice", {"addressType": "FQDN"}, ["spec.addressType: FQDN endpoints are deprecated"]),
        (
            "ServiceAccount",
            {"metadata": {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}},
            [
                "metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets",
            ],
        ),
    ],
)
def test_warnings(kind: str, obj: dict[str, Any], warnings: list[str]) -> None:
    at = harness(kind)
    assert at.strategy.warnings_on_create(at.context(), at.create(obj)) == warnings


def test_of_a_service_accounts_secrets_only_the_name_is_kept() -> None:
    made = harness("ServiceAccount").create({"secrets": [{"name": "a", "namespace": "b", "uid": "u"}]})
    assert made["secrets"] == [{"name": "a"}]


def test_each_bad_finalizer_of_a_namespace_is_named() -> None:
    at = harness("Namespace")
    old = at.create({})
    _, problems = at.update(old, "finalize", spec={"finalizers": ["kubernetes", "x"]})
    why = "name is neither a standard finalizer name nor is it fully qualified"
    assert problems == [f'spec.finalizers[1]: Invalid value: "x": {why}']
