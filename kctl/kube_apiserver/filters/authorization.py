"""May they? Whoever may not is told so before anything is said about what there is."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.apimachinery.rbac.names import GROUP
from kctl.apimachinery.resources import ResourceType
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
            check(request, resource)
            if request.unserved is not None:
                raise request.unserved
            if authorization.unsettled is not None and resource is not None and resource.group == GROUP and request.verb != "watch":
                return after(authorization.unsettled(), request)  # watches need not wait: they see the default roles come
        return handler(request)

    def check(request: Request, resource: ResourceType | None) -> None:
        if (
            resource is not None
            and request.verb != "connect"  # authorized by its method
            and authorization.permits(request.user, request.verb, resource.group, resource.plural, request.subresource, request.namespace)
        ):
            return
        from kctl.kube_apiserver.filters.request_attributes import attributes_of

        asked = attributes_of(request)
        verdict = authorization.authorize(asked)
        if not verdict.allowed:
            from kctl.kube_apiserver.authorization.forbidden import refusal

            raise refusal(asked, verdict.reason)

    async def after(settled: Awaitable[None], request: Request) -> Response:
        await settled
        return await handler(request)

    return authorize
