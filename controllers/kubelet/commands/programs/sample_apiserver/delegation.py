"""Delegated authentication and authorization of an extension API server: what it believes of kube-apiserver, and what it asks it."""

from __future__ import annotations

import socket
from collections.abc import Generator
from typing import Any
from urllib.parse import unquote

import orjson

from controllers.kubelet.commands.process import Process
from controllers.kubelet.commands.programs import http
from controllers.kubelet.commands.programs.fetching import Exchange, Limits, TimedOut, fetch, parse_url
from controllers.kubelet.commands.programs.http import Request
from controllers.kubelet.commands.programs.serving import words_of
from controllers.kubelet.commands.tls import TlsFailed
from kctl.apimachinery import status
from kctl.apimachinery.status import ApiError
from kctl.apimachinery.user import ANONYMOUS, SYSTEM_AUTHENTICATED, SYSTEM_MASTERS, User

Waits = float | None
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_CONFIG = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_ASK_SECONDS = 10.0
_ALWAYS_ALLOWED = ("/healthz", "/livez", "/readyz")


class Unasked(Exception):
    """kube-apiserver could not be asked, or refuses; the message says what and why."""


class Delegation:
    """`authority` signs for who may say for whom it asks; names and headers by which it does are of the ConfigMap that kube-apiserver
    keeps, all read once, at the start of the server."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.authority = b""
        self._names: list[str] = []
        self._headers: dict[str, list[str]] = {}

    def ask(self, method: str, path: str, body: Any = None) -> Generator[Waits, None, tuple[int, Any]]:
        """(status, document) of kube-apiserver, asked as the pod's ServiceAccount. Raises Unasked."""
        process = self._process
        host, port = process.env.get("KUBERNETES_SERVICE_HOST"), process.env.get("KUBERNETES_SERVICE_PORT")
        if not host or not port:
            raise Unasked("unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined")
        where = f"https://{f'[{host}]' if ':' in host else host}:{port}{path}"
        try:
            token, authority = process.read(f"{_ACCOUNT}/token"), process.read(f"{_ACCOUNT}/ca.crt")
            headers = [("Authorization", f"Bearer {token.decode('ascii', 'replace').strip()}"), ("Accept", "application/json")]
            data = b"" if body is None else orjson.dumps(body)
            if data:
                headers.append(("Content-Type", "application/json"))
            limits = Limits(_ASK_SECONDS, _ASK_SECONDS)
            exchange = Exchange(parse_url(where), method, headers, data, limits, authority=authority)
            response, _ = yield from fetch(process, exchange)
            return response.status, orjson.loads(response.body or b"null")
        except TimedOut:
            why = "context deadline exceeded"
        except socket.gaierror:
            why = f"dial tcp: lookup {host}: no such host"
        except OSError as error:
            why = words_of(error)
        except (TlsFailed, http.BadMessage, ValueError) as error:
            why = str(error)
        raise Unasked(f'{method.title()} "{where}": {why}')

    def load(self) -> Generator[Waits, None, None]:
        """Raises Unasked."""
        answered, document = yield from self.ask("GET", _CONFIG)
        if answered != 200:
            raise Unasked(str(document.get("message") if isinstance(document, dict) else answered))
        data = document.get("data") or {}
        self.authority = str(data.get("requestheader-client-ca-file") or "").encode()
        self._names = _list_of(data.get("requestheader-allowed-names"))
        for what in ("username", "uid", "group"):
            self._headers[what] = [name.lower() for name in _list_of(data.get(f"requestheader-{what}-headers"))]
        self._headers["extra"] = [name.lower() for name in _list_of(data.get("requestheader-extra-headers-prefix"))]

    def authenticate(self, request: Request, peer_name: str) -> Generator[Waits, None, User]:
        """`peer_name` is that of the client's certificate, where it was verified. Raises Unauthorized, Unasked."""
        if peer_name and (not self._names or peer_name in self._names):
            user = self._told(request)
            if user is not None:
                return user
        kind, _, token = request.header("Authorization").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token.strip()}}
        answered, document = yield from self.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
        found = (document or {}).get("status") or {}
        if answered != 201 or not found.get("authenticated"):
            raise status.Unauthorized()
        known = found["user"]
        extra = {name: tuple(values) for name, values in (known.get("extra") or {}).items()}
        return User(str(known.get("username")), tuple(known.get("groups") or ()), str(known.get("uid") or ""), extra)

    def _told(self, request: Request) -> User | None:
        """By the proxy's headers."""
        headers = [(name.lower(), value) for name, value in request.headers]
        names = [value for name, value in headers if name in self._headers["username"] and value]
        if not names:
            return None
        groups = [value for name, value in headers if name in self._headers["group"]]
        uid = next((value for name, value in headers if name in self._headers["uid"]), "")
        extra: dict[str, tuple[str, ...]] = {}
        for name, value in headers:
            prefix = next((each for each in self._headers["extra"] if name.startswith(each)), None)
            if prefix is not None:
                key = unquote(name[len(prefix) :])
                extra[key] = (*extra.get(key, ()), value)
        if SYSTEM_AUTHENTICATED not in groups and not set(groups) & set(ANONYMOUS.groups):
            groups.append(SYSTEM_AUTHENTICATED)
        return User(names[0], tuple(groups), uid, extra)

    def authorize(self, user: User, path: str, verb: str, about: dict[str, str] | None) -> Generator[Waits, None, None]:
        """`about` are the resourceAttributes, None where the request is about no resource. Raises Forbidden, Unasked."""
        if SYSTEM_MASTERS in user.groups or (about is None and path in _ALWAYS_ALLOWED):
            return
        attributes = {"nonResourceAttributes": {"path": path, "verb": verb}} if about is None else {"resourceAttributes": about}
        spec = {"user": user.name, "groups": list(user.groups), "uid": user.uid, "extra": {k: list(v) for k, v in user.extra.items()}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {**spec, **attributes}}
        answered, document = yield from self.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
        if answered != 201:
            raise Unasked(str((document or {}).get("message") or answered))
        if not document["status"].get("allowed"):
            raise _denied(user, path, verb, about, str(document["status"].get("reason") or ""))


def _denied(user: User, path: str, verb: str, about: dict[str, str] | None, reason: str) -> ApiError:
    shown = f'User "{user.name}" cannot {verb} '
    more = f": {reason}" if reason else ""
    if about is None:
        return status.Forbidden(f'forbidden: {shown}path "{path}"{more}', details={})
    scope = f'in the namespace "{about["namespace"]}"' if about.get("namespace") else "at the cluster scope"
    why = f'{shown}resource "{about["resource"]}" in API group "{about["group"]}" {scope}{more}'
    return status.forbidden(about["group"], about["resource"], about.get("name", ""), why)


def _list_of(text: Any) -> list[str]:
    """A JSON list of strings."""
    try:
        found = orjson.loads(text or "[]")
    except (orjson.JSONDecodeError, TypeError):
        return []
    return [str(each) for each in found] if isinstance(found, list) else []
