"""CertificateApproval: who approves or denies a CertificateSigningRequest may `approve` for its signer."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import forbidden
from kctl.kube_apiserver.admission import signer_permission
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context


class CertificateApproval(AdmissionPlugin):
    name = "CertificateApproval"
    operations = ("UPDATE",)
    subresources = frozenset({"approval"})

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        signer = objects.spec(obj).get("signerName") or ""
        if not signer_permission.may(context, "approve", signer):
            resource = operation.resource
            why = f'user not permitted to approve requests with signerName "{signer}"'
            raise forbidden(resource.group, resource.plural, operation.name, why)
        return None


PLUGIN = CertificateApproval()
