"""One log line and one metrics sample for each request, whatever became of it."""

from __future__ import annotations

import logging
import time

from kctl.kube_apiserver.metrics import Metrics
from kctl.kube_apiserver.request import Handler, Request, Response

_LOG = logging.getLogger("kctl.kube_apiserver.requests")


def with_request_log(handler: Handler, metrics: Metrics) -> Handler:
    async def log(request: Request) -> Response:
        began = time.perf_counter()
        status = 0
        try:
            response = await handler(request)
            status = response.status
            return response
        finally:
            took = time.perf_counter() - began
            metrics.observe(request, status, took)
            if _LOG.isEnabledFor(logging.INFO):
                _LOG.info(
                    'verb="%s" URI="%s" latency="%.3fms" userAgent="%s" user="%s" resp=%d',
                    request.verb.upper() or request.method,
                    request.path,
                    took * 1000,
                    request.headers.get("user-agent", ""),
                    request.user.name,
                    status,
                )

    return log
