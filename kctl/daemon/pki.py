"""The cluster's keys and certificates, as kubeadm lays them out under pki/, with EC P-256 keys.

    ca.crt ca.key                 signs the two below and client certificates
    apiserver.crt apiserver.key   serving certificate of kube-apiserver
    admin.crt admin.key           client certificate of kubernetes-admin in system:masters
    sa.key                        signs service account tokens
    front-proxy-ca.crt, .key      signs the next one, and nothing else
    front-proxy-client.crt, .key  by which extension API servers know kube-apiserver when it says for whom it asks

Made once, at the first start, and checked at every later one, for which importing `cryptography` is not needed.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kctl.daemon import private_files
from kctl.daemon.damage import DamagedFile

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA_DAYS = 3650
LEAF_DAYS = 3650
_CLOCK_SKEW = timedelta(minutes=5)
_DER_SEQUENCE = 0x30


FILES = ("ca.crt", "ca.key", "apiserver.crt", "apiserver.key", "admin.crt", "admin.key", "sa.key")
FRONT_PROXY_FILES = ("front-proxy-ca.crt", "front-proxy-ca.key", "front-proxy-client.crt", "front-proxy-client.key")
"""Clusters of an older kctl have none of them: they are made at the next start."""
ALL_FILES = FILES + FRONT_PROXY_FILES
UNFINISHED = "pki.new"
"""The folder they are made in; it becomes pki/ when all are there."""
_PAIRS = ("ca", "apiserver", "admin")
_FRONT_PROXY_PAIRS = ("front-proxy-ca", "front-proxy-client")
_MAXIMUM_BYTES = 64 * 1024
_ADVICE = (
    "restore it from a copy; or move the folder {folder} away, then new keys are made and all kubeconfigs and tokens given out are void"
)


@dataclass(frozen=True, slots=True)
class Pki:
    directory: Path

    def __getitem__(self, name: str) -> Path:
        return self.directory / name

    @property
    def exists(self) -> bool:
        return os.path.lexists(self.directory)

    @property
    def has_front_proxy(self) -> bool:
        """All of it: the last file gets its place when the others have theirs."""
        return os.path.lexists(self[FRONT_PROXY_FILES[-1]])

    def check(self) -> None:
        """Every file is there, whole, and each certificate goes with its key. Raises DamagedFile."""
        import ssl

        has_front_proxy = self.has_front_proxy
        for name in ALL_FILES if has_front_proxy else FILES:
            self._check_pem(self[name])
        for pair in (*_PAIRS, *_FRONT_PROXY_PAIRS) if has_front_proxy else _PAIRS:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self[f"{pair}.crt"], self[f"{pair}.key"])
            except (ssl.SSLError, OSError):
                raise self._damaged(self[f"{pair}.crt"], f"and {pair}.key do not belong together") from None

    def _check_pem(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                text = file.read(_MAXIMUM_BYTES)
        except FileNotFoundError:
            raise self._damaged(path, "is missing") from None
        except OSError as error:
            raise self._damaged(path, f"cannot be read ({(error.strerror or str(error)).lower()})") from None
        if not _is_pem(text):
            raise self._damaged(
                path, "is empty" if not text.strip() else f"is not a PEM {'certificate' if path.suffix == '.crt' else 'key'}"
            )

    def _damaged(self, path: Path, why: str) -> DamagedFile:
        return DamagedFile(path, why, _ADVICE.format(folder=self.directory))


def _is_pem(text: bytes) -> bool:
    """One object between BEGIN and END lines, base64 of DER that is as long as it says."""
    block = re.fullmatch(rb"\s*-----BEGIN ([A-Z ]+)-----\s+([A-Za-z0-9+/=\s]+)-----END \1-----\s*", text)
    try:
        data = base64.b64decode(b"".join(block.group(2).split()), validate=True) if block else b""
    except ValueError:
        return False
    if len(data) < 2 or data[0] != _DER_SEQUENCE:
        return False
    extra = data[1] & 0x7F if data[1] & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + extra], "big") if extra else data[1]
    return len(data) == 2 + extra + length


def ensure(directory: Path, *, now: datetime, hosts: Sequence[str]) -> Pki:
    """The PKI in `directory`, made where there is none. `hosts`: further names and addresses for the server. Raises DamagedFile
    where a part is missing or broken: a new authority would make every kubeconfig and token void."""
    pki = Pki(directory)
    if pki.exists:
        pki.check()
        if not pki.has_front_proxy:
            _add_front_proxy(pki, now)
    else:
        unfinished = Pki(directory.with_name(UNFINISHED))
        private_files.make_folder(unfinished.directory)
        _make(unfinished, now, hosts)
        unfinished.directory.rename(directory)
    return pki


def _make(pki: Pki, now: datetime, hosts: Sequence[str]) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("kubernetes", "", authority_key, None, authority_key, now, CA_DAYS)
    _write(pki["ca.key"], _key_pem(authority_key))
    _write(pki["ca.crt"], _certificate_pem(authority))
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
    for file, common_name, organization, subjects in (
        ("apiserver", "kube-apiserver", "", [*names, "localhost", "127.0.0.1", "::1", "10.96.0.1", *hosts]),
        ("admin", "kubernetes-admin", "system:masters", []),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(common_name, organization, key, authority, authority_key, now, LEAF_DAYS, subjects)
        _write(pki[f"{file}.key"], _key_pem(key))
        _write(pki[f"{file}.crt"], _certificate_pem(leaf))
    _write(pki["sa.key"], _key_pem(ec.generate_private_key(ec.SECP256R1())))
    _make_front_proxy(pki, now)


def _make_front_proxy(pki: Pki, now: datetime) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("front-proxy-ca", "", authority_key, None, authority_key, now, CA_DAYS)
    client = _certificate("front-proxy-client", "", key, authority, authority_key, now, LEAF_DAYS)
    made = {"ca.crt": _certificate_pem(authority), "ca.key": _key_pem(authority_key), "client.crt": _certificate_pem(client)}
    for name, data in {**made, "client.key": _key_pem(key)}.items():
        _write(pki[f"front-proxy-{name}"], data)


def _add_front_proxy(pki: Pki, now: datetime) -> None:
    """To keys that are in use. Where this was interrupted it is done again."""
    unfinished = Pki(pki.directory.with_name(UNFINISHED))
    private_files.make_folder(unfinished.directory)
    _make_front_proxy(unfinished, now)
    for name in FRONT_PROXY_FILES:
        unfinished[name].rename(pki[name])
    unfinished.directory.rmdir()


def client_certificate(pki: Pki, common_name: str, now: datetime) -> tuple[bytes, bytes]:
    """PEM of a new certificate for a user of that name, and of its key. Raises DamagedFile where the authority cannot be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pki.check()
    authority = x509.load_pem_x509_certificate(pki["ca.crt"].read_bytes())
    authority_key = serialization.load_pem_private_key(pki["ca.key"].read_bytes(), None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate_pem(_certificate(common_name, "", key, authority, authority_key, now, LEAF_DAYS)), _key_pem(key)


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


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(private_files.open_file(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(data)
