"""May they? Whoever may not is told so before anything is said about what there is."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response


def with_authorization(handler: Handler, authorization: Authorization) -> Handler:
    """Raises Forbidden; for what may be asked, but is nowhere served, what request_info found wrong with it."""
    permitted = authorization.permitted

    def authorize(request: Request) -> Awaitable[Response]:
        user, resource = request.user, request.resource
        if resource is None or (
            (user.name, user.groups, request.verb, resource.group, resource.plural, request.subresource, request.namespace) not in permitted
        ):
            authorization.check(request)
            if request.unserved is not None:
                raise request.unserved
            settle = authorization.must_settle(request) if authorization.unsettled is not None else None
            if settle is not None:
                return after(settle(), request)
        return handler(request)

    async def after(settled: Awaitable[None], request: Request) -> Response:
        await settled
        return await handler(request)

    return authorize
