"""buildMetadata: annotations that say which file an object comes from and what changed it on the way."""

from __future__ import annotations

import os
from typing import Any, Final

from kctl.cli.kustomize.resource import Resource, ResourceMap

ORIGIN: Final = "originAnnotations"
TRANSFORMERS: Final = "transformerAnnotations"
MANAGED_BY: Final = "managedByLabel"
_ORIGIN_ANNOTATION: Final = "config.kubernetes.io/origin"
_TRANSFORMERS_ANNOTATION: Final = "alpha.config.kubernetes.io/transformations"
_FIELDS: Final = ("path", "repo", "ref", "configuredIn", "configuredBy")
_OF_CONFIGURATION: Final = ("apiVersion", "kind", "name", "namespace")


class Origin:
    """Where in the tree of kustomizations we are: the path from the first one's folder."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder

    def below(self, path: str) -> Origin:
        return Origin(self._joined(path))

    def _joined(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._folder, path)) if self._folder else os.path.normpath(path)

    def of_file(self, path: str) -> dict[str, Any]:
        return {"path": self._joined(path)}

    def of_plugin(self, file: str, kind: str, configuration: Resource | None = None) -> dict[str, Any]:
        """What a generator or transformer of the kustomization file (or of a configuration) made."""
        by = {"apiVersion": "builtin", "kind": kind}
        if configuration is not None:
            by = {"apiVersion": configuration.gvk.api_version, "kind": configuration.kind, "name": configuration.name}
            if configuration.namespace:
                by["namespace"] = configuration.namespace
        return {"configuredIn": self._joined(file), "configuredBy": by}


def note_transformation(resources: ResourceMap, origin: dict[str, Any]) -> None:
    """An object of unknown origin was made by the transformer."""
    for one in resources.resources:
        if one.origin is None:
            one.origin = origin
        else:
            one.transformations.append(origin)


def annotate(resources: ResourceMap, options: list[str]) -> None:
    for one in resources.resources:
        if ORIGIN in options and one.origin is not None:
            one.set_strings("annotations", {**one.strings("annotations"), _ORIGIN_ANNOTATION: _yaml(one.origin)})
        if TRANSFORMERS in options and one.transformations:
            text = "".join(_listed(_yaml(origin)) for origin in one.transformations)
            one.set_strings("annotations", {**one.strings("annotations"), _TRANSFORMERS_ANNOTATION: text})


def _yaml(origin: dict[str, Any]) -> str:
    """Go's order of fields."""
    lines = [f"{name}: {origin[name]}\n" for name in _FIELDS if origin.get(name) and name != "configuredBy"]
    by = origin.get("configuredBy")
    if by:
        lines.append("configuredBy:\n")
        lines += [f"  {name}: {by[name]}\n" for name in _OF_CONFIGURATION if by.get(name)]
    return "".join(lines)


def _listed(text: str) -> str:
    first, *rest = text.splitlines()
    return "".join(f"{line}\n" for line in (f"- {first}", *(f"  {line}" for line in rest)))
