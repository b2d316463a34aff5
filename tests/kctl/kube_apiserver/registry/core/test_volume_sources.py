"""What each kind of volume source is refused for: texts, paths and their order."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.kube_apiserver.registry.core.pod_volume_validation import validate_volumes
from kctl.kube_apiserver.registry.core.volume_sources import VOLUME_SOURCES
from tests.kctl.kube_apiserver.registry.harness import Harness

_BACKSTEP = "must not contain '..'"
_PAIRS = "must be a host:port pair or multiple pairs separated by commas"
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
BOTH_REFERENCES = {
    "path": "a",
    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"},
    "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"},
}
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"emptyDir": {"sizeLimit": "-1"}}, [".emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity"]),
    (
        {"hostPath": {"path": "/../b", "type": "X"}},
        [f'.hostPath.path: Invalid value: "/../b": {_BACKSTEP}', ".hostPath.type: Unsupported value"],
    ),
    ({"hostPath": {"type": "X"}}, [".hostPath.path: Required value"]),
    (
        {"gitRepo": {"directory": "/a/.."}},
        [
            ".gitRepo.repository: Required value",
            '.gitRepo.directory: Invalid value: "/a/..": must be a relative path',
            f'.gitRepo.directory: Invalid value: "/a/..": {_BACKSTEP}',
        ],
    ),
    (
        {"gcePersistentDisk": {"partition": 256}},
        [".persistentDisk.pdName: Required value", ".persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive"],
    ),
    ({"nfs": {"server": "s"}}, [".nfs.path: Required value", '.nfs.path: Invalid value: "": must be an absolute path']),
    (
        {"iscsi": {"targetPortal": "p", "iqn": "iqn.2020-1.x", "lun": 256, "chapAuthSession": True, "initiatorName": "x"}},
        [
            '.iscsi.iqn: Invalid value: "iqn.2020-1.x": must be valid format',
            ".iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
            ".iscsi.secretRef: Required value",
            '.iscsi.initiatorname: Invalid value: "x": must be valid format starting with iqn, eui, or naa',
        ],
    ),
    (
        {"flocker": {"datasetName": "a/b", "datasetUUID": "u"}},
        ['.flocker: Invalid value: "resource": datasetName and', ".flocker.datasetName: Invalid value: \"a/b\": must not contain '/'"],
    ),
    ({"quobyte": {"registry": "a", "volume": "v"}}, [f'.quobyte.registry: Invalid value: "a": {_PAIRS}']),
    ({"quobyte": {"registry": "a:1", "tenant": "t" * 65}}, [".quobyte.tenant: Required value", ".quobyte.volume: Required value"]),
    (
        {"fc": {"targetWWNs": ["a"], "wwids": ["b"]}},
        ['.fc.targetWWNs: Invalid value: ["a"]', ".fc.lun: Required value: lun is required if targetWWNs is specified"],
    ),
    ({"fc": {}}, [".fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"]),
    (
        {"flexVolume": {"driver": "d", "options": {"x.kubernetes.io/a": "b", "mine/a": "b"}}},
        [".flexVolume.options[x.kubernetes.io/a]: Invalid value"],
    ),
    (
        {"azureDisk": {"diskName": "n", "diskURI": "u", "kind": "Managed", "cachingMode": "x"}},
        [".azureDisk.cachingMode: Unsupported value", '.azureDisk.diskURI: Unsupported value: "u": supported values: "/subscriptions/'],
    ),
    (
        {"storageos": {"volumeName": "A", "secretRef": {}}},
        [".storageos.volumeName: Invalid value", ".storageos.secretRef.name: Required value"],
    ),
    (
        {"downwardAPI": {"defaultMode": 512, "items": [{"path": "../a", "mode": -1}, BOTH_REFERENCES]}},
        [
            f".downwardAPI.defaultMode: Invalid value: 512: {_MODE}",
            f'.downwardAPI.path: Invalid value: "../a": {_BACKSTEP}',
            ".downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
            f".downwardAPI.mode: Invalid value: -1: {_MODE}",
            '.downwardAPI: Invalid value: "resource": fieldRef and resourceFieldRef can not be specified simultaneously',
        ],
    ),
    (
        {"secret": {"items": [{"key": "k", "path": "/a"}, {"path": "..a"}]}},
        [
            ".secret.secretName: Required value",
            '.secret.items[0].path: Invalid value: "/a": must be a relative path',
            ".secret.items[1].key: Required value",
            ".secret.items[1].path: Invalid value: \"..a\": must not start with '..'",
        ],
    ),
    (
        {"csi": {"driver": "Bad_" + "x" * 60, "nodePublishSecretRef": {}}},
        [".csi.driver: Too long", '.csi.driver: Invalid value: "Bad_', ".csi.nodePublishSecretRef.name: Required value"],
    ),
    ({"ephemeral": {}}, [".ephemeral.volumeClaimTemplate: Required value"]),
    ({"image": {}}, [".image.reference: Required value", ".image.pullPolicy: Required value"]),
    (
        {"cephfs": {"monitors": ["m"]}, "rbd": {"monitors": ["m"], "image": "i"}},
        [".cephFS: Forbidden: may not specify more than 1 volume type"],
    ),
]


@pytest.mark.parametrize(("source", "expected"), CASES, ids=["-".join(source) for source, _ in CASES])
def test_what_a_volume_is_refused_for(source: dict[str, Any], expected: list[str]) -> None:
    problems = [str(error) for error in validate_volumes([{"name": "v", **source}], "p", "volumes", True)[1]]
    assert len(problems) == len(expected)
    for problem, text in zip(problems, expected, strict=True):
        assert problem.startswith(f"volumes[0]{text}")


def test_an_image_of_a_template_may_come_later() -> None:
    assert VOLUME_SOURCES["image"].errors_at({"pullPolicy": "Always"}, "image", False) == []


def test_a_volume_of_the_cluster_is_held_to_the_same_rules() -> None:
    """Under its own name there, where a pod has another: gcePersistentDisk."""
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "gcePersistentDisk": {"partition": 256}}
    problems = Harness("v1", "PersistentVolume").problems({"spec": spec})
    assert [text.partition(": ")[0] for text in problems] == ["spec.gcePersistentDisk.pdName", "spec.gcePersistentDisk.partition"]
