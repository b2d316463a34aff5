"""kctl create secret generic|docker-registry|tls."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from kctl.cli.command import KubectlCommand, KubectlGroup
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.create.hashing import hashed_name
from kctl.cli.create.key_values import collect
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session

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


command = KubectlGroup(
    "secret",
    short_help="Create a secret using a specified subcommand",
    usage="(docker-registry | generic | tls)",
    help="Create a secret with specified type.\n\n A docker-registry type secret is for accessing a container registry.\n\n"
    " A generic type secret indicate an Opaque secret type.\n\n A tls type secret holds TLS certificate and its associated key.",
)


@command.command(
    "generic",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a secret from a local file, directory, or literal value",
    usage="NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
)
@flag(
    "--from-file",
    kind="slice",
    help="Key files can be specified using their file path, in which case a default name will be given to them, or optionally with a name and file path, in which case the given name will be used.  Specifying a directory will iterate each named file in the directory that is a valid secret key.",
)
@flag("--from-literal", kind="array", help="Specify a key and literal value to insert in secret (i.e. mykey=somevalue)")
@flag(
    "--from-env-file",
    kind="slice",
    help="Specify the path to a file to read lines of key=val pairs to create a secret.",
)
@flag("--type", help="The type of secret to create")
@flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")
@generator_flags()
async def generic(
    session: Session,
    arguments: tuple[str, ...],
    from_file: tuple[str, ...],
    from_literal: tuple[str, ...],
    from_env_file: tuple[str, ...],
    type: str,
    append_hash: bool,
    **flags: Any,
) -> None:
    """Create a secret based on a file, directory, or specified literal value."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    try:
        content = collect("Secret", from_file, from_literal, from_env_file)
    except CommandError as error:
        raise CommandError(error.message.replace('"%s"', f'"{name}"')) from None
    await generator.run(_secret(name, content, type, append_hash), failure=_FAILURE)


@command.command(
    "docker-registry",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a secret for use with a Docker registry",
    usage="NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]",
)
@flag("--docker-server", default="https://index.docker.io/v1/", help="Server location for Docker registry")
@flag("--docker-username", help="Username for Docker registry authentication")
@flag("--docker-password", help="Password for Docker registry authentication")
@flag("--docker-email", help="Email for Docker registry")
@flag("--from-file", kind="slice", help="Key files can be specified using their file path.")
@flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")
@generator_flags()
async def docker_registry(
    session: Session,
    arguments: tuple[str, ...],
    docker_server: str,
    docker_username: str,
    docker_password: str,
    docker_email: str,
    from_file: tuple[str, ...],
    append_hash: bool,
    **flags: Any,
) -> None:
    """Create a new secret for use with Docker registries."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    if from_file:
        content = collect("Secret", from_file, (), ())
        if ".dockerconfigjson" not in content:
            content = {".dockerconfigjson": next(iter(content.values()))}
    else:
        missing = [
            f"docker-{part}"
            for part, value in (("username", docker_username), ("password", docker_password), ("server", docker_server))
            if not value
        ]
        if missing:
            raise CommandError(
                "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required"
            )
        content = {".dockerconfigjson": _docker_config(docker_server, docker_username, docker_password, docker_email)}
    await generator.run(_secret(name, content, "kubernetes.io/dockerconfigjson", append_hash), failure=_FAILURE)


def _docker_config(server: str, username: str, password: str, email: str) -> bytes:
    import orjson

    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    entry = {"username": username, "password": password, **({"email": email} if email else {}), "auth": auth}
    return orjson.dumps({"auths": {server: entry}})


@command.command(
    "tls",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a TLS secret",
    usage="NAME --cert=path/to/cert/file --key=path/to/key/file [--dry-run=server|client|none]",
)
@flag("--cert", help="Path to PEM encoded public key certificate.")
@flag("--key", help="Path to private key associated with given certificate.")
@flag("--append-hash", kind="bool", help="Append a hash of the secret to its name.")
@generator_flags()
async def tls(session: Session, arguments: tuple[str, ...], cert: str, key: str, append_hash: bool, **flags: Any) -> None:
    """Create a TLS secret from the given public/private key pair."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    if not cert or not key:
        raise CommandError("key and cert must be specified")
    content = {"tls.crt": _read(cert), "tls.key": _read(key)}
    _check_pair(content["tls.crt"], content["tls.key"])
    await generator.run(_secret(name, content, "kubernetes.io/tls", append_hash), failure=_FAILURE)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"open {path}: {(error.strerror or '').lower()}") from None


def _check_pair(certificate: bytes, key: bytes) -> None:
    import ssl
    import tempfile

    for content, what in ((certificate, "certificate"), (key, "key")):
        if b"-----BEGIN" not in content:
            raise CommandError(f"tls: failed to find any PEM data in {what} input")
    with tempfile.NamedTemporaryFile() as one, tempfile.NamedTemporaryFile() as two:
        one.write(certificate)
        one.flush()
        two.write(key)
        two.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(one.name, two.name)
        except ssl.SSLError:
            raise CommandError("tls: private key does not match public key") from None
