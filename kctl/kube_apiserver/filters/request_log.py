"""One metrics sample for each request, whatever became of it, and one log line where one logs more (--verbose) or the server failed.

As upstream, which writes such lines from -v=3 on: a line costs a quarter of a GET. Who asked what is the audit log's business.
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
            level = logging.DEBUG if status < 500 else logging.INFO
            if _LOG.isEnabledFor(level):
                _LOG.log(
                    level,
                    'verb="%s" URI="%s" latency="%.3fms" userAgent="%s" user="%s" resp=%d',
                    request.verb.upper() or request.method,
                    request.path,
                    took * 1000,
                    request.program,
                    request.user.name,
                    status,
                )

    return log
