"""kctl config set and unset: one value, found by its path (clusters.kctl.server)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from kctl.cli.command import Command
from kctl.cli.config.fields import OF_SECTION
from kctl.cli.config.files import ConfigFiles, require_arguments
from kctl.cli.errors import CommandError
from kctl.cli.flags import flag
from kctl.client.kubeconfig import Kubeconfig

_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")


class _Path:
    """section '' is the current context; field '' the whole entry; `rest` what goes on inside a field."""

    def __init__(self, text: str, config: Kubeconfig) -> None:
        self.section, _, after = text.partition(".")
        if self.section == "current-context":
            self.section, after = "", ""
        elif self.section not in OF_SECTION:
            raise CommandError(f"unable to parse {text} after [] at api.Config")
        self.name, self.field, self.rest = self._split(after, config)

    def _split(self, after: str, config: Kubeconfig) -> tuple[str, str, list[str]]:
        """Names of entries may have dots: one that exists wins, else a known field ends the name."""
        if not self.section or not after:
            return after, "", []
        fields = OF_SECTION[self.section]
        for known in sorted(config.section(self.section), key=len, reverse=True):
            if after == known or after.startswith(known + "."):
                parts = after[len(known) + 1 :].split(".") if after != known else [""]
                return known, parts[0], parts[1:]
        words = after.split(".")
        for index in range(len(words) - 1, 0, -1):
            if words[index] in fields:
                return ".".join(words[:index]), words[index], words[index + 1 :]
        return after, "", []


class ConfigSet(Command):
    """Set an individual value in a kubeconfig file.

    PROPERTY_NAME is a dot delimited name where each token represents either an attribute name or a map key. Binary fields
    such as 'certificate-authority-data' expect a base64 encoded string unless the --set-raw-bytes flag is used.
    """

    name = "set"
    usage = "PROPERTY_NAME PROPERTY_VALUE"
    examples = """
  # Set the server field on the my-cluster cluster to https://1.2.3.4
  kctl config set clusters.my-cluster.server https://1.2.3.4

  # Set the cluster field in the my-context context to my-cluster
  kctl config set contexts.my-context.cluster my-cluster
"""

    set_raw_bytes: bool = flag(
        "--set-raw-bytes",
        kind="bool",
        help="When writing a []byte PROPERTY_VALUE, write the given string directly without base64 decoding.",
    )

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 2, self)

    def run(self) -> None:
        files = ConfigFiles(self.session)
        config = files.merged()
        path, value = _Path(self.arguments[0], config), self.arguments[1]
        if not path.section:
            files.use(value)
        else:
            kind = OF_SECTION[path.section].get(path.field)
            if path.rest:
                raise CommandError(f"unable to parse one or more field values of {self.arguments[0]}")
            if not path.field or kind is None:
                raise CommandError(f"can't set a map to a value: {path.section}.{path.name}")
            settings = dict(config.section(path.section).get(path.name, {}))
            settings[path.field] = _typed(kind, value, self.set_raw_bytes)
            files.put(path.section, path.name, settings)
        self.session.print(f'Property "{self.arguments[0]}" set.')


def _typed(kind: str, text: str, raw: bool) -> Any:
    if kind == "bool":
        if text not in (*_TRUE, *_FALSE):
            raise CommandError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
        return text in _TRUE
    if kind == "bytes":
        if raw:
            return base64.b64encode(text.encode()).decode()
        return _checked_base64(text)
    return text


def _checked_base64(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except binascii.Error:
        letters = [index for index, letter in enumerate(text) if not (letter.isalnum() or letter in "+/=")]
        at = letters[0] if letters else len(text) - len(text) % 4
        raise CommandError(f"error decoding input value: illegal base64 data at input byte {at}") from None


class ConfigUnset(Command):
    """Unset an individual value in a kubeconfig file.

    PROPERTY_NAME is a dot delimited name where each token represents either an attribute name or a map key.
    """

    name = "unset"
    usage = "PROPERTY_NAME"
    examples = """
  # Unset the current-context
  kctl config unset current-context

  # Unset namespace in foo context
  kctl config unset contexts.foo.namespace
"""

    def validate(self) -> None:
        require_arguments(len(self.arguments) == 1, self)

    def run(self) -> None:
        files = ConfigFiles(self.session)
        config = files.merged()
        path = _Path(self.arguments[0], config)
        section = config.section(path.section) if path.section else {}
        if not path.section:
            files.use("")
        elif not path.name:
            for name in list(section):
                files.remove(path.section, name)
        elif path.name in section and not path.field:
            files.remove(path.section, path.name)
        elif path.field and path.name not in section:
            raise CommandError(f"current map key `{path.name}` is invalid")
        elif path.name in section:
            files.put(path.section, path.name, _without(section[path.name], [path.field, *path.rest]))
        self.session.print(f'Property "{self.arguments[0]}" unset.')


def _without(settings: dict[str, Any], path: list[str]) -> dict[str, Any]:
    if len(path) == 1:
        return {name: value for name, value in settings.items() if name != path[0]}
    inner = settings.get(path[0])
    return {**settings, path[0]: _without(inner, path[1:])} if isinstance(inner, dict) else settings
