"""The annotation kubectl.kubernetes.io/last-applied-configuration: what was applied last, as JSON, without itself."""

from __future__ import annotations

from typing import Final

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.printers.go_json import escape_html

ANNOTATION: Final = "kubectl.kubernetes.io/last-applied-configuration"


def annotated(obj: Object, *, in_field_order: bool = False) -> Object:
    """The object with the annotation of itself (util.CreateOrUpdateAnnotation). An object made here from a known Go type
    keeps the order of its fields and gets no empty annotations."""
    meta = obj.get("metadata") or {}
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key != ANNOTATION}
    if in_field_order:
        bare = obj
    else:
        bare = {**obj, "metadata": {**meta, "annotations": annotations}}
    option = None if in_field_order else orjson.OPT_SORT_KEYS
    text = escape_html(orjson.dumps(bare, option=option).decode()) + "\n"
    return {**obj, "metadata": {**meta, "annotations": {**annotations, ANNOTATION: text}}}


def last_applied(obj: Object) -> str | None:
    """The annotation's text; None where there is none."""
    return objects.annotations(obj).get(ANNOTATION)


def replacing(obj: Object) -> tuple[str, Object]:
    """The annotation as it would be if this were applied, and the merge patch that puts it into the object. The text is the
    object as it stands, its own annotations included (editor.GetApplyPatch)."""
    text = escape_html(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS).decode())
    return text, {"metadata": {"annotations": {ANNOTATION: text}}}
