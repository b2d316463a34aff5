"""pods/log: the kubelet's log lines of one container, passed on as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator

from kctl.apimachinery import objects
from kctl.apimachinery.field_errors import FieldError, forbidden, invalid
from kctl.apimachinery.objects import Object
from kctl.apimachinery.status import BadRequest, ServiceUnavailable
from kctl.apimachinery.status import invalid as invalid_status
from kctl.kube_apiserver.registry.list_options import parse_int
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import ResourceRequest
from kctl.kube_apiserver.response import RawAnswer, Response, TextAnswer, UpgradeAnswer


async def handle(registry: Registry, request: ResourceRequest) -> Response:
    endpoint = request.endpoint
    _check_options(request)
    pod = endpoint.get(request.namespace, request.name).object
    container = container_of(pod, request.query.get("container", ""))
    node = objects.spec(pod).get("nodeName")
    if not node:
        return RawAnswer(b"", "", 204)
    connector = registry.parts.kubelets.connector
    if connector is None:
        raise ServiceUnavailable(f"the kubelet of node {node} cannot be reached: no kubelets run with this server")
    options = {key: value for key, value in request.query.items() if key != "container"}
    chunks = await connector.logs(node, request.namespace, request.name, container, options)
    if request.headers.get("upgrade", "").lower() == "websocket" and "upgrade" in request.headers.get("connection", "").lower():
        return _messages(request, chunks)
    return TextAnswer(chunks)


def _messages(request: ResourceRequest, chunks: AsyncIterator[bytes]) -> Response:
    from kctl.kube_apiserver.streaming import log_messages

    named = [part.strip() for part in request.headers.get("sec-websocket-protocol", "").split(",") if part.strip()]
    protocol = next((name for name in (named or [""]) if name in log_messages.PROTOCOLS), None)
    if protocol is None:
        return RawAnswer(b"", "", 403)
    as_text = log_messages.PROTOCOLS[protocol]
    return UpgradeAnswer("websocket", log_messages.serve(chunks, as_text=as_text), protocol, as_text=as_text)


def container_of(pod: Object, wanted: str) -> str:
    """The container meant. Raises BadRequest with upstream's words."""
    spec, name = objects.spec(pod), objects.name(pod)
    names: list[str] = []
    for field in ("initContainers", "containers", "ephemeralContainers"):
        names += [container["name"] for container in spec.get(field) or ()]
    if wanted:
        if wanted not in names:
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    plain: list[Object] = spec.get("containers") or []
    if len(plain) == 1:
        return str(plain[0]["name"])
    raise BadRequest(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")


def _check_options(request: ResourceRequest) -> None:
    errors: list[FieldError] = []
    query = request.query
    for field in ("tailLines", "limitBytes", "sinceSeconds"):
        if field not in query:
            continue
        number, least = parse_int(query[field]), 0 if field == "tailLines" else 1
        if number < least:
            why = f"must be greater than {'or equal to ' if not least else ''}0"
            errors.append(invalid(field, number, why))
    if "sinceSeconds" in query and "sinceTime" in query:
        errors.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    if errors:
        raise invalid_status("", "PodLogOptions", request.name, errors)
