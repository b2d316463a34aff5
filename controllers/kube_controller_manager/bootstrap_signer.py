"""bootstrap-signer-controller: signs the kubeconfig of the ConfigMap cluster-info in kube-public with every bootstrap token that is for
signing, so that who holds a token can tell that the cluster is the right one (`kubeadm join`)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from controllers.runtime.manager import ControllerContext, LoopController
from controllers.runtime.sources import Source, Watches, always, named
from kctl.apimachinery import objects, times
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import CONFIG_MAPS, SECRETS

SPACE, NAME = "kube-public", "cluster-info"
_TOKEN = "bootstrap.kubernetes.io/token"
_KUBECONFIG, _SIGNATURE = "kubeconfig", "jws-kubeconfig-"
_KEY = f"{SPACE}/{NAME}"


def signature(content: str, token_id: str, secret: str) -> str:
    """A JWS (HS256) of the content, without the content between its two dots."""
    header = _encoded(json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":")).encode())
    signed = hmac.new(secret.encode(), f"{header}.{_encoded(content.encode())}".encode(), hashlib.sha256).digest()
    return f"{header}..{_encoded(signed)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _is_token(secret: Object) -> bool:
    return secret.get("type") == _TOKEN and objects.namespace(secret) == "kube-system"


class BootstrapSigner(LoopController):
    name = "bootstrap-signer-controller"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self._secrets = context.informers.informer(SECRETS)
        self._config_maps = context.informers.informer(CONFIG_MAPS)

    def wakes(self) -> Sequence[Source]:
        return (
            Watches(SECRETS, to=lambda secret: (_KEY,) if _is_token(secret) else ()),
            Watches(CONFIG_MAPS, to=lambda config_map: (_KEY,) if objects.namespace(config_map) == SPACE else (), when=named(NAME, always)),
        )

    async def reconcile(self, key: str) -> None:
        config_map = self._config_maps.get(key)
        content = (config_map.get("data") or {}).get(_KUBECONFIG) if config_map is not None else None
        if config_map is None or content is None:
            return
        kept = {name: value for name, value in config_map["data"].items() if not name.startswith(_SIGNATURE)}
        made = {f"{_SIGNATURE}{token}": signature(content, token, secret) for token, secret in sorted(self._tokens().items())}
        data = {**kept, **made}
        if data != config_map["data"]:
            written = await self.context.client.update(CONFIG_MAPS, objects.replace(config_map, data=data))
            self._config_maps.observe([written])

    def _tokens(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for secret in self._secrets.list("kube-system"):
            if _is_token(secret) and (token := self._token(secret)) is not None:
                found[token[0]] = token[1]
        return found

    def _token(self, secret: Object) -> tuple[str, str] | None:
        """(id, secret) of one that is whole, not expired, and for signing."""
        try:
            data = {name: base64.b64decode(str(value)).decode() for name, value in (secret.get("data") or {}).items()}
            if data.get("expiration") and times.parse(data["expiration"]) <= self.context.clock.now():
                return None
        except ValueError:
            return None
        identity, text = data.get("token-id", ""), data.get("token-secret", "")
        if not identity or not text or objects.name(secret) != f"bootstrap-token-{identity}":
            return None
        return (identity, text) if data.get("usage-bootstrap-signing") == "true" else None
