"""The sample API server in a pod of a cluster: what the suite's test of the aggregator sets up."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from tests.conformance.suite import APPS, CORE, NAMESPACE, Suite, container

GROUP, VERSION, SERVICE, PORT = "wardle.example.com", "v1alpha1", "sample-api", 7443
NAME = f"{VERSION}.{GROUP}"
ROOT = f"/apis/{GROUP}/{VERSION}"
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_LABELS = {"app": "sample-apiserver", "apiserver": "true"}
_ETCD_URL = "http://127.0.0.1:2379"
_CERTIFICATES = "/apiserver.local.config/certificates"


class Certificates(NamedTuple):
    """PEM texts in base64."""

    authority: str
    certificate: str
    key: str


def certificates(host: str) -> Certificates:
    """A server's, and of who signed it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "e2e-server-cert-ca")])
    authority = _builder(issuer, issuer, authority_key.public_key())
    authority = authority.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    authority = authority.add_extension(usage, critical=True)
    leaf = _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), issuer, key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    authority = authority.add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
    form = serialization.Encoding.PEM
    texts = [each.sign(authority_key, hashes.SHA256()).public_bytes(form) for each in (authority, leaf)]
    texts.append(key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return Certificates(*(base64.b64encode(text).decode() for text in texts))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=365))


def _bound(role: str, kind: str = "ClusterRole") -> Object:
    """The roleRef and subjects of a binding to the pods' ServiceAccount."""
    account = {"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}
    return {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}, "subjects": [account]}


async def allow(e2e: Suite) -> None:
    """What the server reads and asks of kube-apiserver."""
    read = ["get", "list", "watch"]
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": read}]
    rules.append({"apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"], "verbs": read})
    await e2e.create(f"{_RBAC}/clusterroles", {"metadata": {"name": "sample-apiserver-reader"}, "rules": rules})
    for name, role in (("reader", "sample-apiserver-reader"), ("auth-delegator", "system:auth-delegator")):
        await e2e.create(f"{_RBAC}/clusterrolebindings", {"metadata": {"name": f"wardler:{NAMESPACE}:{name}"}, **_bound(role)})
    reader = _bound("extension-apiserver-authentication-reader", "Role")
    await e2e.create(f"{_RBAC}/namespaces/kube-system/rolebindings", {"metadata": {"name": "wardler-auth-reader"}, **reader})


async def deploy(e2e: Suite, made: Certificates) -> Object:
    """The Deployment, complete."""
    await e2e.create(
        f"{CORE}/secrets",
        {"metadata": {"name": "sample-apiserver-secret"}, "data": {"tls.crt": made.certificate, "tls.key": made.key}},
    )
    arguments = [f"--etcd-servers={_ETCD_URL}", f"--tls-cert-file={_CERTIFICATES}/tls.crt"]
    arguments += [
        f"--tls-private-key-file={_CERTIFICATES}/tls.key",
        "--audit-log-path=-",
        "--audit-log-maxage=0",
        "--audit-log-maxbackup=0",
    ]
    probe = {"httpGet": {"scheme": "HTTPS", "port": 443, "path": "/readyz"}, "initialDelaySeconds": 20, "periodSeconds": 1}
    mount = {"name": "apiserver-certs", "readOnly": True, "mountPath": _CERTIFICATES}
    server = container(
        "sample-apiserver",
        "registry.k8s.io/e2e-test-images/sample-apiserver:1.29.2",
        args=arguments,
        readinessProbe=probe,
        volumeMounts=[mount],
    )
    command = ["/usr/local/bin/etcd", "--listen-client-urls", _ETCD_URL, "--advertise-client-urls", _ETCD_URL]
    etcd = container("etcd", "registry.k8s.io/etcd:3.6.5-0", command=command)
    volume = {"name": "apiserver-certs", "secret": {"secretName": "sample-apiserver-secret"}}
    template = {"metadata": {"labels": _LABELS}, "spec": {"containers": [server, etcd], "volumes": [volume]}}
    spec = {"replicas": 1, "selector": {"matchLabels": _LABELS}, "template": template}
    await e2e.create(f"{APPS}/deployments", {"metadata": {"name": "sample-apiserver-deployment"}, "spec": spec})
    ports = [{"protocol": "TCP", "port": PORT, "targetPort": 443}]
    service = {"metadata": {"name": SERVICE}, "spec": {"selector": {"apiserver": "true"}, "ports": ports}}
    await e2e.create(f"{CORE}/services", service)

    def is_complete(deployment: Object) -> bool:
        return objects.status(deployment).get("availableReplicas") == 1

    done: Object = await e2e.until(f"{APPS}/deployments/sample-apiserver-deployment", is_complete)
    return done


async def register(e2e: Suite, authority: str, **spec: Any) -> None:
    """Its APIService, until requests are passed on to it."""
    service = {"namespace": NAMESPACE, "name": SERVICE, "port": PORT}
    made = {
        "service": service,
        "group": GROUP,
        "version": VERSION,
        "caBundle": authority,
        "groupPriorityMinimum": 2000,
        "versionPriority": 200,
    }
    await e2e.create(API_SERVICES, {"metadata": {"name": NAME}, "spec": {**made, **spec}})
    await e2e.until(f"{API_SERVICES}/{NAME}", lambda found: objects.is_condition_true(found, "Available"), 60)


async def extended(e2e: Suite) -> None:
    """All of it."""
    made = certificates(f"{SERVICE}.{NAMESPACE}.svc")
    await allow(e2e)
    await deploy(e2e, made)
    await register(e2e, made.authority)
