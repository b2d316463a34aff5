"""kctl create secret generic|docker-registry|tls."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kctl.cli.command import Group
from kctl.cli.create.generator import Generator
from kctl.cli.create.hashing import hashed_name
from kctl.cli.create.key_values import collect
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.lazy import Lazy

_FAILURE = "failed to create secret "


def _secret(name: str, content: dict[str, bytes], kind: str, append_hash: bool) -> dict[str, Any]:
    obj: dict[str, Any] = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": name}}
    if content:
        obj["data"] = {key: base64.b64encode(content[key]).decode() for key in sorted(content)}
    if kind:
        obj["type"] = kind
    if append_hash:
        obj["metadata"] = {"name": hashed_name(obj, name)}
    return obj


class CreateSecret(Group):
    """Create a secret with specified type.

    A docker-registry type secret is for accessing a container registry.

    A generic type secret indicate an Opaque secret type.

    A tls type secret holds TLS certificate and its associated key.
    """

    name = "secret"
    usage = "(docker-registry | generic | tls)"
    members = {
        "docker-registry": Lazy(__name__, "CreateDockerRegistrySecret", "Create a secret for use with a Docker registry"),
        "generic": Lazy(__name__, "CreateGenericSecret", "Create a secret from a local file, directory, or literal value"),
        "tls": Lazy(__name__, "CreateTlsSecret", "Create a TLS secret"),
    }


class CreateGenericSecret(Generator):
    """Create a secret based on a file, directory, or specified literal value."""

    name = "generic"
    usage = "NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]"

    from_file: Sequence[str] = flag(
        "--from-file",
        kind="slice",
        help="Key files can be specified using their file path, in which case a default name will be given to them, or optionally with a name and file path, in which case the given name will be used.  Specifying a directory will iterate each named file in the directory that is a valid secret key.",
    )
    from_literal: Sequence[str] = flag(
        "--from-literal", kind="array", help="Specify a key and literal value to insert in secret (i.e. mykey=somevalue)"
    )
    from_env_file: Sequence[str] = flag(
        "--from-env-file",
        kind="slice",
        help="Specify the path to a file to read lines of key=val pairs to create a secret.",
    )
    secret_type: str = flag("--type", help="The type of secret to create")
    append_hash: bool = flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")

    async def run(self) -> None:
        name = self.object_name
        try:
            content = collect("Secret", self.from_file, self.from_literal, self.from_env_file)
        except CommandError as error:
            raise CommandError(error.message.replace('"%s"', f'"{name}"')) from None
        await self.create(_secret(name, content, self.secret_type, self.append_hash), failure=_FAILURE)


class CreateDockerRegistrySecret(Generator):
    """Create a new secret for use with Docker registries."""

    name = "docker-registry"
    usage = "NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]"

    docker_server: str = flag("--docker-server", default="https://index.docker.io/v1/", help="Server location for Docker registry")
    docker_username: str = flag("--docker-username", help="Username for Docker registry authentication")
    docker_password: str = flag("--docker-password", help="Password for Docker registry authentication")
    docker_email: str = flag("--docker-email", help="Email for Docker registry")
    from_file: Sequence[str] = flag("--from-file", kind="slice", help="Key files can be specified using their file path.")
    append_hash: bool = flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")

    async def run(self) -> None:
        name = self.object_name
        if self.from_file:
            content = collect("Secret", self.from_file, (), ())
            if ".dockerconfigjson" not in content:
                content = {".dockerconfigjson": next(iter(content.values()))}
        else:
            missing = [
                f"docker-{part}"
                for part, value in (("username", self.docker_username), ("password", self.docker_password), ("server", self.docker_server))
                if not value
            ]
            if missing:
                raise CommandError(
                    "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required"
                )
            content = {
                ".dockerconfigjson": _docker_config(self.docker_server, self.docker_username, self.docker_password, self.docker_email)
            }
        await self.create(_secret(name, content, "kubernetes.io/dockerconfigjson", self.append_hash), failure=_FAILURE)


def _docker_config(server: str, username: str, password: str, email: str) -> bytes:
    import orjson

    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    login = {"username": username, "password": password, **({"email": email} if email else {}), "auth": auth}
    return orjson.dumps({"auths": {server: login}})


class CreateTlsSecret(Generator):
    """Create a TLS secret from the given public/private key pair."""

    name = "tls"
    usage = "NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]"

    cert: str = flag("--cert", help="Path to PEM encoded public key certificate.")
    key: str = flag("--key", help="Path to private key associated with given certificate.")
    append_hash: bool = flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")

    async def run(self) -> None:
        name = self.object_name
        if not self.cert or not self.key:
            raise CommandError("key and cert must be specified")
        content = {"tls.crt": _read(self.cert), "tls.key": _read(self.key)}
        _check_pair(content["tls.crt"], content["tls.key"])
        await self.create(_secret(name, content, "kubernetes.io/tls", self.append_hash), failure=_FAILURE)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read file {path}, open {path}: {(error.strerror or '').lower()}") from None


def _check_pair(certificate: bytes, key: bytes) -> None:
    import ssl
    import tempfile

    for content, what in ((certificate, "certificate"), (key, "key")):
        if b"-----BEGIN" not in content:
            raise CommandError(f"tls: failed to find any PEM data in {what} input")
    with tempfile.NamedTemporaryFile() as certificate_file, tempfile.NamedTemporaryFile() as key_file:
        certificate_file.write(certificate)
        certificate_file.flush()
        key_file.write(key)
        key_file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate_file.name, key_file.name)
        except ssl.SSLError:
            raise CommandError("tls: private key does not match public key") from None
