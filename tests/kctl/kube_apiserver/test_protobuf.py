"""Bodies that kubectl 1.37 sent in protobuf, and what they are as JSON."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kctl.apimachinery.schema import schemas
from kctl.kube_apiserver import protobuf

SENT: dict[str, tuple[str, dict[str, Any]]] = {
    "Namespace": (
        "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhkKEQoBeBIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==",
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "x"}, "spec": {}, "status": {}},
    ),
    "Deployment": (
        "azhzAAoVCgdhcHBzL3YxEgpEZXBsb3ltZW50ErABChsKAWQSABoAIgAqADIAOABCAFoICgNhcHASAWQSggEIAhIKCggKA2FwcBIB"
        "ZBpqChoKABIAGgAiACoAMgA4AEIAWggKA2FwcBIBZBJMEi4KBW5naW54EgVuZ2lueCoAMgoKABAAGFAiACoAQgBqAHIAgAEAiAEA"
        "kAEAogEAGgAyAEIASgBSAFgAYABoAIIBAIoBAJoBAMIBACICCgAoADgAGgwIABAAGAAgACgAOAAaACIA",
        {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": "d", "labels": {"app": "d"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "d"}},
                "template": {
                    "metadata": {"labels": {"app": "d"}},
                    "spec": {"containers": [{"name": "nginx", "image": "nginx", "ports": [{"containerPort": 80}], "resources": {}}]},
                },
                "strategy": {},
            },
            "status": {},
        },
    ),
    "Secret": (
        "azhzAAoMCgJ2MRIGU2VjcmV0Eh0KEQoBcxIAGgAiACoAMgA4AEIAEgYKAXASAXEaABoAIgA=",
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}, "data": {"p": "cQ=="}},
    ),
    "Job": (
        "azhzAAoPCghiYXRjaC92MRIDSm9iEoIBChEKAWoSABoAIgAqADIAOABCABJjMmEKEAoAEgAaACIAKgAyADgAQgASTRIqCgFqEgdi"
        "dXN5Ym94GgRlY2hvGgJoaSoAQgBqAHIAgAEAiAEAkAEAogEAGgVOZXZlcjIAQgBKAFIAWABgAGgAggEAigEAmgEAwgEAGgggACgA"
        "MAA6ABoAIgA=",
        {
            "kind": "Job",
            "apiVersion": "batch/v1",
            "metadata": {"name": "j"},
            "spec": {
                "template": {
                    "metadata": {},
                    "spec": {
                        "containers": [{"name": "j", "image": "busybox", "command": ["echo", "hi"], "resources": {}}],
                        "restartPolicy": "Never",
                    },
                }
            },
            "status": {},
        },
    ),
    "TokenRequest": (
        "azhzAAooChhhdXRoZW50aWNhdGlvbi5rOHMuaW8vdjESDFRva2VuUmVxdWVzdBIaChAKABIAGgAiACoAMgA4AEIAEgAaBAoAEgAaACIA",
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "spec": {"boundObjectRef": None},
            "status": {"expirationTimestamp": None},
        },
    ),
    "Service": (
        "azhzAAoNCgJ2MRIHU2VydmljZRJmChsKAXMSABoAIgAqADIAOABCAFoICgNhcHASAXMSQwoeCgc4MC1odHRwEgNUQ1AYUCIKCAEQ"
        "ABoEaHR0cCgAEggKA2FwcBIBcxoAIglDbHVzdGVySVA6AEIAUgBaAGAAaAAaAgoAGgAiAA==",
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "s", "labels": {"app": "s"}},
            "spec": {
                "ports": [{"name": "80-http", "protocol": "TCP", "port": 80, "targetPort": "http"}],
                "selector": {"app": "s"},
                "type": "ClusterIP",
            },
            "status": {"loadBalancer": {}},
        },
    ),
    "ResourceQuota": (
        "azhzAAoTCgJ2MRINUmVzb3VyY2VRdW90YRIzChEKAXESABoAIgAqADIAOABCABIcCg0KA2NwdRIGCgQxMDBtCgsKBHBvZHMSAwoBMxoAGgAiAA==",
        {
            "kind": "ResourceQuota",
            "apiVersion": "v1",
            "metadata": {"name": "q"},
            "spec": {"hard": {"cpu": "100m", "pods": "3"}},
            "status": {},
        },
    ),
    "PodDisruptionBudget": (
        "azhzAAogCglwb2xpY3kvdjESE1BvZERpc3J1cHRpb25CdWRnZXQSNgoRCgFwEgAaACIAKgAyADgAQgASFQoJCAEQABoDNTAlEggK"
        "BgoBYRIBYhoKCAAYACAAKAAwABoAIgA=",
        {
            "kind": "PodDisruptionBudget",
            "apiVersion": "policy/v1",
            "metadata": {"name": "p"},
            "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}},
            "status": {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
        },
    ),
}


@pytest.mark.parametrize("kind", SENT)
def test_a_body_decodes_to_the_object(kind: str) -> None:
    body, expected = SENT[kind]
    decoded = protobuf.decode(base64.b64decode(body))
    schema = schemas.load().for_kind(decoded["apiVersion"], kind)
    assert schema is not None
    assert schema.decode(decoded) == (expected, [])


def encode(number: int, payload: bytes) -> bytes:
    return bytes([number << 3 | 2, len(payload)]) + payload


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    type_meta = encode(1, api_version.encode()) + encode(2, kind.encode())
    return protobuf.MAGIC + encode(1, type_meta) + encode(2, message)


def test_times_maps_and_unknown_fields() -> None:
    created = encode(8, b"\x08\x80\x94\xeb\xdc\x03")  # seconds 1000000000
    label = encode(11, encode(1, b"a") + encode(2, b"b"))
    message = encode(1, encode(1, b"x") + created + label) + encode(15, b"from a later version")
    decoded = protobuf.decode(envelope("v1", "ConfigMap", message))
    assert decoded["metadata"] == {"name": "x", "creationTimestamp": "2001-09-09T01:46:40Z", "labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "does not appear to be a protobuf message"),
        (envelope("v1", "Nope", b""), 'no kind "Nope" is registered for version "v1"'),
        (envelope("v1", "ConfigMap", b"\x0a\x7f"), "unexpected EOF"),
        (protobuf.MAGIC + b"\x0b", "illegal wireType 3"),
        (protobuf.MAGIC + b"\x0a", "unexpected end"),
        (envelope("v1", "ConfigMap", encode(1, encode(1, b"\xff"))), "proto"),
    ],
)
def test_bad_bytes_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(protobuf.ProtobufError, match=why):
        protobuf.decode(body)


def test_every_message_of_the_table_can_be_read() -> None:
    for name in protobuf._lines():
        for field in protobuf._fields(name).values():
            assert len(field.type) == 1 or field.type in protobuf._lines(), (name, field)
