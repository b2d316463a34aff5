"""Service account tokens whose claims are not what they should be: refused, whatever is in them."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from kctl.apimachinery.clock import RealClock
from kctl.apimachinery.resources import SERVICE_ACCOUNTS
from kctl.apimachinery.user import ADMIN
from kctl.client.client import Client
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore


class Issuer:
    """Signs any claims with the cluster's key."""

    def __init__(self, tokens: ServiceAccountTokens, account: dict[str, Any], now: float) -> None:
        self.tokens = tokens
        self.now = now
        self.good = jwt.decode(tokens.sign(account, (), 3600), options={"verify_signature": False})

    def accepts(self, **changed: Any) -> bool:
        claims = {**self.good, **{name.replace("_", "."): value for name, value in changed.items()}}
        signed = jwt.api_jws.encode(json.dumps(claims).encode(), self.tokens._key(), algorithm="ES256")
        return self.tokens.verify(signed) is not None


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    store = MemoryStore()
    await store.start()
    server = ApiServer(store, clock=RealClock(), randomness=random.Random(3))
    await server.start()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    made = await Client(server.transport(ADMIN), field_manager="test").create(SERVICE_ACCOUNTS, account, "default")
    yield Issuer(server.parts.service_account_tokens, made, server.now().timestamp())
    await server.stop()
    await store.close()


async def test_a_token_is_accepted_within_its_times_and_a_minute(issuer: Issuer) -> None:
    now = issuer.now
    assert issuer.accepts()
    assert issuer.accepts(nbf=int(now) + 50, iat=int(now) + 50)
    assert issuer.accepts(exp=int(now) - 50)
    assert not issuer.accepts(nbf=int(now) + 120)
    assert not issuer.accepts(iat=int(now) + 120)
    assert not issuer.accepts(exp=int(now) - 120)


ODD: list[Any] = [None, True, "1", [], {}, [1], ["a"], {"a": 1}, float("inf"), float("nan")]
ODD_REFERENCES: list[Any] = [1, True, "x", [], ["a"], {"name": ["a"], "uid": 1}, {"name": "a"}, {"name": {}, "uid": {}}]


async def test_claims_of_wrong_types_are_refused(issuer: Issuer) -> None:
    accepted = [(claim, value) for claim in ("exp", "kubernetes_io", "iss", "aud") for value in ODD if issuer.accepts(**{claim: value})]
    accepted += [(claim, value) for claim in ("nbf", "iat") for value in ODD[1:] if issuer.accepts(**{claim: value})]
    assert accepted == []


async def test_parts_of_the_kubernetes_claim_of_wrong_types_are_refused(issuer: Issuer) -> None:
    own = issuer.good["kubernetes.io"]
    accepted = [value for value in (None, *ODD_REFERENCES) if issuer.accepts(kubernetes_io={**own, "serviceaccount": value})]
    accepted += [value for value in (None, 1, [], {}) if issuer.accepts(kubernetes_io={**own, "namespace": value})]
    assert accepted == []


async def test_what_a_token_is_bound_to_must_be_a_reference_to_something_there(issuer: Issuer) -> None:
    own = issuer.good["kubernetes.io"]
    values = [*ODD_REFERENCES, {"name": "none", "uid": "none"}]
    assert [
        (kind, value) for kind in ("pod", "secret", "node") for value in values if issuer.accepts(kubernetes_io={**own, kind: value})
    ] == []


async def test_odd_identifiers_do_no_harm(issuer: Issuer) -> None:
    for value in ODD:
        issuer.accepts(jti=value, sub=value)
