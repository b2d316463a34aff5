"""CertificateSubjectRestriction: no client certificate is asked for that would make its bearer an administrator."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import forbidden
from kctl.apimachinery.user import SYSTEM_MASTERS
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateSubjectRestriction(AdmissionPlugin):
    name = "CertificateSubjectRestriction"
    operations = ("CREATE",)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> Awaitable[None] | None:
        spec = objects.spec(obj)
        if spec.get("signerName") == CLIENT_SIGNER and SYSTEM_MASTERS in _organizations(spec.get("request") or ""):
            resource = operation.resource
            why = f"use of {CLIENT_SIGNER} signer with {SYSTEM_MASTERS} group is not allowed"
            raise forbidden(resource.group, resource.plural, operation.name, why)
        return None


def _organizations(request: str) -> list[str]:
    """None of what is no request: the kind's own validation has refused that."""
    from cryptography import x509

    try:
        subject = x509.load_pem_x509_csr(base64.b64decode(request)).subject
    except (ValueError, binascii.Error):
        return []
    return [str(name.value) for name in subject.get_attributes_for_oid(x509.oid.NameOID.ORGANIZATION_NAME)]


PLUGIN = CertificateSubjectRestriction()
