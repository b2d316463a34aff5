"""The TLS context of a kubeconfig's cluster and user: its authority, its client certificate, or no verification.

The standard library reads certificates from files only; data embedded in a kubeconfig goes through an anonymous file in
memory, never to disk.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kctl.client.kubeconfig import ResolvedConfig


class TlsError(Exception):
    """A certificate or key that cannot be read."""


def context_for(config: ResolvedConfig) -> ssl.SSLContext:
    """Raises TlsError."""
    cluster = config.cluster
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = _read(cluster, "certificate-authority")
    if cluster.get("insecure-skip-tls-verify"):
        if authority:
            raise TlsError("specifying a root certificates file with the insecure flag is not allowed")
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authority:
        try:
            context.load_verify_locations(cadata=authority.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise TlsError("unable to load root certificates: unable to parse bytes as PEM block") from None
    else:
        context.load_default_certs()
    _load_client(context, config.user)
    return context


def authority(config: ResolvedConfig) -> str:
    """PEM of the authority that the cluster's entry names, '' where it names none. Raises TlsError."""
    return _read(config.cluster, "certificate-authority").decode("ascii", errors="replace")


def _load_client(context: ssl.SSLContext, user: Mapping[str, Any]) -> None:
    certificate, key = _read(user, "client-certificate"), _read(user, "client-key")
    if not certificate and not key:
        return
    if not key:
        raise TlsError("tls: failed to find any PEM data in key input")
    with _file(certificate) as certificate_path, _file(key) as key_path:
        try:
            context.load_cert_chain(certificate_path, key_path)
        except ssl.SSLError:
            raise TlsError("tls: failed to find any PEM data in certificate input") from None


def _read(section: Mapping[str, Any], name: str) -> bytes:
    """`<name>-data` in base64, else the file `<name>`."""
    data = section.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(data)
        except (binascii.Error, ValueError):
            raise TlsError(f"illegal base64 data in {name}-data") from None
    path = section.get(name)
    if not path:
        return b""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TlsError(f"unable to read {name} {path}: open {path}: {(error.strerror or '').lower()}") from None


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[str]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("kctl")
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
