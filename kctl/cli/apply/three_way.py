"""Client-side apply: what was applied last, what is applied now and what is there make one patch (apply.Patcher).

Built-in kinds get a strategic merge patch, custom resources a JSON merge patch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from kctl.apimachinery import merge_patch, objects
from kctl.apimachinery.objects import Object
from kctl.cli.apply.last_applied import last_applied
from kctl.cli.builder import Info
from kctl.cli.errors import CommandError
from kctl.client.transport import MERGE_PATCH, STRATEGIC_MERGE_PATCH

_FIXED = ("apiVersion", "kind")


@dataclass(frozen=True, slots=True)
class Patch:
    document: dict[str, Any]
    content_type: str

    @property
    def empty(self) -> bool:
        return not self.document


def make_patch(info: Info, modified: Object, current: Object) -> Patch:
    """`modified` carries its own last-applied annotation. Raises CommandError where the last one cannot be read."""
    original = _original(current)
    schema = _schema(info)
    if schema is not None:
        from kctl.apimachinery import strategic_diff

        document = strategic_diff.three_way(original, modified, current, schema.patch_meta)
        return Patch(document, STRATEGIC_MERGE_PATCH)
    document = merge_patch.three_way(original, modified, current)
    _check_fixed(document)
    return Patch(document, MERGE_PATCH)


def apply_locally(info: Info, current: Object, patch: Patch) -> Object:
    """The object as the server would make it, for --dry-run=client -o yaml."""
    schema = _schema(info)
    if patch.content_type == STRATEGIC_MERGE_PATCH and schema is not None:
        from kctl.apimachinery import strategic_merge

        return strategic_merge.apply(current, patch.document, schema.patch_meta)
    return dict(merge_patch.apply(current, patch.document))


def _original(current: Object) -> Object:
    text = last_applied(current)
    if not text:
        return {}
    try:
        original = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CommandError(f"retrieving original configuration from:\n{objects.name(current)}: {error}") from None
    return original if isinstance(original, dict) else {}


def _schema(info: Info) -> Any:
    from kctl.apimachinery.schema import schemas

    return schemas.load().for_kind(info.resource.api_version, info.resource.kind)


def _check_fixed(document: dict[str, Any]) -> None:
    """apiVersion, kind and metadata.name cannot be changed by a patch."""
    for field in _FIXED:
        if field in document:
            raise CommandError(f"patch:\n{document}\ncannot change {field}")
