"""/.well-known/openid-configuration and /openid/v1/jwks: by which others check service account tokens without asking this server."""

from __future__ import annotations

import orjson

from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.response import RawAnswer, Response

CONFIGURATION, KEYS = "/.well-known/openid-configuration", "/openid/v1/jwks"
_HEADERS = {"Cache-Control": "public, max-age=3600"}


def answer(tokens: ServiceAccountTokens, path: str, address: str) -> Response | None:
    """None for other paths. `address`: host:port of this server."""
    if path == CONFIGURATION:
        document = {
            "issuer": tokens.issuer,
            "jwks_uri": f"https://{address}{KEYS}",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [tokens.algorithm],
        }
        return RawAnswer(orjson.dumps(document), "application/json", headers=_HEADERS)
    if path == KEYS:
        return RawAnswer(orjson.dumps(tokens.key_set()), "application/jwk-set+json", headers=_HEADERS)
    return None
