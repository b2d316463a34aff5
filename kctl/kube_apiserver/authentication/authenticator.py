"""The ways to prove who one is, tried in turn: TLS client certificate, static token, service account token."""

from __future__ import annotations

from typing import Any

from kctl.apimachinery.status import Unauthorized
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.request import Request


class Authenticator:
    def __init__(self, config: ApiServerConfig, services: dict[str, Any]) -> None:
        self._tokens = config.tokens
        self._services = services

    def authenticate(self, request: Request) -> User | None:
        """None for a request without credentials; raises Unauthorized for wrong ones."""
        header = request.headers.get("authorization", "")
        if header:
            kind, _, token = header.partition(" ")
            user = self.by_token(token.strip()) if kind.lower() == "bearer" else None
            if user is None:
                raise Unauthorized
            return user
        if request.client_certificate:
            return by_certificate(request.client_certificate)
        return None

    def by_token(self, token: str) -> User | None:
        user = self._tokens.get(token)
        if user is not None:
            return user
        if token.count(".") != 2:
            return None
        tokens: ServiceAccountTokens = self._services["service_account_tokens"]
        return tokens.verify(token)


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
