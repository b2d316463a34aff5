"""What storage, device, certificate, admission and API service objects are refused for, in the API's words and order."""

# ruff: noqa: E501 (tables of whole messages)

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.kctl.kube_apiserver.registry.harness import Harness

STORAGE, DEVICES, ADMISSION = "storage.k8s.io/v1", "resource.k8s.io/v1", "admissionregistration.k8s.io/v1"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
TRUNCATED = "-----BEGIN CERTIFICATE REQUEST-----\nMIIBAA==\n-----END CERTIFICATE REQUEST-----\n"
POOL = {"name": "p", "resourceSliceCount": 1}
SLICE = {"driver": "d.io", "pool": POOL, "allNodes": True}
HOOK = {"name": "a.b.io", "admissionReviewVersions": ["v1"]}
MATCH = {"resourceRules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]}


def _request(text: str) -> dict[str, Any]:
    return {"request": base64.b64encode(text.encode()).decode(), "signerName": "a.io/b", "usages": ["any"]}


def _claim(**changes: Any) -> dict[str, Any]:
    devices = {"requests": [{"name": "r", "exactly": {"deviceClassName": "c"}}], **changes}
    return {"spec": {"devices": devices}}


def _mutation(patch: str, expression: str) -> dict[str, Any]:
    kind = {"jsonPatch": "JSONPatch", "applyConfiguration": "ApplyConfiguration"}[patch]
    mutations = [{"patchType": kind, patch: {"expression": expression}}]
    return {"spec": {"reinvocationPolicy": "Never", "matchConstraints": MATCH, "mutations": mutations}}


def _definition(**changes: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
        **changes,
    }
    spec = {"group": "g.io", "scope": "Cluster", "names": {"plural": "as", "kind": "A"}, "versions": [version]}
    return {"metadata": {"name": "as.g.io"}, "spec": spec}


@pytest.mark.parametrize(
    ("api_version", "kind", "obj", "problems"),
    [
        (
            STORAGE,
            "StorageClass",
            {"provisioner": "x", "volumeBindingMode": ""},
            ['volumeBindingMode: Unsupported value: "": supported values: "Immediate", "WaitForFirstConsumer"'],
        ),
        (
            STORAGE,
            "CSIDriver",
            {"spec": {"nodeAllocatableUpdatePeriodSeconds": 5}},
            ["spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 5: must be greater than or equal to 10 seconds"],
        ),
        (
            STORAGE,
            "CSINode",
            {"spec": {"drivers": [{"name": "d", "nodeID": "n", "topologyKeys": ["a", "a"]}]}},
            ['spec.drivers[0]: Duplicate value: "a"'],
        ),
        (STORAGE, "CSIStorageCapacity", {"storageClassName": "s", "maximumVolumeSize": "-1"}, []),
        (
            STORAGE,
            "VolumeAttributesClass",
            {"parameters": {}},
            ["driverName: Required value", "parameters: Required value: must contain at least one key/value pair"],
        ),
        (
            STORAGE,
            "VolumeAttachment",
            {"spec": {"nodeName": "n", "source": {"persistentVolumeName": "p"}}},
            [
                "spec.attacher: Required value",
                "spec.attacher: Required value",
                f'spec.attacher: Invalid value: "": {SUBDOMAIN}',
            ],
        ),
        (
            DEVICES,
            "ResourceSlice",
            {"spec": {**SLICE, "allNodes": False}},
            [
                "spec.allNodes: Invalid value: false: must be either unset or set to true",
                "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required",
            ],
        ),
        (
            DEVICES,
            "ResourceSlice",
            {"spec": {**SLICE, "devices": [{"name": "a"}, {"name": "a"}]}},
            ['spec.devices[1]: Duplicate value: "a"'],
        ),
        (
            DEVICES,
            "ResourceSlice",
            {"spec": {**SLICE, "devices": [{"name": "a", "attributes": {"x": {"version": "1"}, "y": {}}}]}},
            [
                'spec.devices[0].attributes[x].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
                'spec.devices[0].attributes[y]: Invalid value: "": exactly one value must be specified',
            ],
        ),
        (
            DEVICES,
            "ResourceClaim",
            _claim(constraints=[{"requests": ["z"], "matchAttribute": "a"}]),
            [
                "spec.devices.constraints[0].requests[0]: Invalid value: \"z\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
                'spec.devices.constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a slash',
            ],
        ),
        (
            DEVICES,
            "ResourceClaim",
            _claim(config=[{"opaque": {"driver": "d.io", "parameters": "x"}}]),
            ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
        ),
        (
            DEVICES,
            "DeviceClass",
            {"spec": {"selectors": [{"cel": {"expression": "1"}}]}},
            ['spec.selectors[0].cel.expression: Invalid value: "1": must evaluate to bool or the unknown type, not int'],
        ),
        (
            "certificates.k8s.io/v1",
            "CertificateSigningRequest",
            {"spec": _request(TRUNCATED)},
            [
                f'spec.request: Invalid value: "{_request(TRUNCATED)["request"]}": asn1: syntax error: data truncated',
            ],
        ),
        (
            ADMISSION,
            "MutatingWebhookConfiguration",
            {"webhooks": [{**HOOK, "clientConfig": {"url": ":::"}}]},
            [
                "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun",
                'webhooks[0].clientConfig.url: Required value: url must be a valid URL: parse ":::": missing protocol scheme; desired format: https://host[/path]',
            ],
        ),
        (
            ADMISSION,
            "ValidatingWebhookConfiguration",
            {"webhooks": [{**HOOK, "sideEffects": "None", "clientConfig": {"url": "https://u:p@x.io"}}]},
            ['webhooks[0].clientConfig.url: Invalid value: "u:p": user information is not permitted in the URL'],
        ),
        (
            ADMISSION,
            "ValidatingAdmissionPolicyBinding",
            {
                "spec": {
                    "policyName": "p",
                    "validationActions": ["Deny"],
                    "paramRef": {"name": "n", "selector": {}},
                    "matchResources": {"matchPolicy": "X"},
                }
            },
            [
                "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
                "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
                'spec.matchResouces.matchPolicy: Unsupported value: "X": supported values: "Equivalent", "Exact"',
            ],
        ),
        (
            ADMISSION,
            "MutatingAdmissionPolicy",
            _mutation("applyConfiguration", "1"),
            ['spec.mutations[0].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int'],
        ),
        (ADMISSION, "MutatingAdmissionPolicy", _mutation("jsonPatch", "[JSONPatch{op: 'add', path: '/a', value: 'b'}]"), []),
        (
            "flowcontrol.apiserver.k8s.io/v1",
            "PriorityLevelConfiguration",
            {"spec": {"type": "Limited", "limited": {"borrowingLimitPercent": -1, "limitResponse": {"type": "Reject"}}}},
            ["spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative integer"],
        ),
        (
            "apiregistration.k8s.io/v1",
            "APIService",
            {"metadata": {"name": "v2."}, "spec": {"version": "v2", "groupPriorityMinimum": 1, "versionPriority": 1, "caBundle": "eA=="}},
            [
                "spec.group: Required value: only v1 may have an empty group and it better be legacy kube",
                'spec.caBundle: Invalid value: "1 bytes": local APIServices may not have a caBundle',
            ],
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            _definition(schema={"openAPIV3Schema": {"type": "object", "properties": {"a": {}, "b": {"type": "array"}}}}),
            [
                "spec.validation.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
                "spec.validation.openAPIV3Schema.properties[b].items: Required value: must be specified",
            ],
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            _definition(storage=False),
            [
                'spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must have exactly one version marked as storage version',
            ],
        ),
    ],
)
def test_create(api_version: str, kind: str, obj: dict[str, Any], problems: list[str]) -> None:
    assert Harness(api_version, kind).problems(obj) == problems


@pytest.mark.parametrize(
    ("api_version", "kind", "old", "changes", "problem"),
    [
        (
            STORAGE,
            "VolumeAttachment",
            {"spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "p"}}},
            {"spec": {"attacher": "d", "nodeName": "m", "source": {"persistentVolumeName": "p"}}},
            'spec: Invalid value: {"Attacher":"d","Source":{"PersistentVolumeName":"p","InlineVolumeSpec":null},"NodeName":"m"}: field is immutable',
        ),
        (
            STORAGE,
            "CSINode",
            {"spec": {"drivers": [{"name": "d", "nodeID": "n"}]}},
            {"spec": {"drivers": [{"name": "d", "nodeID": "m", "allocatable": {"count": 1}}]}},
            'spec.drivers: Invalid value: {"Name":"d","NodeID":"m","TopologyKeys":null,"Allocatable":null}: field is immutable',
        ),
        (
            DEVICES,
            "ResourceClaim",
            _claim(),
            _claim(requests=[]),
            'spec: Invalid value: {"Devices":{"Requests":null,"Constraints":null,"Config":null}}: field is immutable',
        ),
    ],
)
def test_immutable_structures_are_shown_as_go_has_them(
    api_version: str, kind: str, old: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    harness = Harness(api_version, kind)
    assert harness.update(harness.create(old), **changes)[1] == [problem]


def test_a_local_api_service_is_available_from_the_start() -> None:
    made = Harness("apiregistration.k8s.io/v1", "APIService").create({"spec": {"version": "v1"}})
    [condition] = made["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Available", "True", "Local")


def test_a_toleration_of_device_taints_compares_values_unless_it_says_otherwise() -> None:
    exactly = {"deviceClassName": "c", "tolerations": [{"key": "k"}]}
    made = Harness(DEVICES, "ResourceClaim").create(_claim(requests=[{"name": "r", "exactly": exactly}]))
    assert made["spec"]["devices"]["requests"][0]["exactly"]["tolerations"] == [{"key": "k", "operator": "Equal"}]
