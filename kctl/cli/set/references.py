"""Where an environment variable's value comes from, in words, and the value itself (kubectl's env.GetEnvVarRefValue)."""

from __future__ import annotations

import base64
import re
from typing import Any

from kctl.apimachinery import objects, quantity
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, SECRETS, ResourceType
from kctl.cli.errors import CommandError
from kctl.client.client import Client

_KEYS = {"configMapKeyRef": ("configmap", CONFIG_MAPS), "secretKeyRef": ("secret", SECRETS)}
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


def describe(source: dict[str, Any]) -> str:
    """`source` is an EnvVarSource."""
    for field, (kind, _) in _KEYS.items():
        if field in source:
            return f"{kind} {source[field].get('name', '')}, key {source[field]['key']}"
    if "fieldRef" in source:
        return f"field path {source['fieldRef']['fieldPath']}"
    if "resourceFieldRef" in source:
        of = source["resourceFieldRef"].get("containerName")
        return f"resource field {of + '/' if of else ''}{source['resourceFieldRef']['resource']}"
    return "invalid valueFrom"


class Values:
    """Asks for each config map and secret once."""

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._known: dict[tuple[str, str, str], Object] = {}

    async def of(self, source: dict[str, Any], obj: Object, container: dict[str, Any]) -> str:
        """Raises CommandError or the server's error."""
        for field, (kind, resource) in _KEYS.items():
            if field in source:
                name, key = source[field].get("name", ""), source[field]["key"]
                data = (await self._get(resource, objects.namespace(obj), name)).get("data") or {}
                if key not in data:
                    raise CommandError(f"key {key} not found in {kind} {name}")
                return str(data[key]) if kind == "configmap" else base64.b64decode(data[key]).decode(errors="replace")
        if "fieldRef" in source:
            return _field(obj, source["fieldRef"]["fieldPath"])
        if "resourceFieldRef" in source:
            return _resource(container, source["resourceFieldRef"])
        raise CommandError("invalid valueFrom")

    async def _get(self, resource: ResourceType, namespace: str, name: str) -> Object:
        key = resource.plural, namespace, name
        if key not in self._known:
            if self._client is None:
                raise CommandError("--resolve needs the server, which --local does without")
            self._known[key] = await self._client.get(resource, name, namespace)
        return self._known[key]


def _field(obj: Object, path: str) -> str:
    meta = objects.metadata(obj)
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return str((meta.get(subscript.group(1)) or {}).get(subscript.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs: dict[str, str] = meta.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{pairs[key]}"' for key in sorted(pairs))
    if path in ("metadata.name", "metadata.namespace", "metadata.uid"):
        return str(meta.get(path.removeprefix("metadata."), ""))
    raise CommandError(f"unsupported fieldPath: {path}")


def _resource(container: dict[str, Any], reference: dict[str, Any]) -> str:
    field, _, name = reference["resource"].partition(".")
    amount = ((container.get("resources") or {}).get(field) or {}).get(name, "0")
    divisor = quantity.parse(reference.get("divisor") or "1") or quantity.parse("1")
    return str(-(-quantity.parse(amount) // divisor))
