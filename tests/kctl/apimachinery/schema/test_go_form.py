"""How Go prints API types in messages: order and names of fields, what is null and what is zero."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.apimachinery.schema import bundle
from kctl.apimachinery.schema.go_form import go_form, json_form


def text(type_name: str, value: dict[str, Any]) -> str:
    return json.dumps(go_form(type_name, value), separators=(",", ":"))


CASES = {
    "pointers are null, values zero": (
        "storage.v1.VolumeAttachmentSpec",
        {"attacher": "d.io", "source": {"persistentVolumeName": "pv"}},
        '{"Attacher":"d.io","Source":{"PersistentVolumeName":"pv","InlineVolumeSpec":null},"NodeName":""}',
    ),
    "initialisms": (
        "core.v1.HTTPGetAction",
        {"port": 80, "httpHeaders": [{"name": "a"}], "scheme": "HTTP"},
        '{"Path":"","Port":80,"Host":"","Scheme":"HTTP","HTTPHeaders":[{"Name":"a","Value":""}],"Protocol":""}',
    ),
    "internal order of the security context": (
        "core.v1.SecurityContext",
        {"runAsUser": 1, "seLinuxOptions": {"level": "s0"}, "windowsOptions": {}},
        '{"Capabilities":null,"Privileged":null,"SELinuxOptions":{"User":"","Role":"","Type":"","Level":"s0"},"WindowsOptions":'
        '{"GMSACredentialSpecName":null,"GMSACredentialSpec":null,"RunAsUserName":null,"HostProcess":null},"RunAsUser":1,"RunAsGroup":null,'
        '"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":null,"ProcMount":null,"SeccompProfile":null,'
        '"AppArmorProfile":null}',
    ),
    "names of their own": (
        "core.v1.RBDVolumeSource",
        {"monitors": ["m"], "image": "i"},
        '{"CephMonitors":["m"],"RBDImage":"i","FSType":"","RBDPool":"","RadosUser":"","Keyring":"","SecretRef":null,"ReadOnly":false}',
    ),
    "selectors print as published": (
        "policy.v1.PodDisruptionBudgetSpec",
        {"minAvailable": 1, "selector": {"matchLabels": {"b": "1", "a": "2"}, "matchExpressions": [{"key": "k", "operator": "Exists"}]}},
        '{"MinAvailable":1,"Selector":{"matchLabels":{"a":"2","b":"1"},"matchExpressions":[{"key":"k","operator":"Exists"}]},'
        '"MaxUnavailable":null,"UnhealthyPodEvictionPolicy":null}',
    ),
    "a number by value inside an update strategy": (
        "apps.v1.StatefulSetUpdateStrategy",
        {"type": "X", "rollingUpdate": {}},
        '{"Type":"X","RollingUpdate":{"Partition":0,"MaxUnavailable":null}}',
    ),
    "embedded metadata, quantities, sorted maps": (
        "core.v1.PersistentVolumeClaimTemplate",
        {"metadata": {"labels": {"a": "b"}}, "spec": {"resources": {"requests": {"storage": "1024Mi", "cpu": 1}}}},
        '{"labels":{"a":"b"},"Spec":{"AccessModes":null,"Selector":null,"Resources":{"Limits":null,"Requests":{"cpu":"1","storage":"1Gi"}},'
        '"VolumeName":"","StorageClassName":null,"VolumeMode":null,"DataSource":null,"DataSourceRef":null,"VolumeAttributesClassName":null}}',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_form(case: str) -> None:
    type_name, value, want = CASES[case]
    assert text(type_name, value) == want


def test_host_namespaces_stand_in_the_security_context() -> None:
    form = go_form("core.v1.PodSpec", {"hostNetwork": True, "securityContext": {"fsGroup": 1}, "serviceAccount": "old"})
    assert list(form["SecurityContext"])[:6] == [
        "HostNetwork",
        "HostPID",
        "HostIPC",
        "ShareProcessNamespace",
        "HostUsers",
        "SELinuxOptions",
    ]
    assert form["SecurityContext"]["HostNetwork"] is True and form["SecurityContext"]["FSGroup"] == 1
    assert "HostNetwork" not in form and "ServiceAccount" not in form
    names = list(form)
    assert names.index("SetHostnameAsFQDN") == names.index("Subdomain") + 1
    assert names.index("Overhead") == names.index("RuntimeClassName") + 1


def test_published_types_leave_empty_fields_out() -> None:
    assert json_form("LabelSelector", {"matchLabels": {}, "matchExpressions": [{"key": "a", "operator": "In", "values": []}]}) == {
        "matchExpressions": [{"key": "a", "operator": "In"}]
    }


def test_only_some_fields_of_an_embedded_structure() -> None:
    assert go_form("core.v1.PersistentVolumeSpec", {"local": {"path": "/x"}}, only=frozenset({"local", "nfs"})) == {
        "NFS": None,
        "Local": {"Path": "/x", "FSType": None},
    }


def test_every_type_has_a_form() -> None:
    for name in bundle.types().names():
        form = go_form(name, {})
        assert all(key[0].isupper() for key in form if name.startswith("io.k8s.api.") and key not in ("selfLink",)), (name, form)
