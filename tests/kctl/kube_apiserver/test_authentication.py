"""Tokens of service accounts and bootstrap tokens: what ends them, what they are bound to, who else can check them."""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import jwt
import orjson
import pytest

from kctl.apimachinery import objects, times
from kctl.apimachinery.clock import VirtualClock
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import BadRequest, Unauthorized
from kctl.apimachinery.user import ADMIN, User
from kctl.client.client import Client
from kctl.kube_apiserver.server import ApiServer
from store.memory import MemoryStore

pytestmark = pytest.mark.virtual_time


class Cluster:
    def __init__(self, server: ApiServer, clock: VirtualClock) -> None:
        self.server = server
        self.clock = clock
        self.client = Client(server.transport(ADMIN))

    async def request(self, account: str = "bot", **spec: Any) -> Object:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": {"audiences": [], **spec}}
        return await self.client.create_subresource(SERVICE_ACCOUNTS, account, "default", "token", body)

    async def token(self, **spec: Any) -> str:
        return str((await self.request(**spec))["status"]["token"])

    def who(self, token: str) -> User | None:
        try:
            return self.server.parts.authenticator.authenticate({"authorization": f"Bearer {token}"}, None)
        except Unauthorized:
            return None

    async def pod(self, name: str, account: str = "bot", node: str = "") -> Object:
        spec: Object = {"containers": [{"name": "c", "image": "i"}], "serviceAccountName": account, "automountServiceAccountToken": False}
        if node:
            spec["nodeName"] = node
        return await self.client.create(PODS, {"metadata": {"name": name}, "spec": spec}, "default")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    store, clock = MemoryStore(), VirtualClock()
    await store.start()
    server = ApiServer(store, clock=clock, randomness=random.Random(3))
    await server.start()
    made = Cluster(server, clock)
    for name in ("bot", "default"):
        await made.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": name}}, "default")
    yield made
    await server.stop()
    await store.close()


async def test_a_token_is_over_a_minute_after_its_time(cluster: Cluster) -> None:
    """Also one that has just been seen: what is remembered is the signature, not the verdict."""
    token = await cluster.token(expirationSeconds=600)
    await cluster.clock.step(655)
    assert cluster.who(token)
    await cluster.clock.step(6)
    assert cluster.who(token) is None


async def test_what_is_remembered_of_a_token_ends_with_its_account_at_once(cluster: Cluster) -> None:
    token = await cluster.token()
    user = cluster.who(token)
    assert user is not None and user.name == "system:serviceaccount:default:bot"
    assert cluster.who(token) is user
    await cluster.client.delete(SERVICE_ACCOUNTS, "bot", "default")
    assert cluster.who(token) is None
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot"}}, "default")
    assert cluster.who(token) is None


async def test_a_token_of_a_pod_tells_of_it_and_of_its_node_and_ends_with_the_pod(cluster: Cluster) -> None:
    node = await cluster.client.create(NODES, {"metadata": {"name": "n"}})
    pod = await cluster.pod("p", node="n")
    token = await cluster.token(boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})
    user = cluster.who(token)
    assert user is not None
    prefix = "authentication.kubernetes.io/"
    known = {key.removeprefix(prefix): values for key, values in user.extra.items() if "credential" not in key}
    assert known == {
        "pod-name": ("p",),
        "pod-uid": (objects.uid(pod),),
        "node-name": ("n",),
        "node-uid": (objects.uid(node),),
    }
    await cluster.client.delete(NODES, "n")
    assert cluster.who(token) == user
    await cluster.client.delete(PODS, "p", "default", grace_period_seconds=0)
    assert cluster.who(token) is None


async def test_what_is_being_deleted_counts_for_a_minute(cluster: Cluster) -> None:
    await cluster.client.create(SECRETS, {"metadata": {"name": "s", "finalizers": ["x.io/y"]}}, "default")
    token = await cluster.token(boundObjectRef={"apiVersion": "v1", "kind": "Secret", "name": "s"})
    await cluster.client.delete(SECRETS, "s", "default")
    assert cluster.who(token)
    await cluster.clock.step(62)
    assert cluster.who(token) is None


async def test_a_pod_of_another_account_is_none_to_be_bound_to(cluster: Cluster) -> None:
    await cluster.pod("p", account="default")
    with pytest.raises(BadRequest, match='cannot bind token for serviceaccount "bot" to pod running with different serviceaccount name'):
        await cluster.token(boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})


