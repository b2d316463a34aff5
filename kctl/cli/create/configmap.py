"""kctl create configmap."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from kctl.cli.create.generator import Generator
from kctl.cli.create.hashing import hashed_name
from kctl.cli.create.key_values import collect
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag


class CreateConfigMap(Generator):
    """Create a config map based on a file, directory, or specified literal value."""

    name = "configmap"
    usage = "NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none]"

    from_file: Sequence[str] = flag(
        "--from-file",
        kind="slice",
        help="Key file can be specified using its file path, in which case file basename will be used as configmap key, or optionally with a key and file path, in which case the given key will be used.  Specifying a directory will iterate each named file in the directory whose basename is a valid configmap key.",
    )
    from_literal: Sequence[str] = flag(
        "--from-literal", kind="array", help="Specify a key and literal value to insert in configmap (i.e. mykey=somevalue)"
    )
    from_env_file: Sequence[str] = flag(
        "--from-env-file",
        kind="slice",
        help="Specify the path to a file to read lines of key=val pairs to create a configmap.",
    )
    append_hash: bool = flag("--append-hash", kind="bool", help="Append a hash of the configmap to its name.")

    async def run(self) -> None:
        name = self.object_name
        try:
            content = collect("ConfigMap", self.from_file, self.from_literal, self.from_env_file)
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
        if self.append_hash:
            obj["metadata"] = {"name": hashed_name(obj, name)}
        await self.create(obj, failure="failed to create configmap: ")
