"""Service account tokens: JWTs signed with the cluster's key, bound to the account and perhaps to a pod, a secret or a node.

A token is refused once what it is bound to is gone. Only the key is held, so tokens survive a restart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from kctl.apimachinery import objects
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, ResourceType
from kctl.apimachinery.user import User, service_account
from kctl.kube_apiserver.registry.metadata import new_uid
from kctl.kube_apiserver.storage import Storage

_BOUND: dict[str, ResourceType] = {"pod": PODS, "secret": SECRETS, "node": NODES}
_LEEWAY = 60.0
"""Seconds by which clocks may differ."""


class ServiceAccountTokens:
    """`key` is a PEM private key (EC or RSA); one is made where it is empty."""

    def __init__(self, storage: Storage, clock: Clock, randomness: random.Random, key: bytes, issuer: str) -> None:
        self._storage = storage
        self._clock = clock
        self._randomness = randomness
        self._issuer = issuer
        self._pem = key
        self._private: Any = None

    @property
    def is_loaded(self) -> bool:
        return self._private is not None

    def load(self) -> None:
        """Make ready to sign and verify: some ten milliseconds of imports and arithmetic, which the first token would take."""
        import jwt

        token = jwt.encode({}, self._key(), algorithm=self._algorithm(), headers={"kid": self._key_id()})
        jwt.decode(token, self._key().public_key(), algorithms=[self._algorithm()])

    @property
    def default_audiences(self) -> list[str]:
        return [self._issuer]

    def _key(self) -> Any:
        if self._private is None:
            from cryptography.hazmat.primitives import serialization
            from cryptography.hazmat.primitives.asymmetric import ec

            if self._pem:
                self._private = serialization.load_pem_private_key(self._pem, None)
            else:
                self._private = ec.generate_private_key(ec.SECP256R1())
        return self._private

    def _algorithm(self) -> str:
        from cryptography.hazmat.primitives.asymmetric import ec

        return "ES256" if isinstance(self._key(), ec.EllipticCurvePrivateKey) else "RS256"

    def _key_id(self) -> str:
        import base64
        import hashlib

        from cryptography.hazmat.primitives import serialization

        der = self._key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()

    def sign(self, account: Object, audiences: Sequence[str], seconds: int, bound: tuple[str, Object] | None) -> str:
        """A token for a ServiceAccount; `bound` is ("pod", the pod) or the like."""
        import jwt

        now = self._clock.now()
        claims: dict[str, Any] = {
            "namespace": objects.namespace(account),
            "serviceaccount": {"name": objects.name(account), "uid": objects.uid(account)},
        }
        if bound is not None:
            claims[bound[0]] = {"name": objects.name(bound[1]), "uid": objects.uid(bound[1])}
        payload = {
            "aud": list(audiences) or self.default_audiences,
            "exp": int((now + timedelta(seconds=seconds)).timestamp()),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "iss": self._issuer,
            "jti": new_uid(self._randomness),
            "kubernetes.io": claims,
            "sub": f"system:serviceaccount:{objects.namespace(account)}:{objects.name(account)}",
        }
        return jwt.encode(payload, self._key(), algorithm=self._algorithm(), headers={"kid": self._key_id()})

    def verify(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """The account a token speaks for; None where it is not ours, expired, for others, or bound to something gone."""
        payload = self._signed_payload(token, list(audiences) or self.default_audiences)
        if payload is None or not _is_valid_at(payload, self._clock.now().timestamp()):
            return None
        return self._user(payload)

    def _signed_payload(self, token: str, audiences: list[str]) -> dict[str, Any] | None:
        import jwt

        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                self._key().public_key(),
                algorithms=[self._algorithm()],
                options=options,
                audience=audiences,
                issuer=self._issuer,
            )
        except (jwt.PyJWTError, ValueError, TypeError):  # the latter two: text that is no ASCII, claims of other types
            return None
        return payload

    def _user(self, payload: dict[str, Any]) -> User | None:
        claims = payload.get("kubernetes.io")
        if not isinstance(claims, dict):
            return None
        space, account = claims.get("namespace"), _reference(claims.get("serviceaccount"))
        if not isinstance(space, str) or account is None or not self._alive(SERVICE_ACCOUNTS, space, account):
            return None
        extra: dict[str, tuple[str, ...]] = {}
        for kind, resource in _BOUND.items():
            if claims.get(kind) is None:
                continue
            reference = _reference(claims[kind])
            if reference is None or not self._alive(resource, space, reference):
                return None
            extra[f"authentication.kubernetes.io/{kind}-name"] = (reference.name,)
            extra[f"authentication.kubernetes.io/{kind}-uid"] = (reference.uid,)
        if payload.get("jti"):
            extra["authentication.kubernetes.io/credential-id"] = (f"JTI={payload['jti']}",)
        user = service_account(space, account.name, account.uid)
        return User(user.name, user.groups, user.uid, extra)

    def _alive(self, resource: ResourceType, namespace: str, reference: _Reference) -> bool:
        found = self._storage.get_cached(resource, namespace if resource.namespaced else "", reference.name)
        return found is not None and objects.uid(found) == reference.uid


class _Reference(NamedTuple):
    name: str
    uid: str


def _reference(claim: Any) -> _Reference | None:
    """The name and uid that a claim consists of; None where it is something else."""
    if not isinstance(claim, dict) or not isinstance(claim.get("name"), str) or not isinstance(claim.get("uid"), str):
        return None
    return _Reference(claim["name"], claim["uid"])


def _is_valid_at(payload: dict[str, Any], now: float) -> bool:
    """Not expired, not from the future: by a minute's leeway, as the library upstream uses has it. A time must be a number."""
    times = [payload.get(name) for name in ("exp", "nbf", "iat")]
    if not all(time is None or (type(time) in (int, float) and math.isfinite(time)) for time in times):
        return False
    expires, starts, issued = times
    return now - _LEEWAY <= (expires or 0) and now + _LEEWAY >= max(starts or 0, issued or 0)
