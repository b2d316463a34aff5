"""/healthz, /livez, /readyz: one word, or with ?verbose every check, or one check by its path."""

from __future__ import annotations

from kctl.kube_apiserver.request import Request
from kctl.kube_apiserver.response import RawAnswer, Response
from kctl.kube_apiserver.serving import Serving

_TEXT = "text/plain; charset=utf-8"
_HOOKS = ("poststarthook/start-apiserver-admission-initializer", "poststarthook/bootstrap-controller")


def _checks(kind: str) -> tuple[str, ...]:
    more = ("informer-sync", "shutdown") if kind == "readyz" else ()
    return ("ping", "log", "etcd", *more[:1], *_HOOKS, *more[1:])


def paths() -> list[str]:
    return [f"/{kind}/{name}".rstrip("/") for kind in ("healthz", "livez", "readyz") for name in ("", *_checks(kind))]


def answer(server: Serving, request: Request, path: str) -> Response:
    """200 with `ok`, 404 for a check there is none of, 500 with the list when one fails."""
    kind, _, check = path[1:].partition("/")
    if check:
        if check not in _checks(kind):
            return RawAnswer(b"404 page not found\n", _TEXT, 404)
        why = failing(server, kind).get(check)
        if why:
            return RawAnswer(f"internal server error: {why}\n".encode(), _TEXT, 500)
        return RawAnswer(b"ok", _TEXT)
    excluded = {request.query.get("exclude", "")}
    names = tuple(name for name in _checks(kind) if name not in excluded)
    failed = [name for name in failing(server, kind) if name in names]
    if not failed and "verbose" not in request.query:
        return RawAnswer(b"ok", _TEXT)
    lines = [f"[-]{name} failed: reason withheld" if name in failed else f"[+]{name} ok" for name in names]
    lines += [f"[+]{name} excluded: ok" for name in _checks(kind) if name in excluded]
    lines.append(f"{kind} check {'failed' if failed else 'passed'}")
    text = "\n".join(lines) + "\n"
    return RawAnswer(text.encode(), _TEXT, 500 if failed else 200)


def failing(server: Serving, kind: str) -> dict[str, str]:
    """The checks that fail, and why. Once stop has begun the server is alive but not ready; nor is it while the store cannot write,
    which no restart would mend."""
    if server.stopping:
        return {"etcd": "etcd is not ok", "shutdown": "process is shutting down"}
    if kind != "livez" and server.storage.failure:
        return {"etcd": f"etcd: {server.storage.failure}"}
    return {}
