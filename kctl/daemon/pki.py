"""The cluster's keys and certificates, as kubeadm lays them out under pki/, with EC P-256 keys.

    ca.crt ca.key                 signs the two below and client certificates
    apiserver.crt apiserver.key   serving certificate of kube-apiserver
    admin.crt admin.key           client certificate of kubernetes-admin in system:masters
    sa.key                        signs service account tokens

Made once, at the first start; importing `cryptography` is then not needed on later starts.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA_DAYS = 3650
LEAF_DAYS = 3650
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pki:
    directory: Path

    def __getitem__(self, name: str) -> Path:
        return self.directory / name

    @property
    def complete(self) -> bool:
        names = ("ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "admin.crt", "admin.key", "sa.key")
        return all((self.directory / name).is_file() for name in names)


def ensure(directory: Path, *, now: datetime, hosts: Sequence[str]) -> Pki:
    """The PKI in `directory`, made where it is not there yet. `hosts`: further names and addresses for the server."""
    pki = Pki(directory)
    if not pki.complete:
        _make(pki, now, hosts)
    return pki


def _make(pki: Pki, now: datetime, hosts: Sequence[str]) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    pki.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("kubernetes", "", authority_key, None, authority_key, now, CA_DAYS)
    _write(pki["ca.key"], _key_pem(authority_key), secret=True)
    _write(pki["ca.crt"], _certificate_pem(authority))
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    for file, common_name, organization, subjects in (
        ("apiserver", "kube-apiserver", "", [*names, "localhost", "127.0.0.1", "::1", "10.96.0.1", *hosts]),
        ("admin", "kubernetes-admin", "system:masters", []),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(common_name, organization, key, authority, authority_key, now, LEAF_DAYS, subjects)
        _write(pki[f"{file}.key"], _key_pem(key), secret=True)
        _write(pki[f"{file}.crt"], _certificate_pem(leaf))
    _write(pki["sa.key"], _key_pem(ec.generate_private_key(ec.SECP256R1())), secret=True)


def _certificate(
    common_name: str,
    organization: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: int,
    subjects: Sequence[str] = (),
) -> x509.Certificate:
    """Self-signed authority where `issuer` is None; a server certificate where there are `subjects`, else a client's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    subject = x509.Name(attributes)
    authority = issuer is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(_key_usage(authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not authority:
        usage = ExtendedKeyUsageOID.SERVER_AUTH if subjects else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    if subjects:
        names = [_general_name(value) for value in dict.fromkeys(subjects)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage(authority: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(value: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(value))
    except ValueError:
        return x509.DNSName(value)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, data: bytes, *, secret: bool = False) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
