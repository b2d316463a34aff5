"""TLS of Ingresses: for each name that a client asks for the certificate of its Secret, else one that nobody trusts."""

from __future__ import annotations

import base64
import logging
import ssl
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.daemon.ingress.routes import Certificate

_LOG = logging.getLogger(__name__)
_MOST_KEPT = 1_000
FAKE_NAME = "Kubernetes Ingress Controller Fake Certificate"
_FAKE_DAYS = 365


class CannotUse(Exception):
    """A Secret is no certificate; why."""


class Certificates:
    """`wanted` gives the Secret for a server name, `secret` the Secret itself. `now` is the machine's time."""

    def __init__(
        self, wanted: Callable[[str], Certificate | None], secret: Callable[[Certificate], Object | None], now: Callable[[], datetime]
    ) -> None:
        self._wanted = wanted
        self._secret = secret
        self._now = now
        self._contexts: dict[Certificate, tuple[str, ssl.SSLContext | None]] = {}
        """With the resourceVersion of the Secret."""

    def listening(self) -> ssl.SSLContext:
        """What a port listens with: the certificate is chosen by the name that the client asks for (SNI)."""
        context = _context(*self_signed(self._now(), FAKE_NAME, ["ingress.local"]))

        def chosen(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            found = self._for(name or "")
            if found is not None:
                connection.context = found

        context.sni_callback = chosen
        return context

    def _for(self, name: str) -> ssl.SSLContext | None:
        wanted = self._wanted(name)
        secret = self._secret(wanted) if wanted is not None else None
        if wanted is None or secret is None:
            return None
        version = str(secret["metadata"].get("resourceVersion"))
        before = self._contexts.get(wanted)
        if before is not None and before[0] == version:
            return before[1]
        made: ssl.SSLContext | None = None
        try:
            made = of_secret(secret)
        except CannotUse as why:
            _LOG.warning("Secret %s: %s", objects.key(secret), why)
        if len(self._contexts) >= _MOST_KEPT:
            self._contexts.clear()
        self._contexts[wanted] = version, made
        return made


def of_secret(secret: Object) -> ssl.SSLContext:
    """Raises CannotUse."""
    data = secret.get("data") or {}
    try:
        certificate, key = (base64.b64decode(data[name]) for name in ("tls.crt", "tls.key"))
    except KeyError as missing:
        raise CannotUse(f"has no {missing.args[0]}") from None
    except ValueError:
        raise CannotUse("is no base64") from None
    try:
        return _context(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise CannotUse(str(error)) from None


def _context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """The ssl module reads files only: they are there for that moment, and for this user alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("tls.crt", "tls.key")]
        for path, data in zip(paths, (certificate, key), strict=True):
            path.touch(0o600)
            path.write_bytes(data)
        context.load_cert_chain(paths[0], paths[1], password="")  # never asks a terminal for one
    return context


def self_signed(now: datetime, common_name: str, hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """(certificate, key) as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme Co"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_FAKE_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM), private
