"""ServiceAccounts: nothing but metadata and references."""

from __future__ import annotations

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.kube_apiserver.registry.strategy import Context, Strategy

_MOUNTABLE_ONLY = "kubernetes.io/enforce-mountable-secrets"


class ServiceAccountStrategy(Strategy):
    has_generation = False
    returns_deleted_object = True

    def prepare_for_create(self, context: Context, obj: Object) -> None:
        """Of a reference to a secret only its name is kept."""
        if obj.get("secrets"):
            obj["secrets"] = [{"name": secret["name"]} if secret.get("name") else {} for secret in obj["secrets"]]

    def prepare_for_update(self, context: Context, obj: Object, old: Object) -> None:
        self.prepare_for_create(context, obj)

    def warnings_on_create(self, context: Context, obj: Object) -> list[str]:
        if _MOUNTABLE_ONLY not in objects.annotations(obj):
            return []
        instead = "prefer separate namespaces to isolate access to mounted secrets"
        return [f"metadata.annotations[{_MOUNTABLE_ONLY}]: deprecated in v1.32+; {instead}"]

    def warnings_on_update(self, context: Context, obj: Object, old: Object) -> list[str]:
        return [] if _MOUNTABLE_ONLY in objects.annotations(old) else self.warnings_on_create(context, obj)


STRATEGY = ServiceAccountStrategy()
