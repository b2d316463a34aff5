"""Metadata inside an object, for objects that are made from it: labels and annotations, nothing else (upstream's
ValidateTemplateObjectMeta, for claim templates)."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors
from kctl.apimachinery.field_errors import FieldError
from kctl.kube_apiserver.registry.metadata import annotation_errors, label_errors
from kctl.kube_apiserver.registry.rules.language import optional, struct

_FORBIDDEN = (
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
)
"""In the order of ObjectMeta."""


def _nothing_else(meta: dict[str, Any], path: str) -> list[FieldError]:
    """Upstream makes the path of the field's name in Go: uID."""
    given = (name for name in _FORBIDDEN if meta.get(name) is not None)
    return [field_errors.forbidden(f"{path}.{'uID' if name == 'uid' else name}", "cannot be set") for name in given]


TEMPLATE_METADATA = struct(
    optional("annotations", lambda annotations, path: annotation_errors(path, annotations)),
    optional("labels", lambda labels, path: label_errors(path, labels)),
    _nothing_else,
)
