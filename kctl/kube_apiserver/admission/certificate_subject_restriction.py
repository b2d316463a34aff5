"""CertificateSubjectRestriction: nobody gets a client certificate of the group that may do everything."""

from __future__ import annotations

import base64
import binascii

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import forbidden
from kctl.apimachinery.user import SYSTEM_MASTERS
from kctl.kube_apiserver.admission.plugin import AdmissionPlugin, Operation
from kctl.kube_apiserver.registry.strategy import Context

_SIGNER = "kubernetes.io/kube-apiserver-client"


class CertificateSubjectRestriction(AdmissionPlugin):
    name = "CertificateSubjectRestriction"
    operations = ("CREATE",)

    def validate(self, context: Context, obj: Object, old: Object | None, operation: Operation) -> None:
        spec = objects.spec(obj)
        if spec.get("signerName") == _SIGNER and SYSTEM_MASTERS in _organizations(str(spec.get("request") or "")):
            why = f"use of {_SIGNER} signer with {SYSTEM_MASTERS} group is not allowed"
            raise forbidden(operation.resource.group, operation.resource.plural, operation.name, why)


def _organizations(request: str) -> set[str]:
    """None of what is no certificate request: validation has said so."""
    from cryptography import x509

    try:
        subject = x509.load_pem_x509_csr(base64.b64decode(request)).subject
    except (ValueError, binascii.Error):
        return set()
    return {str(attribute.value) for attribute in subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)}


PLUGIN = CertificateSubjectRestriction()
