"""PodTemplates."""

from __future__ import annotations

from kctl.apimachinery.field_errors import FieldError
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.core.pod_defaults import default_pod_template
from kctl.kube_apiserver.registry.core.pod_validation import validate_pod_template
from kctl.kube_apiserver.registry.core.pod_warnings import template_warnings
from kctl.kube_apiserver.registry.strategy import Context, Strategy


class PodTemplateStrategy(Strategy):
    generation_fields = ("template",)
    returns_deleted_object = True

    def default(self, context: Context, obj: Object) -> None:
        default_pod_template(obj.setdefault("template", {}))

    def validate(self, context: Context, obj: Object) -> list[FieldError]:
        return validate_pod_template(obj.get("template"), "template")

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        return template_warnings(obj.get("template"), "template")

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return [] if obj.get("template") == old.get("template") else self.warnings_on_create(context, obj)


STRATEGY = PodTemplateStrategy()
