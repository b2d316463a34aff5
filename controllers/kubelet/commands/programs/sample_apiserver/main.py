"""The sample API server that Kubernetes tests its aggregator with: wardle.example.com/v1alpha1, kept in an etcd beside it.

It knows kube-apiserver by the client certificate, believes it for whom it asks, and lets it say who may do what. A watch ends with the
first change that it tells; there is no OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import cast

import orjson

from controllers.kubelet.commands.network import Side
from controllers.kubelet.commands.process import Process, Run
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.golang import Flag, UsageError, flags
from controllers.kubelet.commands.programs.http import Request, Response
from controllers.kubelet.commands.programs.sample_apiserver import resources
from controllers.kubelet.commands.programs.sample_apiserver.delegation import Delegation, Unasked
from controllers.kubelet.commands.programs.sample_apiserver.endpoint import Endpoint, Target
from controllers.kubelet.commands.programs.sample_apiserver.stored import Storage
from controllers.kubelet.commands.programs.servers import ending
from controllers.kubelet.commands.programs.serving import Server, Task, words_of
from controllers.kubelet.commands.tls import TlsFailed, TlsSide, loaded
from kctl.apimachinery import status
from kctl.apimachinery.status import ApiError

Waits = float | None
_FLAGS: Mapping[str, Flag] = {
    "etcd-servers": "",
    "tls-cert-file": "",
    "tls-private-key-file": "",
    "secure-port": 443,
    "audit-log-path": "",
    "audit-log-maxage": 0,
    "audit-log-maxbackup": 0,
    "audit-log-maxsize": 100,
}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ROOT = f"/apis/{resources.GROUP_VERSION}"
_DOCUMENTS = {"/apis": resources.group_list, f"/apis/{resources.GROUP}": resources.group_document, _ROOT: resources.resource_list}


class _SampleApiServer:
    def __init__(self, process: Process, delegation: Delegation, storage: Storage) -> None:
        self._delegation = delegation
        self._storage = storage
        self._endpoint = Endpoint(process, storage, delegation)

    def handle(self, request: Request, peer_name: str) -> Generator[Waits, None, Response]:
        try:
            return (yield from self._answered(request, peer_name))
        except ApiError as error:
            return _json(error.http_status, error.status)
        except Unasked as why:
            failed = status.InternalError(f"Internal error occurred: {why}")
            return _json(failed.http_status, failed.status)

    def _answered(self, request: Request, peer_name: str) -> Generator[Waits, None, Response]:
        user = yield from self._delegation.authenticate(request, peer_name)
        target = _target(request.path)
        verb = _verb(request, target)
        yield from self._delegation.authorize(user, request.path, verb, _attributes(target, verb) if target is not None else None)
        if target is not None:
            code, document = yield from self._endpoint.do(verb, target, request)
            return _json(code, document)
        if request.path in ("/healthz", "/livez"):
            return http.text("ok")
        if request.path == "/readyz":
            if (yield from self._storage.is_healthy()):
                return http.text("ok")
            return http.error("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed", 500)
        make = _DOCUMENTS.get(request.path.rstrip("/"))
        if make is None or request.method != "GET":
            return http.not_found()
        return _json(200, make())


def _target(path: str) -> Target | None:
    """None for what is no resource. Raises NotFound for one that is not served."""
    if not path.startswith(f"{_ROOT}/"):
        return None
    parts = path[len(_ROOT) + 1 :].strip("/").split("/")
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2:
        namespace, parts = parts[1], parts[2:]
    resource = resources.find(parts[0])
    fits = resource is not None and len(parts) <= 2 and (resource.namespaced or not namespace)
    if resource is None or not fits or (resource.namespaced and not namespace and len(parts) == 2):
        raise status.NotFound("the server could not find the requested resource", details={})
    return Target(resource, namespace, parts[1] if len(parts) == 2 else "")


def _verb(request: Request, target: Target | None) -> str:
    """As authorization names it. Raises MethodNotSupported."""
    if target is None:
        return request.method.lower()
    if request.method == "GET":
        if target.name:
            return "get"
        return "watch" if request.query.get("watch") in ("true", "1") else "list"
    verb = _VERBS.get(request.method)
    if verb == "delete" and not target.name:
        return "deletecollection"
    if (
        verb is None
        or bool(target.name) != (verb != "create")
        or (verb == "create" and target.resource.namespaced and not target.namespace)
    ):
        raise status.MethodNotSupported("the server does not allow this method on the requested resource")
    return verb


def _attributes(target: Target, verb: str) -> dict[str, str]:
    found = {"group": resources.GROUP, "version": resources.VERSION, "resource": target.resource.plural, "verb": verb}
    return {**found, **({"namespace": target.namespace} if target.namespace else {}), **({"name": target.name} if target.name else {})}


def _json(code: int, document: object) -> Response:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return Response(code, body, [("Content-Type", "application/json"), ("Cache-Control", "no-cache, private")])


def main(process: Process) -> Run:
    try:
        values, arguments = flags(process.argv[1:], _FLAGS)
        if arguments:
            raise UsageError(f'unknown command "{arguments[0]}" for "sample-apiserver"')
    except UsageError as wrong:
        process.complain(f"Error: {wrong}\n")
        return 1
    if not values["etcd-servers"]:
        return _failed(process, "--etcd-servers must be specified")
    delegation = Delegation(process)
    try:
        yield from delegation.load()
    except Unasked as why:
        return _failed(process, f"unable to load configmap based request-header-client-ca-file: {why}")
    certificate, key = str(values["tls-cert-file"]), str(values["tls-private-key-file"])
    try:
        context = loaded(process.read(certificate), process.read(key), delegation.authority)
    except OSError as error:
        return _failed(process, f"failed to load certificate {certificate}: {words_of(error) if error.errno else error}")
    server = Server(process)
    server.handle_signals(ending(server, 0))
    storage = Storage(process, str(values["etcd-servers"]).split(",")[0])
    serving = _SampleApiServer(process, delegation, storage)

    def serve(connection: Side) -> Task:
        secured = TlsSide(connection, context, server=True)
        try:
            yield from secured.handshake()
        except TlsFailed as failed:
            server.log(f"http: TLS handshake error from {connection.peer}: {failed}")
            return
        yield from server.http_connection(cast(Side, secured), lambda request: serving.handle(request, secured.peer_name))
        secured.finish()

    port = int(values["secure-port"])
    try:
        server.listen(port, "TCP", serve)
    except OSError as error:
        return _failed(process, f"failed to create listener: failed to listen on 0.0.0.0:{port}: {words_of(error)}")
    server.log(f"Serving securely on [::]:{port}")
    return (yield from server.run())


def _failed(process: Process, why: str) -> int:
    process.complain(f'E{process.world.clock.now():%m%d %H:%M:%S.%f}       1 run.go:72] "command failed" err="{why}"\n')
    return 1
