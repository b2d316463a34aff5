"""certificatesigningrequest-approving-controller: client certificates that kubelets ask for are approved where RBAC lets them ask."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, exists
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339

SIGNING_REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
ACCESS_REVIEWS = built_in("authorization.k8s.io/v1", "SubjectAccessReview")
_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
_USAGES = ({"digital signature", "client auth"}, {"digital signature", "client auth", "key encipherment"})


class ApprovingController(LoopController):
    name = "certificatesigningrequest-approving-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._requests = context.informers.informer(SIGNING_REQUESTS)

    def wakes(self) -> Sequence[Source]:
        return (For(SIGNING_REQUESTS, when=exists),)

    async def reconcile(self, key: str) -> None:
        request = self._requests.get(key)
        if request is None or not _is_open(request) or not _is_of_a_node(request):
            return
        own = objects.spec(request).get("username") == _common_name(request)
        attempts = [("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview.")] if own else []
        attempts.append(("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."))
        for subresource, message in attempts:
            if await self._may(request, subresource):
                await self._approve(request, message)
                return

    async def _may(self, request: Object, subresource: str) -> bool:
        spec = objects.spec(request)
        asked: Object = {"user": spec.get("username") or "", "groups": spec.get("groups") or [], "uid": spec.get("uid") or ""}
        attributes = {"group": "certificates.k8s.io", "resource": "certificatesigningrequests", "verb": "create", "version": "*"}
        asked |= {"extra": spec.get("extra") or {}, "resourceAttributes": {**attributes, "subresource": subresource}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": asked}
        return bool(objects.status(await self.context.client.create(ACCESS_REVIEWS, review)).get("allowed"))

    async def _approve(self, request: Object, message: str) -> None:
        stamp = rfc3339(self.context.clock.now())
        condition = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
        condition |= {"lastUpdateTime": stamp, "lastTransitionTime": stamp}
        conditions = [*(objects.status(request).get("conditions") or ()), condition]
        try:
            changed = objects.with_status(request, conditions=conditions)
            written = await self.context.client.update(SIGNING_REQUESTS, changed, subresource="approval")
        except NotFound:
            return
        self._requests.observe((written,))


def _is_open(request: Object) -> bool:
    status = objects.status(request)
    return not status.get("certificate") and not any(each["type"] in ("Approved", "Denied") for each in status.get("conditions") or ())


def _is_of_a_node(request: Object) -> bool:
    spec = objects.spec(request)
    if spec.get("signerName") != _SIGNER or set(spec.get("usages") or ()) not in _USAGES:
        return False
    return _common_name(request).startswith("system:node:")


def _common_name(request: Object) -> str:
    """'' where the request cannot be read, or is none of a node's."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        read = x509.load_pem_x509_csr(base64.b64decode(str(objects.spec(request).get("request") or "")))
    except ValueError:
        return ""
    organizations = [str(each.value) for each in read.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    names = [str(each.value) for each in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names[0] if names and organizations == ["system:nodes"] else ""
