"""The ways to prove who one is, tried in turn: TLS client certificate, static token, service account token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery.status import Unauthorized
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.config import ApiServerConfig


class Authenticator:
    def __init__(self, config: ApiServerConfig, service_account_tokens: ServiceAccountTokens) -> None:
        self._tokens = config.tokens
        self._service_account_tokens = service_account_tokens

    def authenticate(self, headers: Mapping[str, str], client_certificate: Mapping[str, Any] | None) -> User | None:
        """None for a request without credentials; raises Unauthorized for wrong ones. Header names are in lower case."""
        header = headers.get("authorization", "")
        if header:
            kind, _, token = header.partition(" ")
            user = self.by_token(token.strip()) if kind.lower() == "bearer" else None
            if user is None:
                raise Unauthorized
            return user
        return by_certificate(client_certificate) if client_certificate else None

    def lacks(self, headers: Mapping[str, str]) -> Callable[[], None] | None:
        """What has to be done before `authenticate` is asked about these headers, beside the event loop; None for nothing."""
        if self._service_account_tokens.is_loaded or headers.get("authorization", "").count(".") != 2:
            return None
        return self._service_account_tokens.load

    def by_token(self, token: str) -> User | None:
        user = self._tokens.get(token)
        if user is not None:
            return user
        if token.count(".") != 2:
            return None
        return self._service_account_tokens.verify(token)


def by_certificate(certificate: Any) -> User | None:
    """Common name is the user, organizations are the groups."""
    name, groups = "", []
    for relative in certificate.get("subject", ()):
        for key, value in relative:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    return User(name, (*groups, SYSTEM_AUTHENTICATED)) if name else None
