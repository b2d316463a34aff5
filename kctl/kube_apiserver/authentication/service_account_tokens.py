"""Service account tokens: JWTs signed with the cluster's key, bound to the account and perhaps to a pod, a secret or a node.

A token is refused once what it is bound to is gone. Only the key is held, so tokens survive a restart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import Clock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, ResourceType
from kctl.apimachinery.user import User, service_account
from kctl.kube_apiserver.registry.metadata import new_uid
from kctl.kube_apiserver.storage import Storage

_BOUND: dict[str, ResourceType] = {"pod": PODS, "secret": SECRETS, "node": NODES}
_LEEWAY = 60.0
"""Seconds by which clocks may differ."""
REMEMBERED_SECONDS = 10.0
MOST_REMEMBERED = 4096


class ServiceAccountTokens:
    """`key` is a PEM private key (EC or RSA); one is made where it is empty."""

    def __init__(self, storage: Storage, clock: Clock, randomness: random.Random, key: bytes, issuer: str) -> None:
        self._storage = storage
        self._clock = clock
        self._randomness = randomness
        self._issuer = issuer
        self._pem = key
        self._private: Any = None
        self._verified: dict[str, _Verified] = {}
        self.default_audiences: list[str] = [issuer]

    @property
    def is_loaded(self) -> bool:
        return self._private is not None

    def load(self) -> None:
        """Make ready to sign and verify: some ten milliseconds of imports and arithmetic, which the first token would take."""
        import jwt

        token = jwt.encode({}, self._key(), algorithm=self._algorithm(), headers={"kid": self._key_id()})
        jwt.decode(token, self._key().public_key(), algorithms=[self._algorithm()])

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

    def sign(
        self, account: Object, audiences: Sequence[str], seconds: int, bound: Sequence[tuple[str, Object]] = (), warn_after: int = 0
    ) -> str:
        """A token for a ServiceAccount; `bound` are ("pod", the pod) and the like. With `warn_after` its use is to be warned about
        after that many seconds."""
        import jwt

        now = self._clock.now()
        claims: dict[str, Any] = {
            "namespace": objects.namespace(account),
            "serviceaccount": {"name": objects.name(account), "uid": objects.uid(account)},
        }
        for kind, obj in bound:
            claims[kind] = {"name": objects.name(obj), "uid": objects.uid(obj)}
        if warn_after:
            claims["warnafter"] = int((now + timedelta(seconds=warn_after)).timestamp())
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

    def key_set(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set (/openid/v1/jwks)."""
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm

        algorithm = self._algorithm()
        kind = ECAlgorithm if algorithm == "ES256" else RSAAlgorithm
        key = kind.to_jwk(self._key().public_key(), as_dict=True)
        key.pop("key_ops", None)
        return {"keys": [{"use": "sig", "kty": key.pop("kty"), "kid": self._key_id(), "alg": algorithm, **key}]}

    @property
    def algorithm(self) -> str:
        return self._algorithm()

    @property
    def issuer(self) -> str:
        return self._issuer

    def verify(self, token: str, audiences: Sequence[str] = ()) -> User | None:
        """The account a token speaks for; None where it is not ours, expired, for others, or bound to something gone.

        Signatures that were good are remembered for ten seconds (upstream's success cache); whether the token is still valid and
        what it is bound to still there is asked every time.
        """
        now = self._clock.now().timestamp()
        known = self._verified.get(token)
        if known is None or not known.checked_at <= now < known.checked_at + REMEMBERED_SECONDS:
            known = self._check(token, now)
            if known is None:
                return None
        if not known.starts - _LEEWAY <= now <= known.expires + _LEEWAY:
            return None
        if known.audiences.isdisjoint(audiences or self.default_audiences):
            return None
        for place, reference in known.bound:
            if not self._is_alive(place, reference, now):
                return None
        return known.user

    def _check(self, token: str, now: float) -> _Verified | None:
        payload = self._signed_payload(token)
        verified = _read(payload, now) if payload is not None else None
        if verified is None:
            self._verified.pop(token, None)
            return None
        if len(self._verified) >= MOST_REMEMBERED:
            self._verified.clear()
        self._verified[token] = verified
        return verified

    def _signed_payload(self, token: str) -> dict[str, Any] | None:
        import jwt

        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        try:
            payload: dict[str, Any] = jwt.decode(
                token, self._key().public_key(), algorithms=[self._algorithm()], options=options, issuer=self._issuer
            )
        except (jwt.PyJWTError, ValueError, TypeError):  # the latter two: text that is no ASCII, claims of other types
            return None
        return payload

    def _is_alive(self, place: tuple[ResourceType, str], reference: _Reference, now: float) -> bool:
        """Whether it is there; what is being deleted counts for as long as clocks may differ."""
        obj = self._storage.get_cached(*place, reference.name)
        if obj is None or obj["metadata"].get("uid") != reference.uid:
            return False
        deleted = obj["metadata"].get("deletionTimestamp")
        return not deleted or times.parse(deleted).timestamp() >= now - _LEEWAY


class _Reference(NamedTuple):
    name: str
    uid: str


def _reference(claim: Any) -> _Reference | None:
    """The name and uid that a claim consists of; None where it is something else."""
    if not isinstance(claim, dict) or not isinstance(claim.get("name"), str) or not isinstance(claim.get("uid"), str):
        return None
    return _Reference(claim["name"], claim["uid"])


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token whose signature is good, and what is still to be asked about it at each use."""

    user: User
    audiences: frozenset[str]
    starts: float
    expires: float
    bound: tuple[tuple[tuple[ResourceType, str], _Reference], ...]
    """Resource and namespace; name and uid."""
    checked_at: float


def _read(payload: dict[str, Any], now: float) -> _Verified | None:
    """None where a claim is missing or of another type."""
    moments = [payload.get(name) for name in ("exp", "nbf", "iat")]
    if not all(moment is None or (type(moment) in (int, float) and math.isfinite(moment)) for moment in moments):
        return None
    expires, starts, issued = (moment or 0 for moment in moments)
    audiences = payload.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    claims = payload.get("kubernetes.io")
    if not isinstance(claims, dict) or not isinstance(audiences, list):
        return None
    space, account = claims.get("namespace"), _reference(claims.get("serviceaccount"))
    if not isinstance(space, str) or account is None:
        return None
    bound = [((SERVICE_ACCOUNTS, space), account)]
    extra: dict[str, tuple[str, ...]] = {}
    if payload.get("jti"):
        extra["authentication.kubernetes.io/credential-id"] = (f"JTI={payload['jti']}",)
    for kind, resource in _BOUND.items():
        if claims.get(kind) is None:
            continue
        reference = _reference(claims[kind])
        if reference is None:
            return None
        if not (kind == "node" and claims.get("pod") is not None):  # of a pod's token the node is told, not asked for
            bound.append(((resource, space if resource.namespaced else ""), reference))
        if kind != "secret":
            extra[f"authentication.kubernetes.io/{kind}-name"] = (reference.name,)
            extra[f"authentication.kubernetes.io/{kind}-uid"] = (reference.uid,)
    user = service_account(space, account.name, account.uid)
    return _Verified(
        User(user.name, user.groups, user.uid, extra),
        frozenset(audience for audience in audiences if isinstance(audience, str)),
        max(starts, issued),
        expires,
        tuple(bound),
        now,
    )
