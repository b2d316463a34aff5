"""May they? Whoever may not is told so before anything is said about what there is."""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.kube_apiserver.authorization.authorization import Authorization
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import Response


def with_authorization(handler: Handler, authorization: Authorization) -> Handler:
    """Raises Forbidden."""
    permitted, permitted_names = authorization.permitted, authorization.permitted_names

    def authorize(request: Request) -> Awaitable[Response]:
        match request:
            case ResourceRequest():
                user, resource = request.user, request.endpoint.resource
                key = (user.name, user.groups, request.verb, resource.group, resource.plural, request.subresource, request.namespace)
                if key in permitted or (permitted_names and (key, request.name) in permitted_names):
                    return handler(request)
                check_resource(request)
                if resource.group in authorization.unsettled:
                    settled = authorization.unsettled[resource.group](request.verb, request.form)
                    if settled is not None:
                        return after(settled, request)
            case _:
                check(request)
        return handler(request)

    def check_resource(request: ResourceRequest) -> None:
        resource = request.endpoint.resource
        if request.verb == "connect" or not authorization.permits(  # a connection is authorized by its method
            request.user, request.verb, resource.group, resource.plural, request.subresource, request.namespace
        ):
            check(request)

    def check(request: Request) -> None:
        from kctl.kube_apiserver.filters.request_attributes import attributes_of

        asked = attributes_of(request)
        verdict = authorization.authorize(asked)
        if not verdict.allowed:
            from kctl.kube_apiserver.authorization.forbidden import refusal

            raise refusal(asked, verdict.reason)
        authorization.remember(asked)

    async def after(settled: Awaitable[None], request: Request) -> Response:
        await settled
        return await handler(request)

    return authorize
