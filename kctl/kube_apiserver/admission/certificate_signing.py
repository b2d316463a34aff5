"""CertificateSigning: who writes the certificate or a condition of a CertificateSigningRequest's status may `sign` for its signer."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission import signer_permission
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context


class CertificateSigning(AdmissionPlugin):
    name = "CertificateSigning"
    operations = ("UPDATE",)
    subresources = frozenset({"status"})

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        now, before = objects.status(obj), objects.status(old or {})
        if all((now.get(part) or None) == (before.get(part) or None) for part in ("certificate", "conditions")):
            return None
        signer = objects.spec(obj).get("signerName") or ""
        if not signer_permission.may(context, "sign", signer):
            resource = operation.resource
            why = f'user not permitted to sign requests with signerName "{signer}"'
            raise forbidden(resource.group, resource.plural, operation.name, why)
        return None


PLUGIN = CertificateSigning()
