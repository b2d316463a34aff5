"""Failures become answers: an ApiError its Status, anything else a 500 that names no internals, with a traceback in the log."""

from __future__ import annotations

import logging

from kctl.apimachinery.status import ApiError, InternalError
from kctl.kube_apiserver.request import Handler, Request
from kctl.kube_apiserver.response import Response, failure

_LOG = logging.getLogger(__name__)


def with_panic_recovery(handler: Handler) -> Handler:
    async def recover(request: Request) -> Response:
        try:
            return await handler(request)
        except ApiError as error:
            return failure(error)
        except Exception as error:
            _LOG.exception("apiserver panic'd on %s %s", request.method, request.path)
            what = f"This request caused apiserver to panic. Look in the logs for details. ({type(error).__name__})"
            return failure(InternalError(what))

    return recover
