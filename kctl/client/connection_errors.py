"""Network and TLS failures in the words of Go's net, crypto/tls and crypto/x509, which users search for."""

from __future__ import annotations

import socket
import ssl

_CERTIFICATE = {
    18: "x509: certificate signed by unknown authority",
    19: "x509: certificate signed by unknown authority",
    20: "x509: certificate signed by unknown authority",
    21: "x509: certificate signed by unknown authority",
    9: "x509: certificate has expired or is not yet valid",
    10: "x509: certificate has expired or is not yet valid",
}


def describe(error: BaseException, host: str, port: int) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: {_certificate(error, host)}"
    if isinstance(error, ssl.SSLError):
        if "WRONG_VERSION_NUMBER" in str(error) or "HTTP_REQUEST" in str(error):
            return "http: server gave HTTP response to HTTPS client"
        return f"remote error: tls: {(error.reason or str(error)).lower().replace('_', ' ')}"
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(error, ConnectionRefusedError) or "Multiple exceptions" in str(error):
        return f"dial tcp {_address(host)}:{port}: connect: connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "read tcp: connection reset by peer"
    if isinstance(error, TimeoutError):
        return f"dial tcp {host}:{port}: i/o timeout"
    if isinstance(error, EOFError):
        return "EOF"
    if isinstance(error, OSError):
        return f"dial tcp {host}:{port}: connect: {(error.strerror or str(error)).lower()}"
    return str(error)


def _address(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else f"[{host}]" if ":" in host else host


def _certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in (62, 64):
        return f"x509: certificate is valid for other names, not {host}"
    return _CERTIFICATE.get(error.verify_code, f"x509: {error.verify_message}")
