"""A kind whose rules say it all: defaults, validity, what may not change, and the same for its status."""

from __future__ import annotations

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry import field_checks
from kctl.kube_apiserver.registry.rules.language import Struct, struct
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class RuledStrategy(Strategy):
    rules: Struct = struct()
    status_rules: Struct = struct()
    status_keeps_metadata: bool = False
    """A write of /status leaves labels, annotations and owners as they were."""

    def default(self, context: Context, obj: Object) -> None:
        self.rules.default(obj)

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        if self.status_keeps_metadata and context.subresource == "status":
            field_checks.keep_metadata(obj, old)

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return self.rules.errors(obj)

    def validate_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.rules.errors(obj) + self.rules.changes(obj, old)

    def validate_status_update(self, context: Context, obj: Object, old: Object) -> list[FieldError]:
        return self.status_rules.errors(obj)
