"""certificatesigningrequest-signing-controller: approved requests to Kubernetes' own signers get their certificate from the cluster's
authority."""

from __future__ import annotations

import random
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, exists
from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import built_in
from kctl.apimachinery.status import NotFound
from kctl.apimachinery.times import rfc3339

SIGNING_REQUESTS = built_in("certificates.k8s.io/v1", "CertificateSigningRequest")
_SERIAL_BITS = 127
_OURS = frozenset(
    f"kubernetes.io/{name}" for name in ("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown")
)


def _load_signers() -> None:
    """`cryptography` takes its time."""
    import controllers.kube_controller_manager.certificate_signing.signers  # noqa: F401


def is_to_be_signed(request: Object) -> bool:
    return (
        objects.is_condition_true(request, "Approved")
        and not objects.is_condition_true(request, "Denied")
        and not objects.is_condition_true(request, "Failed")
        and not objects.status(request).get("certificate")
        and objects.spec(request).get("signerName") in _OURS
    )


class SigningController(LoopController):
    """`authority` and `key`: PEM of the certificate that signs and of its private key."""

    name = "certificatesigningrequest-signing-controller"

    def __init__(self, context: ControllerContext, authority: bytes, key: bytes) -> None:
        super().__init__(context)
        self._requests = context.informers.informer(SIGNING_REQUESTS)
        self._clock: Clock = context.clock
        self._randomness: random.Random = context.randomness
        self._authority, self._key = authority, key

    def wakes(self) -> Sequence[Source]:
        return (For(SIGNING_REQUESTS, when=exists),)

    async def reconcile(self, key: str) -> None:
        request = self._requests.get(key)
        if request is None or not is_to_be_signed(request):
            return
        await self._clock.beside(_load_signers)
        from controllers.kube_controller_manager.certificate_signing import signers

        now = self._clock.now()
        try:
            serial = self._randomness.getrandbits(_SERIAL_BITS) | 1
            certificate = signers.sign(objects.spec(request), self._authority, self._key, (now, self._clock.machine.now()), serial)
            changed = objects.with_status(request, certificate=certificate)
        except signers.Refused as refusal:
            stamp = rfc3339(now)
            condition = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": str(refusal)}
            condition |= {"lastUpdateTime": stamp, "lastTransitionTime": stamp}
            conditions = [*(objects.status(request).get("conditions") or ()), condition]
            changed = objects.with_status(request, conditions=conditions)
        try:
            written = await self.context.client.update_status(SIGNING_REQUESTS, changed)
        except NotFound:
            return
        self._requests.observe((written,))
