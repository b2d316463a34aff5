"""The ways to prove who one is, tried in turn: TLS client certificate, static token, service account
token, bootstrap token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.apimachinery.status import Unauthorized
from kctl.apimachinery.user import SYSTEM_AUTHENTICATED, User
from kctl.kube_apiserver.authentication.bootstrap_tokens import BootstrapTokens
from kctl.kube_apiserver.authentication.service_account_tokens import ServiceAccountTokens
from kctl.kube_apiserver.config import ApiServerConfig


class Authenticator:
    def __init__(self, config: ApiServerConfig, service_account_tokens: ServiceAccountTokens, bootstrap_tokens: BootstrapTokens) -> None:
        self._tokens = config.tokens
        self._bootstrap_tokens = bootstrap_tokens
        self._service_account_tokens = service_account_tokens

    def authenticate(self, headers: Mapping[str, str], client_certificate: Mapping[str, Any] | None) -> User | None:
        """None for a request without credentials; raises Unauthorized for wrong ones. Header names are in lower case."""
        if client_certificate:
            user = by_certificate(client_certificate)
            if user is not None:
                return user
        kind, _, token = headers.get("authorization", "").strip().partition(" ")
        token = token.partition(" ")[0]
        if token and kind.lower() == "bearer":
            user = self.by_token(token)
            if user is None:
                raise Unauthorized
            return user
        return None

    def lacks(self, headers: Mapping[str, str]) -> Callable[[], None] | None:
        """What has to be done before `authenticate` is asked about these headers, beside the event loop; None for nothing."""
        if self._service_account_tokens.is_loaded or headers.get("authorization", "").count(".") != 2:
            return None
        return self._service_account_tokens.load

    def by_token(self, token: str) -> User | None:
        user = self._tokens.get(token)
        if user is not None:
            return user
        dots = token.count(".")
        if dots == 2:
            return self._service_account_tokens.verify(token)
        return self._bootstrap_tokens.verify(token) if dots == 1 else None


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
