"""kctl create configmap."""

from __future__ import annotations

import base64
from typing import Any

import click

from kctl.cli.command import KubectlCommand
from kctl.cli.create.generator import Generator, exactly_one_name, generator_flags
from kctl.cli.create.hashing import hashed_name
from kctl.cli.create.key_values import collect
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.cli.session import Session


@click.command(
    "configmap",
    cls=KubectlCommand,
    blocking=True,
    short_help="Create a config map from a local file, directory or literal value",
    usage="NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]",
)
@flag(
    "--from-file",
    kind="slice",
    help="Key file can be specified using its file path, in which case file basename will be used as configmap key, or optionally with a key and file path, in which case the given key will be used.  Specifying a directory will iterate each named file in the directory whose basename is a valid configmap key.",
)
@flag("--from-literal", kind="array", help="Specify a key and literal value to insert in configmap (i.e. mykey=somevalue)")
@flag(
    "--from-env-file",
    kind="slice",
    help="Specify the path to a file to read lines of key=val pairs to create a configmap.",
)
@flag("--append-hash", kind="bool", help="Append a hash of the configmap to its name.")
@generator_flags()
async def command(
    session: Session,
    arguments: tuple[str, ...],
    from_file: tuple[str, ...],
    from_literal: tuple[str, ...],
    from_env_file: tuple[str, ...],
    append_hash: bool,
    **flags: Any,
) -> None:
    """Create a config map based on a file, directory, or specified literal value."""
    generator = Generator.of(session, flags)
    name = exactly_one_name(session, arguments)
    try:
        content = collect("ConfigMap", from_file, from_literal, from_env_file)
    except CommandError as error:
        raise CommandError(error.message.replace('"%s"', f'"{name}"')) from None
    obj: dict[str, Any] = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}}
    text: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in sorted(content.items()):
        try:
            text[key] = value.decode()
        except UnicodeDecodeError:
            binary[key] = base64.b64encode(value).decode()
    obj |= {field: data for field, data in (("data", text), ("binaryData", binary)) if data}
    if append_hash:
        obj["metadata"] = {"name": hashed_name(obj, name)}
    await generator.run(obj, failure="failed to create configmap: ")
