"""aiohttp's protocol with the API's answer for what is HTTP but no request we know: a method like FOO is a 405 Status."""

from __future__ import annotations

import orjson
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.web_protocol import RequestHandler

from kctl.kube_apiserver.filters.request_info import not_allowed


class Protocol(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, BadHttpMethod) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        body = orjson.dumps(not_allowed().status)
        response = web.Response(status=405, body=body, content_type="application/json")
        response.force_close()
        return response


class Server(web.Server):
    """Makes a Protocol for each connection."""

    def __call__(self) -> Protocol:
        return Protocol(self, loop=self._loop, **self._kwargs)
