"""Who is it? Client certificate or bearer token; without either only the public paths are open."""

from __future__ import annotations

from kctl.apimachinery.clock import Clock
from kctl.apimachinery.status import Unauthorized
from kctl.apimachinery.user import ANONYMOUS
from kctl.kube_apiserver.authentication.authenticator import Authenticator
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

PUBLIC = ("/healthz", "/livez", "/readyz")


def is_public(path: str) -> bool:
    return path == "/version" or path == "/version/" or path.startswith(PUBLIC)


def with_authentication(handler: Handler, authenticator: Authenticator, clock: Clock) -> Handler:
    async def authenticate(request: Request) -> Response:
        if request.user is ANONYMOUS:
            lacking = authenticator.lacks(request.headers)
            if lacking is not None:
                await clock.beside(lacking)
            user = authenticator.authenticate(request.headers, request.wire.client_certificate if request.wire is not None else None)
            if user is None and not is_public(request.path):
                raise Unauthorized
            request.user = user or ANONYMOUS
        return await handler(request)

    return authenticate
