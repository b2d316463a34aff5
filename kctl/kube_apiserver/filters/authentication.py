"""Who is it? Client certificate or bearer token; without either it is system:anonymous, where such may ask at all (--anonymous-auth):
with AlwaysAllow only the public paths are open then."""

from __future__ import annotations

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import Unauthorized
from kctl.apimachinery.user import ANONYMOUS
from kctl.kube_apiserver.authentication.authenticator import Authenticator
from kctl.kube_apiserver.config import ApiServerConfig
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

PUBLIC = ("/healthz", "/livez", "/readyz")


def is_public(path: str) -> bool:
    return path == "/version" or path == "/version/" or path.startswith(PUBLIC)


def with_authentication(handler: Handler, authenticator: Authenticator, config: ApiServerConfig, clock: Clock) -> Handler:
    anonymous = config.anonymous_auth and "AlwaysAllow" not in config.authorization_modes

    async def authenticate(request: Request) -> Response:
        if request.user is ANONYMOUS:
            lacking = authenticator.lacks(request.headers)
            if lacking is not None:
                await clock.beside(lacking)
            user = authenticator.authenticate(request.headers, request.wire.client_certificate if request.wire is not None else None)
            if user is None and not anonymous and not is_public(request.path):
                raise Unauthorized
            request.user = user or ANONYMOUS
        return await handler(request)

    return authenticate
