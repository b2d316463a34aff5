"""/kctl.dev/scheduling: what only this scheduler can be asked. Authorized as what it is about: who may get a pod may ask why it is where it
is, who may create pods may ask where they would go.

    GET  /kctl.dev/scheduling/namespaces/NAMESPACE/pods/NAME     why it is there, or waits
    POST /kctl.dev/scheduling/namespaces/NAMESPACE/pods          where pods of the namespace would go
    POST /kctl.dev/scheduling/pods                               where pods of any namespaces would go
"""

from __future__ import annotations

import orjson

from kctl.apimachinery import objects
from kctl.apimachinery.objects import Object
from kctl.apimachinery.resources import PODS
from kctl.apimachinery.status import BadRequest, NotFound
from kctl.client.scheduling import SchedulingAnswers
from kctl.kube_apiserver.registry.registry import Registry
from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import RawAnswer, Response


async def handle(registry: Registry, request: Request, path: str) -> Response | None:
    """None for paths there are none of. Raises NotFound, also where no scheduler runs, and BadRequest."""
    parts = path.strip("/").split("/")[1:]
    if not parts or parts[0] != "scheduling":
        return None
    match request.method, parts[1:]:
        case "GET" | "HEAD", ["namespaces", namespace, "pods", name]:
            pod = registry.get_cached(PODS, namespace, name)
            if pod is None:
                raise NotFound(f'pods "{name}" not found')
            return _json(_answers(registry).why(pod))
        case "POST", ["namespaces", namespace, "pods"]:
            return _json(await _forecast(registry, _asked(request, namespace)))
        case "POST", ["pods"]:
            return _json(await _forecast(registry, _asked(request, "")))
    return None


async def _forecast(registry: Registry, asked: Object) -> Object:
    """The pods are taken as they are; whoever sends some that the API would not take is told no more than that."""
    try:
        return await _answers(registry).what_if(asked)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"the pods or nodes cannot be read: {type(error).__name__}: {error}") from error


def _answers(registry: Registry) -> SchedulingAnswers:
    answers = registry.parts.scheduler.answers
    if answers is None:
        raise NotFound("no scheduler runs in this process that could be asked")
    return answers()


def _asked(request: Request, namespace: str) -> Object:
    try:
        asked = orjson.loads(request.raw_body or b"")
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(asked, dict) or not isinstance(asked.get("pods"), list):
        raise BadRequest('the body must be an object with a list of "pods"')
    for pod in asked["pods"]:
        if not isinstance(pod, dict) or not isinstance(pod.get("metadata"), dict) or not isinstance(pod.get("spec"), dict):
            raise BadRequest("each of the pods must have metadata and a spec")
        if namespace and objects.namespace(pod) != namespace:
            raise BadRequest(f"the namespace of the pods does not match the namespace on the request ({namespace})")
    return asked


def _json(answer: Object) -> Response:
    return RawAnswer(orjson.dumps(answer) + b"\n", "application/json")
