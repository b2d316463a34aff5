"""A request on a group version of an extension API server, passed on to it in the name of who asks (upstream's kube-aggregator proxy)."""

from __future__ import annotations

from kctl.apimachinery.status import ApiError
from kctl.client.tls import TlsError
from kctl.kube_apiserver import service_addresses
from kctl.kube_apiserver.aggregation.aggregator import Aggregator
from kctl.kube_apiserver.aggregation.remote import identity_headers
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import AggregatedRequest
from kctl.kube_apiserver.response import PassedAnswer, RawAnswer, Response
from kctl.kube_apiserver.streaming.proxying import Target, pass_on

_REDIRECT = "the backend attempted to redirect this request, which is not permitted"


async def handle(registry: Registry, aggregator: Aggregator, request: AggregatedRequest) -> Response:
    way = aggregator.way(request.group, request.version)
    if way is None or not way.remote.available:
        return _plain(503, "service unavailable")
    wire = request.wire
    assert wire is not None
    try:
        context = way.context(verified=way.remote.is_verified)
    except TlsError as error:
        return _plain(500, str(error))
    try:
        host, port = way.address()
    except service_addresses.CannotResolve:
        return _plain(503, "service unavailable")
    headers = identity_headers(request.user)
    if request.audit is not None:
        headers.append(("Audit-Id", request.audit.identifier))
    target = Target(
        host,
        port,
        request.path,
        way.dial,
        context,
        way.remote.server_name,
        headers=headers,
        dropped=("x-remote-", "audit-id"),
        keeps_cors=True,
        host_header=f"{f'[{host}]' if ':' in host else host}:{port}",
        is_escaped=True,
    )
    try:
        answer = await pass_on(request, target, registry.clock)
    except ApiError as error:
        return _plain(503, error.message)
    if isinstance(answer, PassedAnswer) and 300 <= answer.status < 400 and any(name.lower() == "location" for name, _ in answer.headers):
        close = getattr(answer.chunks, "aclose", None)
        if close is not None:
            await close()
        return _plain(502, _REDIRECT)
    return answer


def _plain(status: int, text: str) -> RawAnswer:
    return RawAnswer(f"{text}\n".encode(), "text/plain; charset=utf-8", status, {"X-Content-Type-Options": "nosniff"})
