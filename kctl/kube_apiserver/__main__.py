"""A kube-apiserver alone, in memory, without controllers: `python -m kctl.kube_apiserver --port 0 --token T`.

For comparing its answers with a real server's. Without --tls-cert/--tls-key it makes a self-signed certificate.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
import tempfile
from datetime import timedelta
from pathlib import Path

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, User
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.server import ApiServer
from kctl.kube_apiserver.storage import memory_store

_ADMIN = User("admin", (SYSTEM_MASTERS, SYSTEM_AUTHENTICATED), "admin")


def _self_signed(folder: Path) -> tuple[Path, Path]:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = RealClock().now()
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "tls.crt", folder / "tls.key"
    cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return cert_path, key_path


async def _serve(arguments: argparse.Namespace) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if arguments.tls_cert:
        context.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    else:
        with tempfile.TemporaryDirectory() as folder:
            context.load_cert_chain(*_self_signed(Path(folder)))
    store = memory_store()
    await store.start()
    config = ApiServerConfig(tokens={arguments.token: _ADMIN} if arguments.token else {})
    server = ApiServer(store, clock=RealClock(), randomness=random.Random(), config=config)
    await server.start()
    port = await server.serve(arguments.host, arguments.port, context)
    print(f"kube-apiserver serving at https://{arguments.host}:{port}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kctl.kube_apiserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--token", default="", help="a bearer token of the cluster admin")
    parser.add_argument("--tls-cert", default="")
    parser.add_argument("--tls-key", default="")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
