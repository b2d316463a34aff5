"""serviceaccount-token-controller: Secrets of type kubernetes.io/service-account-token belong to a ServiceAccount: they get
its uid, a token and the CA, and go with it.

The token is asked of the API server (serviceaccounts/token), which holds the key; upstream's controller holds it too and
signs tokens without an end, ours are as long as the server grants.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import For, Source, Watches, created_or_deleted
from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import SECRETS, SERVICE_ACCOUNTS
from kctl.apimachinery.status import NotFound

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"

_INDEX = "service-account"
_SECONDS = 10 * 365 * 24 * 3600


def _account_of(secret: Object) -> tuple[str, ...]:
    """Index function: the key of the ServiceAccount a token Secret is for."""
    name = objects.annotations(secret).get(ACCOUNT_NAME)
    return (f"{objects.namespace(secret)}/{name}",) if secret.get("type") == TYPE and name else ()


def _is_token(old: Object | None, new: Object | None) -> bool:
    return new is not None and bool(_account_of(new))


class ServiceAccountTokenController(LoopController):
    name = "serviceaccount-token-controller"

    def __init__(self, context: ControllerContext, root_ca: str) -> None:
        super().__init__(context)
        self._client = context.client
        self._root_ca = root_ca
        self._secrets = context.informers.informer(SECRETS)
        self._accounts = context.informers.informer(SERVICE_ACCOUNTS)
        self._secrets.add_index(_INDEX, _account_of)

    def wakes(self) -> Sequence[Source]:
        return (
            For(SECRETS, when=_is_token),
            Watches(SERVICE_ACCOUNTS, to=self._tokens_of, when=created_or_deleted),
        )

    def _tokens_of(self, account: Object) -> list[str]:
        return [objects.key(secret) for secret in self._secrets.by_index(_INDEX, objects.key(account))]

    async def reconcile(self, key: str) -> None:
        secret = self._secrets.get(key)
        if secret is None or not _account_of(secret) or objects.deletion_timestamp(secret):
            return
        account = await self._account(secret)
        try:
            if account is None:
                await self._client.delete(SECRETS, objects.name(secret), objects.namespace(secret), uid=objects.uid(secret))
            else:
                await self._fill(secret, account)
        except NotFound:
            return

    async def _account(self, secret: Object) -> Object | None:
        """None where it is gone, or another of its name has come."""
        (key,) = _account_of(secret)
        namespace, name = objects.split_key(key)
        try:
            account = self._accounts.get(key) or await self._client.get(SERVICE_ACCOUNTS, name, namespace)
        except NotFound:
            return None
        wanted = objects.annotations(secret).get(ACCOUNT_UID)
        return account if not wanted or wanted == objects.uid(account) else None

    async def _fill(self, secret: Object, account: Object) -> None:
        data = dict(secret.get("data") or {})
        data["namespace"] = _encoded(objects.namespace(secret))
        if self._root_ca:
            data["ca.crt"] = _encoded(self._root_ca)
        if not data.get("token"):
            data["token"] = _encoded(await self._token(account, secret))
        annotations = {**objects.annotations(secret), ACCOUNT_UID: objects.uid(account)}
        if data == secret.get("data") and annotations == objects.annotations(secret):
            return
        wanted = objects.with_metadata({**secret, "data": data}, annotations=annotations)
        self._secrets.observe([await self._client.update(SECRETS, wanted)])

    async def _token(self, account: Object, secret: Object) -> str:
        """It ends with the Secret."""
        bound = {"apiVersion": "v1", "kind": "Secret", "name": objects.name(secret), "uid": objects.uid(secret)}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {},
            "spec": {"audiences": [], "expirationSeconds": _SECONDS, "boundObjectRef": bound},
        }
        answer = await self._client.create_subresource(
            SERVICE_ACCOUNTS, objects.name(account), objects.namespace(account), "token", request
        )
        return str(answer["status"]["token"])


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