async def test_what_kubelets_ask_for_pods_lives_for_a_year(cluster: Cluster) -> None:
    await cluster.pod("p")
    made = await cluster.request(expirationSeconds=3607, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"})
    claims = jwt.decode(made["status"]["token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    told = times.parse(made["status"]["expirationTimestamp"])
    assert told - cluster.server.now() <= timedelta(seconds=3607)
    other = await cluster.token(
        expirationSeconds=3607, audiences=["vault"], boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "p"}
    )
    claims = jwt.decode(other, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 3607


async def test_others_can_check_tokens_by_the_published_key(cluster: Cluster) -> None:
    account = User("system:serviceaccount:default:bot", ("system:serviceaccounts", "system:authenticated"))

    async def get(path: str, who: User = account) -> tuple[int, Any, str]:
        answer = await cluster.server.handle_raw("GET", path, {}, None, {}, who)
        return answer.status, orjson.loads(answer.body), answer.headers["Content-Type"]

    status, configuration, kind = await get("/.well-known/openid-configuration")
    assert (status, kind) == (200, "application/json")
    assert configuration["issuer"] == cluster.server.config.service_account_issuer
    status, keys, kind = await get("/openid/v1/jwks")
    assert (status, kind) == (200, "application/jwk-set+json")
    assert configuration["jwks_uri"].endswith("/openid/v1/jwks")
    token = await cluster.token(audiences=["vault"], expirationSeconds=3600)
    (key,) = jwt.PyJWKSet.from_dict(keys).keys
    assert key.key_id == jwt.get_unverified_header(token)["kid"]
    times_are_simulated = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims = jwt.decode(token, key.key, [configuration["id_token_signing_alg_values_supported"][0]], times_are_simulated, audience="vault")
    assert claims["sub"] == account.name
    assert (await get("/openid/v1/jwks", User("jane", ("system:authenticated",))))[0] == 403


def bootstrap_secret(**changed: str | None) -> Object:
    data = {"token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true", **changed}
    encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items() if value is not None}
    return {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "data": encoded}


@pytest.mark.parametrize(
    ("changed", "token", "groups"),
    [
        ({}, "abcdef.0123456789abcdef", ["system:bootstrappers"]),
        ({}, "abcdef.0123456789abcdeX", None),
        ({}, "abcdef.0123456789abcdee", None),
        ({}, "abcdee.0123456789abcdef", None),
        ({"usage-bootstrap-authentication": "false"}, "abcdef.0123456789abcdef", None),
        ({"token-id": "abcdee"}, "abcdef.0123456789abcdef", None),
        ({"expiration": "2100-01-01T00:00:00Z"}, "abcdef.0123456789abcdef", ["system:bootstrappers"]),
        ({"expiration": "2001-01-01T00:00:00Z"}, "abcdef.0123456789abcdef", None),
        ({"expiration": "soon"}, "abcdef.0123456789abcdef", None),
        (
            {"auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token,system:bootstrappers:a"},
            "abcdef.0123456789abcdef",
            ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:kubeadm:default-node-token"],
        ),
        ({"auth-extra-groups": "system:masters"}, "abcdef.0123456789abcdef", None),
    ],
)
async def test_bootstrap_tokens(cluster: Cluster, changed: dict[str, str], token: str, groups: list[str] | None) -> None:
    await cluster.client.create(SECRETS, bootstrap_secret(**changed), "kube-system")
    user = cluster.who(token)
    assert user == (None if groups is None else User("system:bootstrap:abcdef", (*groups, "system:authenticated")))


async def test_a_certificate_comes_before_a_token(cluster: Cluster) -> None:
    subject = ((("organizationName", "dev"),), (("organizationName", "ops"),), (("commonName", "jane"),))
    authenticate = cluster.server.parts.authenticator.authenticate
    jane = User("jane", ("dev", "ops", "system:authenticated"))
    for header in ("", "Bearer nonsense", f"Bearer {await cluster.token()}"):
        assert authenticate({"authorization": header}, {"subject": subject}) == jane
    for header in ("", "Basic YTpi", "Bearer ", "Bearer"):
        assert authenticate({"authorization": header}, None) is None
    with pytest.raises(Unauthorized):
        authenticate({"authorization": "bearer nonsense"}, {"subject": ()})
