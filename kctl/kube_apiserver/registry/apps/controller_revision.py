"""ControllerRevisions: immutable snapshots of a template."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery import field_errors as fe
from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.field_checks import IMMUTABLE
from kctl.kube_apiserver.registry.rules.checks import non_negative
from kctl.kube_apiserver.registry.rules.language import field, struct
from kctl.kube_apiserver.registry.rules.strategy import RuledStrategy
from kctl.kube_apiserver.registry.strategy import Context


def _data(revision: Any, path: str) -> list[FieldError]:
    """Any JSON will do, even an empty object."""
    return [fe.required("data", "data is mandatory")] if revision.get("data") is None else []


class ControllerRevisionStrategy(RuledStrategy):
    has_generation = False
    rules = struct(_data, field("revision", non_negative))

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        """Upstream compares the data's bytes: one that came with spaces between them, as no client made with Go sends it, cannot be
        patched there."""
        changed = [] if obj.get("data") == old.get("data") else [fe.invalid("data", obj.get("data"), IMMUTABLE)]
        return self.validate(context, obj) + changed
