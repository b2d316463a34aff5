"""TLS between simulated pods: real records, made and read over a connection of the simulated network. Loaded with the first connection."""

from __future__ import annotations

import contextlib
import errno
import os
import ssl
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from controllers.kubelet.commands.network import Side

Waits = float | None
_PIECE_BYTES = 64 * 1024
_PLAIN_STARTS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"PATC", b"OPTI", b"CONN")
TO_PLAIN_CLIENTS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
"""What Go's server says to them."""


class TlsFailed(Exception):
    """The handshake came to nothing. `plain`: the other side does not speak TLS but HTTP; `unverified` says why its certificate is none to
    trust."""

    def __init__(self, words: str, *, plain: bool = False, unverified: str = "") -> None:
        super().__init__(words)
        self.plain = plain
        self.unverified = unverified


class _Decrypted:
    """What the other side wrote: of an Input what readers of a connection use."""

    def __init__(self, secured: TlsSide) -> None:
        self._secured = secured

    @property
    def closed(self) -> bool:
        return self._secured.ended

    def take(self) -> bytes:
        return self._secured.taken()


class TlsSide:
    """One side of a connection inside another; `peer` and `local` are those of the outer one."""

    def __init__(self, side: Side, context: ssl.SSLContext, *, server: bool, name: str = "") -> None:
        self._side = side
        self._server = server
        self._received, self._sending = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._sending, server_side=server, server_hostname=name or None)
        self._first = b""
        self._over = False
        self.stdin = _Decrypted(self)
        self.peer, self.local, self.protocol = side.peer, side.local, side.protocol

    @property
    def ended(self) -> bool:
        return self._over or (self._side.stdin.closed and not self._received.pending)

    @property
    def closed(self) -> bool:
        return self._side.closed

    @property
    def peer_name(self) -> str:
        """The common name in the certificate of the other side that was verified; '' where there is none."""
        subject: Any = (self._tls.getpeercert() or {}).get("subject") or ()
        return next((str(value) for part in subject for name, value in part if name == "commonName"), "")

    def handshake(self) -> Generator[Waits, None, None]:
        """Raises TlsFailed, OSError."""
        while True:
            self._fill()
            if self._server and self._first.startswith(_PLAIN_STARTS):
                self._side.write(TO_PLAIN_CLIENTS)
                raise TlsFailed("client sent an HTTP request to an HTTPS server", plain=True)
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                if self._fill():  # the answer came within the write
                    continue
                if self._side.stdin.closed:
                    raise TlsFailed("EOF") from None
                yield None
                continue
            except ssl.SSLCertVerificationError as wrong:
                self._flush()
                raise TlsFailed(str(wrong), unverified=wrong.verify_message) from None
            except ssl.SSLError as wrong:
                self._flush()
                raise TlsFailed(str(wrong.reason or wrong), plain=self._first.startswith(b"HTTP/")) from None
            self._flush()
            return

    def taken(self) -> bytes:
        self._fill()
        made = b""
        while not self._over:
            try:
                piece = self._tls.read(_PIECE_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLError:  # its end, or what is no record
                piece = b""
            if not piece:
                self._over = True
            made += piece
        return made

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            try:
                self._tls.write(data[start : start + _PIECE_BYTES])
            except ssl.SSLError:
                raise OSError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
            self._flush()

    def finish(self) -> None:
        """Says that nothing follows."""
        with contextlib.suppress(OSError):  # the other side has not said so yet
            self._tls.unwrap()
        if not self._side.closed:
            self._flush()
        self._side.finish()

    def close(self) -> None:
        self._side.close()

    def _fill(self) -> bool:
        """Whether anything has come."""
        data = self._side.stdin.take()
        if data:
            self._first = self._first or data[:8]
            self._received.write(data)
        return bool(data)

    def _flush(self) -> None:
        if self._sending.pending:
            self._side.write(self._sending.read())


def loaded(certificate: bytes, key: bytes, client_authority: bytes = b"") -> ssl.SSLContext:
    """A server's context of PEM texts; with `client_authority` clients may show certificates that it signed. Raises OSError (ssl.SSLError
    is one) for what is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:  # there is no other way into the library
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
    if client_authority:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=client_authority.decode("ascii", "replace"))
    return context


@lru_cache(maxsize=1)
def self_signed() -> ssl.SSLContext:
    """As test images carry one: for localhost, trusted by nobody."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2000, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("example.com")])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    form = serialization.Encoding.PEM
    secret = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return loaded(made.public_bytes(form), secret)


def of_client(authority: bytes | None = None, *, verifies: bool = True) -> ssl.SSLContext:
    """`authority` is the PEM text of whom it trusts. Raises OSError for what is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority is not None:
        context.load_verify_locations(cadata=authority.decode("ascii", "replace"))
    return context
