"""NamespaceLifecycle: nothing is created in a namespace that does not exist or is being deleted; some are never deleted."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES
from kctl.apimachinery.status import Forbidden, forbidden, not_found
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


class NamespaceLifecycle(AdmissionPlugin):
    name = "NamespaceLifecycle"
    operations = ("CREATE", "DELETE")
    admits_on = ("CREATE",)
    validates_on = ("DELETE",)
    changes_objects = False

    def admit(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        self._check(context, operation)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        resource = operation.resource
        if resource.plural == "namespaces" and not resource.group and operation.name in IMMORTAL:
            raise forbidden("", "namespaces", operation.name, "this namespace may not be deleted")

    def validate_like(self, context: Context, obj: Object, operation: Operation) -> None:
        self._check(context, operation)

    def _check(self, context: Context, operation: Operation) -> None:
        resource = operation.resource
        if not resource.namespaced or operation.operation != "CREATE":
            return
        namespace = context.get(NAMESPACES, "", operation.namespace)
        if namespace is None:
            raise not_found("", "namespaces", operation.namespace)
        if objects.status(namespace).get("phase") == "Terminating":
            raise _terminating(operation)


def _terminating(operation: Operation) -> Forbidden:
    resource, space = operation.resource, operation.namespace
    why = f"unable to create new content in namespace {space} because it is being terminated"
    error = forbidden(resource.group, resource.plural, operation.name, why)
    error.status["details"]["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {space} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return error


PLUGIN = NamespaceLifecycle()
