"""Field specs: which field of which kinds a transformer changes, as `spec/template/spec/containers[]/image` of Deployments.

A part of the path that meets a list is looked for in each entry. `create` makes what is missing on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kctl.apimachinery.objects import Object
from kctl.cli.errors import CommandError
from kctl.cli.kustomize.resource import Gvk

Set = Callable[[Any], Any]
"""Is given the value of the field (None where it is null or was made) and answers with the new one."""


class FieldSpec(NamedTuple):
    path: str
    gvk: Gvk = Gvk()
    create: bool = False

    @classmethod
    def of(cls, data: dict[str, Any]) -> FieldSpec:
        """From a configuration: {path, group, version, kind, create}."""
        texts = [str(data.get(name) or "") for name in ("path", "group", "version", "kind")]
        return cls(texts[0], Gvk(*texts[1:]), bool(data.get("create")))

    @property
    def parts(self) -> list[str]:
        return split_path(self.path)


def split_path(path: str) -> list[str]:
    r"""a/b\/c -> [a, b/c]"""
    parts: list[str] = []
    for part in path.split("/"):
        if parts and parts[-1].endswith("\\"):
            parts[-1] = f"{parts[-1][:-1]}/{part}"
        else:
            parts.append(part)
    return parts


def merge(specs: Iterable[FieldSpec], more: Iterable[FieldSpec]) -> list[FieldSpec]:
    """Both, each once. Raises CommandError where they contradict each other."""
    merged = list(specs)
    for spec in more:
        same = [one for one in merged if one.path == spec.path and one.gvk == spec.gvk]
        if not same:
            merged.append(spec)
        elif same[0].create != spec.create:
            raise CommandError(f"conflicting fieldspecs: {spec.path}")
    return merged


def apply(obj: Object, spec: FieldSpec, set_value: Set, make: Callable[[], Any] | None = None) -> None:
    """Change the field where the object is of a kind that the spec means. `make` says what a missing field begins as, where the
    spec creates it; without it nothing is created. Raises CommandError for a path that leads through a scalar."""
    if Gvk.of(obj).is_selected(spec.gvk):
        try:
            _walk(obj, spec.parts, spec.create and make is not None, make or dict, set_value)
        except _WrongKind:
            from kctl.apimachinery.yaml import dump

            raise CommandError(
                f"considering field '{spec.path}' of object {_id(obj)}: obj '{dump(obj)}' at path '{spec.path}': expected sequence or mapping node"
            ) from None


class _WrongKind(Exception):
    """A scalar where a path goes on."""


def _id(obj: Object) -> str:
    meta = obj.get("metadata") or {}
    return f"{Gvk.of(obj)}/{meta.get('name') or '[noName]'}.{meta.get('namespace') or '[noNs]'}"


def _walk(node: Any, parts: list[str], create: bool, make: Callable[[], Any], set_value: Set) -> None:
    if isinstance(node, list):
        for entry in node:
            _walk(entry, parts, create, make, set_value)
        return
    if not isinstance(node, dict):
        raise _WrongKind
    field = parts[0].removesuffix("[]")
    creates = create and not parts[0].endswith("[]")
    last = len(parts) == 1
    if node.get(field) is None:
        if not creates:
            if field not in node or not last:
                return
        else:
            node[field] = make() if last else {}
    if last:
        node[field] = set_value(node[field])
    else:
        _walk(node[field], parts[1:], create, make, set_value)
