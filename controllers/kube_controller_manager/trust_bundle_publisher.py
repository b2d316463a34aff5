"""kube-apiserver-serving-clustertrustbundle-publisher-controller: the CA of kube-apiserver as a ClusterTrustBundle that pods can mount."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Source, Watches
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NAMESPACES, built_in
from kctl.apimachinery.status import AlreadyExists, NotFound

TRUST_BUNDLES = built_in("certificates.k8s.io/v1", "ClusterTrustBundle")
SIGNER = "kubernetes.io/kube-apiserver-serving"
_HASHED = 12


def bundle_name(bundle: str) -> str:
    """Another for another content."""
    return f"{SIGNER.replace('/', ':')}:{hashlib.sha256(bundle.encode()).digest()[:_HASHED].hex()}"


class TrustBundlePublisher(LoopController):
    name = "kube-apiserver-serving-clustertrustbundle-publisher-controller"

    def __init__(self, context: ControllerContext, root_ca: str) -> None:
        super().__init__(context)
        self._bundle = root_ca
        self._bundles = context.informers.informer(TRUST_BUNDLES)

    def wakes(self) -> Sequence[Source]:
        return (
            Watches(NAMESPACES, to=lambda namespace: (SIGNER,) if objects.name(namespace) == "kube-system" else ()),
            Watches(TRUST_BUNDLES, to=lambda bundle: (SIGNER,) if _is_ours(bundle) else ()),
        )

    async def reconcile(self, key: str) -> None:
        client, name = self.context.client, bundle_name(self._bundle)
        wanted = {"signerName": SIGNER, "trustBundle": self._bundle}
        present = self._bundles.get(name)
        if present is None:
            body = {"apiVersion": TRUST_BUNDLES.api_version, "kind": TRUST_BUNDLES.kind, "metadata": {"name": name}, "spec": wanted}
            with contextlib.suppress(AlreadyExists):
                self._bundles.observe([await client.create(TRUST_BUNDLES, body)])
        elif objects.spec(present) != wanted:
            self._bundles.observe([await client.update(TRUST_BUNDLES, objects.replace(present, spec=wanted))])
        for other in list(self._bundles.list()):
            if _is_ours(other) and objects.name(other) != name:
                with contextlib.suppress(NotFound):
                    await client.delete(TRUST_BUNDLES, objects.name(other), uid=objects.uid(other))


def _is_ours(bundle: Object) -> bool:
    return bool(objects.spec(bundle).get("signerName") == SIGNER)
