"""Bootstrap tokens (--enable-bootstrap-token-auth): `id.secret`, kept in Secrets of kube-system, by which a new node asks for its
certificate. Whoever has one is system:bootstrap:ID in system:bootstrappers."""

from __future__ import annotations

import base64
import binascii
import hmac
import re

from kctl.apimachinery import times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SECRETS
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User
from kctl.kube_apiserver.storage import Storage

TYPE = "bootstrap.kubernetes.io/token"
_TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
_GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")
_BOOTSTRAPPERS = "system:bootstrappers"


class BootstrapTokens:
    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    def verify(self, token: str) -> User | None:
        """None where it is none, is not for authentication, has expired or is being deleted."""
        parts = _TOKEN.fullmatch(token)
        if parts is None:
            return None
        name, secret = parts.groups()
        stored = self._storage.get_cached(SECRETS, "kube-system", f"bootstrap-token-{name}")
        if stored is None or stored.get("type") != TYPE or stored["metadata"].get("deletionTimestamp"):
            return None
        if not hmac.compare_digest(_data(stored, "token-secret").encode(), secret.encode()) or _data(stored, "token-id") != name:
            return None
        if self._is_over(_data(stored, "expiration")) or _data(stored, "usage-bootstrap-authentication") != "true":
            return None
        groups = _groups(_data(stored, "auth-extra-groups"))
        return None if groups is None else User(f"system:bootstrap:{name}", (*groups, SYSTEM_AUTHENTICATED))

    def _is_over(self, expiration: str) -> bool:
        """A time that cannot be read has passed."""
        try:
            return bool(expiration) and times.parse(expiration) <= self._clock.now()
        except ValueError:
            return True


def _data(secret: Object, key: str) -> str:
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _groups(extra: str) -> list[str] | None:
    """None where a group is named that such tokens cannot be in."""
    named = sorted({group for group in extra.split(",") if group})
    return [_BOOTSTRAPPERS, *named] if all(_GROUP.fullmatch(group) for group in named) else None
