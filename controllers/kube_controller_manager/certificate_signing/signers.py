"""What each of Kubernetes' own signers accepts, and making the certificate (pkg/controller/certificates/signer). Pure but for the keys.

Imported with the first request that is approved: `cryptography` is not needed before."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kctl.apimachinery.objects import Object

API_CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY = "kubernetes.io/legacy-unknown"
SIGNERS = (API_CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY)

LONGEST = timedelta(hours=8760)
_BACKDATE = timedelta(minutes=5)
_SHORT = timedelta(hours=8)
_NODES, _NODE_PREFIX = "system:nodes", "system:node:"


class Refused(Exception):
    """The signer does not sign this; the message is the condition's."""


def read_request(encoded: str) -> x509.CertificateSigningRequest:
    """Raises Refused."""
    try:
        return x509.load_pem_x509_csr(base64.b64decode(encoded))
    except ValueError as error:
        raise Refused(f"unable to parse csr: {error}") from error


def check(signer: str, request: x509.CertificateSigningRequest, usages: Collection[str]) -> None:
    """Raises Refused."""
    rules = _RULES.get(signer)
    if rules is not None:
        rules(request, frozenset(usages))


def _names(request: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in request.subject.get_attributes_for_oid(oid)]


def _alternatives(request: x509.CertificateSigningRequest, kind: type[Any]) -> list[Any]:
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(extension.value.get_values_for_type(kind))


def _exactly(usages: frozenset[str], *wanted: str) -> None:
    """`key encipherment` may be there, for RSA keys."""
    allowed = [frozenset(wanted), frozenset((*wanted, "key encipherment"))]
    if usages not in allowed:
        raise Refused(f"usages did not match [{' '.join(sorted(allowed[0]))}]")


def _api_client(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    allowed = {"digital signature", "key encipherment", "client auth"}
    if "client auth" not in usages or not usages <= allowed:
        raise Refused("invalid usages for client certificate: want client auth, with digital signature and key encipherment at most")


def _of_a_node(request: x509.CertificateSigningRequest) -> None:
    if _names(request, NameOID.ORGANIZATION_NAME) != [_NODES]:
        raise Refused("subject organization is not system:nodes")
    if not any(name.startswith(_NODE_PREFIX) for name in _names(request, NameOID.COMMON_NAME)):
        raise Refused("subject common name does not begin with system:node:")


def _without(request: x509.CertificateSigningRequest, **kinds: type[Any]) -> None:
    for word, kind in kinds.items():
        if _alternatives(request, kind):
            raise Refused(f"{word} subjectAltNames are not allowed")


def _kubelet_client(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    _of_a_node(request)
    _without(request, DNS=x509.DNSName, Email=x509.RFC822Name, IP=x509.IPAddress, URI=x509.UniformResourceIdentifier)
    _exactly(usages, "digital signature", "client auth")


def _kubelet_serving(request: x509.CertificateSigningRequest, usages: frozenset[str]) -> None:
    _of_a_node(request)
    if not _alternatives(request, x509.DNSName) and not _alternatives(request, x509.IPAddress):
        raise Refused("DNS or IP subjectAltName is required")
    _without(request, Email=x509.RFC822Name, URI=x509.UniformResourceIdentifier)
    _exactly(usages, "digital signature", "server auth")


_RULES: dict[str, Callable[[x509.CertificateSigningRequest, frozenset[str]], None]] = {
    API_CLIENT: _api_client,
    KUBELET_CLIENT: _kubelet_client,
    KUBELET_SERVING: _kubelet_serving,
}

_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "key agreement": "key_agreement",
    "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}


def sign(spec: Object, authority_pem: bytes, key_pem: bytes, now: Sequence[datetime], serial: int) -> str:
    """The certificate for an approved request, base64 of PEM, as status.certificate holds it. `now`: the times of all who will judge it,
    which are one but where the cluster's clock is steered and TLS goes by the machine's; it is valid for each. Raises Refused."""
    request, usages = read_request(str(spec.get("request") or "")), list(spec.get("usages") or ())
    check(str(spec.get("signerName")), request, usages)
    authority = x509.load_pem_x509_certificate(authority_pem)
    begins, ends = _validity(spec.get("expirationSeconds"), authority, now)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(authority.subject)
        .public_key(request.public_key())
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    )
    for extension, critical in _extensions(request, usages):
        builder = builder.add_extension(extension, critical=critical)
    key = serialization.load_pem_private_key(key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    made = builder.sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def _validity(seconds: Any, authority: x509.Certificate, now: Sequence[datetime]) -> tuple[datetime, datetime]:
    """Asked for, at least ten minutes and at most a year; it never outlives the authority."""
    length = LONGEST if seconds is None else min(max(timedelta(seconds=int(seconds)), timedelta(minutes=10)), LONGEST)
    begins = min(now) - _BACKDATE
    ends = (max(now) if length < _SHORT else max(now) - _BACKDATE) + length
    return begins, min(ends, authority.not_valid_after_utc)


def _extensions(request: x509.CertificateSigningRequest, usages: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    wanted = {_KEY_USAGES[usage] for usage in usages if usage in _KEY_USAGES}
    if wanted:
        found.append((x509.KeyUsage(**{field: field in wanted for field in dict.fromkeys(_KEY_USAGES.values())}), True))
    extended = [_EXTENDED[usage] for usage in usages if usage in _EXTENDED]
    if extended:
        found.append((x509.ExtendedKeyUsage(list(dict.fromkeys(extended))), False))
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found.append((names.value, names.critical))
    except x509.ExtensionNotFound:
        pass
    return found
