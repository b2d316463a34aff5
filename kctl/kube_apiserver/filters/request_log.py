"""One log line and one metrics sample for each request, whatever became of it.

Requests of components in the daemon come by the thousand a second and cost microseconds, so their lines are debug lines.
"""

from __future__ import annotations

import logging
import time

from kctl.apimachinery.status import ApiError
from kctl.kube_apiserver.metrics import Metrics
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response

_LOG = logging.getLogger("kctl.kube_apiserver.requests")


def with_request_log(handler: Handler, metrics: Metrics) -> Handler:
    async def log(request: Request) -> Response:
        began = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except ApiError as error:
            status = error.http_status
            raise
        finally:
            took = time.perf_counter() - began
            metrics.observe(request, status, took)
            level = logging.INFO if request.method else logging.DEBUG
            if _LOG.isEnabledFor(level):
                _LOG.log(
                    level,
                    'verb="%s" URI="%s" latency="%.3fms" userAgent="%s" user="%s" resp=%d',
                    request.verb.upper() or request.method,
                    request.path or _path(request),
                    took * 1000,
                    request.program,
                    request.user.name,
                    status,
                )

    return log


def _path(request: Request) -> str:
    """Where a request without a path would have gone."""
    resource = request.resource
    return resource.path(request.namespace, request.name, request.subresource) if resource is not None else ""
