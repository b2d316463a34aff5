"""The secrets a pod refers to, and whether its service account lists them (for accounts that say pods may use no others)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object

Spec = Mapping[str, Any]
_REFERENCES = ("secretRef", "nodePublishSecretRef")


def names(spec: Spec) -> Iterator[str]:
    """Every secret the pod refers to, as often as it does."""
    yield from (reference.get("name", "") for reference in spec.get("imagePullSecrets") or ())
    for field in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(field) or ():
            yield from (name for _, name in _of_environment(container))
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume)


def _of_environment(container: Spec) -> Iterator[tuple[str, str]]:
    """(variable or '', secret)"""
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if reference:
            yield variable.get("name", ""), reference.get("name", "")
    for source in container.get("envFrom") or ():
        if source.get("secretRef"):
            yield "", source["secretRef"].get("name", "")


def _of_volume(volume: Spec) -> Iterator[str]:
    if (volume.get("secret") or {}).get("secretName"):
        yield volume["secret"]["secretName"]
    if (volume.get("azureFile") or {}).get("secretName"):
        yield volume["azureFile"]["secretName"]
    for source in (volume.get("projected") or {}).get("sources") or ():
        if (source.get("secret") or {}).get("name"):
            yield source["secret"]["name"]
    for source in volume.values():
        if isinstance(source, Mapping):
            yield from (source[field]["name"] for field in _REFERENCES if (source.get(field) or {}).get("name"))


def refusal(spec: Spec, account: Object) -> str:
    """Why the pod may not use what it refers to; '' where it may."""
    allowed = {reference.get("name") for reference in account.get("secrets") or ()}
    suffix = f"is not allowed because service account {objects.name(account)} does not reference that"
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName")
        if secret and secret not in allowed:
            return f'volume with secret.secretName="{secret}" {suffix} secret'
    for field, what in (("initContainers", "init container"), ("containers", "container")):
        for container in spec.get(field) or ():
            for variable, secret in _of_environment(container):
                if secret not in allowed:
                    where = f"envVar {variable}" if variable else "envFrom"
                    return f'{what} {container.get("name", "")} with {where} referencing secret.secretName="{secret}" {suffix} secret'
    pulling = {reference.get("name") for reference in account.get("imagePullSecrets") or ()}
    for index, reference in enumerate(spec.get("imagePullSecrets") or ()):
        if reference.get("name") not in pulling:
            return f'imagePullSecrets[{index}].name="{reference.get("name", "")}" {suffix} imagePullSecret'
    return ""
