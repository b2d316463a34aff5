"""Where other API servers write to the same store, a request first waits until the caches hold what was written before it came.

So whoever has had an answer of one server finds what it told with any other: what is read is not older, what is changed is the newest, and
roles, namespaces and quotas are those that hold. It costs one question to etcd, which all share who wait at the same time.
"""

from __future__ import annotations

from collections.abc import Awaitable

from kctl.apimachinery.status import ApiError, ServiceUnavailable
from kctl.kube_apiserver.request import Handler, Request, ResourceRequest
from kctl.kube_apiserver.response import Response
from kctl.kube_apiserver.storage import Storage, StorageError, Unavailable


def with_up_to_date_caches(handler: Handler, storage: Storage) -> Handler:
    def look(request: Request) -> Awaitable[Response]:
        return after(request) if isinstance(request, ResourceRequest) else handler(request)

    async def after(request: Request) -> Response:
        try:
            await storage.current()
        except Unavailable as error:
            raise ServiceUnavailable(str(error)) from None
        except StorageError as error:
            raise ApiError(str(error), code=500) from None
        return await handler(request)

    return look
