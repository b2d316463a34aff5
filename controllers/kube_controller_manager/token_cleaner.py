"""token-cleaner-controller: bootstrap tokens (Secrets of their type in kube-system) are deleted when they expire."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from datetime import datetime

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.reconciler import Result
from controllers.runtime.sources import For, Source
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SECRETS
from kctl.apimachinery.status import NotFound

TYPE = "bootstrap.kubernetes.io/token"


def is_token(secret: Object | None) -> bool:
    return secret is not None and secret.get("type") == TYPE and objects.namespace(secret) == "kube-system"


def expires_at(secret: Object) -> datetime | None:
    """None for a token without end, and for one whose end cannot be read: upstream takes the latter for expired, so does `is_broken`."""
    text = _expiration(secret)
    if not text:
        return None
    try:
        return times.parse(text)
    except ValueError:
        return None


def is_broken(secret: Object) -> bool:
    return bool(_expiration(secret)) and expires_at(secret) is None


def _expiration(secret: Object) -> str:
    try:
        return base64.b64decode(str((secret.get("data") or {}).get("expiration") or "")).decode()
    except ValueError:
        return "?"


class TokenCleaner(LoopController):
    name = "token-cleaner-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._secrets = context.informers.informer(SECRETS)

    def wakes(self) -> Sequence[Source]:
        return (For(SECRETS, when=lambda old, new: is_token(new)),)

    async def reconcile(self, key: str) -> Result | None:
        secret = self._secrets.get(key)
        if secret is None or not is_token(secret):
            return None
        ends = expires_at(secret)
        if ends is None and not is_broken(secret):
            return None
        left = (ends - self.context.clock.now()).total_seconds() if ends is not None else 0.0
        if left > 0:
            return Result(requeue_after=left)
        with contextlib.suppress(NotFound):
            await self.context.client.delete(SECRETS, objects.name(secret), objects.namespace(secret), uid=objects.uid(secret))
        return None
